package sidecar

import (
	"fmt"
	"regexp"
	"slices"
)

var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	secretKey = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	imageName = regexp.MustCompile(`^[a-zA-Z0-9][-._a-zA-Z0-9:/]*(@[a-z0-9]+:[0-9a-f]+)?$`)
	cpu       = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?m?$`)
	// Without a unit it is bytes, of which no relay can do with so few that
	// they have less than eight digits: a unit has been forgotten.
	memory = regexp.MustCompile(`^([0-9]{8,}|[0-9]+(\.[0-9]+)?(k|Ki|M|Mi|G|Gi))$`)
)

// check returns what is wrong with options that have their defaults.
func (o *Options) check() *Refusal {
	switch {
	case o.Image == "":
		return &Refusal{Text: "no image is given", Hint: "--image REGISTRY/relay:VERSION says which"}
	case !imageName.MatchString(o.Image):
		return &Refusal{Text: fmt.Sprintf("%q is not the name of an image", o.Image), Hint: "write it like registry.example.com/relay:1.2.3"}
	case !label.MatchString(o.Name):
		return &Refusal{Text: fmt.Sprintf("%q is not the name of a container", o.Name), Hint: "lower-case letters, digits and dashes, at most 63"}
	}
	if r := o.Redis.check(); r != nil {
		return r
	}
	if r := o.Ports.check(); r != nil {
		return r
	}
	if r := o.Resources.check(); r != nil {
		return r
	}
	return o.checkVariables()
}

func (r Redis) check() *Refusal {
	given := 0
	for _, is := range []bool{r.URL != "", r.Secret != Ref{}, r.None} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return &Refusal{
			Text: "no Redis is given: the events of each pod would reach the clients of that pod only",
			Hint: "--redis-secret NAME/KEY or --redis-url URL says which; --without-redis if there is one pod, and it stays alone",
		}
	case given > 1:
		return &Refusal{Text: "more than one Redis is given", Hint: "leave one of --redis-secret, --redis-url and --without-redis"}
	}
	return nil
}

func (p Ports) check() *Refusal {
	for _, port := range []int{p.Public, p.API, p.Ops} {
		if port < 1 || port > 65535 {
			return &Refusal{Text: fmt.Sprintf("%d is not a port", port), Hint: "a port is a number from 1 to 65535"}
		}
	}
	if p.Public == p.API || p.Public == p.Ops || p.API == p.Ops {
		return &Refusal{Text: "two of the relay's listeners have the same port", Hint: "--public-port, --api-port and --ops-port differ"}
	}
	return nil
}

func (r Resources) check() *Refusal {
	if !cpu.MatchString(r.CPURequest) {
		return &Refusal{Text: fmt.Sprintf("%q is not a quantity of CPU", r.CPURequest), Hint: "write it like 100m or 0.5"}
	}
	for _, q := range []string{r.MemoryRequest, r.MemoryLimit} {
		if !memory.MatchString(q) {
			return &Refusal{Text: fmt.Sprintf("%q is not a quantity of memory", q), Hint: "write it like 128Mi or 1Gi"}
		}
	}
	return nil
}

func (o *Options) checkVariables() *Refusal {
	for _, name := range sortedKeys(o.Secrets) {
		if _, twice := o.Env[name]; twice {
			return &Refusal{Text: name + " is given twice, as a value and from a Secret", Hint: "leave one of the two"}
		}
	}
	for _, name := range slices.Concat(sortedKeys(o.Secrets), sortedKeys(o.Env)) {
		if Owns(name) {
			return &Refusal{Text: name + " follows from the pod or from another flag", Hint: ownHint(name)}
		}
	}
	return nil
}

func ownHint(name string) string {
	switch name {
	case varPublicAddr:
		return "--public-port chooses its port"
	case varAPIAddr:
		return "--api-port chooses its port"
	case varOpsAddr:
		return "--ops-port chooses its port"
	case varRedisURL:
		return "--redis-secret NAME/KEY or --redis-url URL gives it"
	case varGrace:
		return "it is the pod's terminationGracePeriodSeconds"
	}
	return "it is a label of the pod"
}
