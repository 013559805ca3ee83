package sidecar

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Kind is the kind of object whose pods get a sidecar.
type Kind string

// The kinds that make pods, and Pod itself.
const (
	Deployment            Kind = "Deployment"
	ReplicaSet            Kind = "ReplicaSet"
	ReplicationController Kind = "ReplicationController"
	StatefulSet           Kind = "StatefulSet"
	DaemonSet             Kind = "DaemonSet"
	Job                   Kind = "Job"
	CronJob               Kind = "CronJob"
	Pod                   Kind = "Pod"
)

// Kinds lists them all.
func Kinds() []Kind {
	return []Kind{Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, Job, CronJob, Pod}
}

// ends reports whether pods of this kind are there to come to an end.
func (k Kind) ends() bool { return k == Job || k == CronJob }

// generation is the label by which pods of one rollout know each other, or "".
func (k Kind) generation() string {
	switch k {
	case Deployment, ReplicaSet:
		return "pod-template-hash"
	case StatefulSet, DaemonSet:
		return "controller-revision-hash"
	}
	return ""
}

// Options are what a user decides about the sidecar.
type Options struct {
	// Name of the container; DefaultName if empty.
	Name string
	// Image is required.
	Image string
	// Redis is required; see Redis.None.
	Redis Redis
	// Secrets and Env are further variables, by name.
	Secrets map[string]Ref
	Env     map[string]string
	// Ports that are 0 are those of DefaultPorts.
	Ports Ports
	// Resources that are empty are those of DefaultResources.
	Resources Resources
	// Ordinary makes a container among the app's, for clusters that do not
	// know native sidecars.
	Ordinary bool
}

// Redis says where the relays meet. One of the three is set.
type Redis struct {
	URL    string
	Secret Ref
	// None: every pod is alone with its events.
	None bool
}

// Ref is one key of a Secret.
type Ref struct{ Name, Key string }

// ParseRef reads NAME/KEY.
func ParseRef(text string) (Ref, error) {
	name, key, ok := strings.Cut(text, "/")
	if !ok || !subdomain.MatchString(name) || !secretKey.MatchString(key) {
		return Ref{}, fmt.Errorf("%q is not the name and the key of a Secret, like app-redis/url", text)
	}
	return Ref{Name: name, Key: key}, nil
}

// Ports are those of the relay's three listeners.
type Ports struct{ Public, API, Ops int }

// Resources are what the container asks for, as Kubernetes writes quantities.
type Resources struct{ CPURequest, MemoryRequest, MemoryLimit string }

// What a sidecar has unless told otherwise.
const (
	DefaultName = "relay"
	// defaultGrace is what Kubernetes gives a pod that does not say.
	defaultGrace = 30 * time.Second
	// The relay's own defaults: readiness fails, then clients are released.
	defaultDrainDelay  = 5 * time.Second
	defaultDrainWindow = 20 * time.Second
	// exitMargin is for what comes behind the last client; the relay asks for
	// it, too.
	exitMargin = 5 * time.Second
)

// DefaultPorts are the ports of the relay everywhere.
var DefaultPorts = Ports{Public: 8080, API: 8081, Ops: 8082}

// DefaultResources hold some thousand clients. The container has no limit of
// CPU: a relay that is throttled delays every client for the rest of a period.
var DefaultResources = Resources{CPURequest: "50m", MemoryRequest: "64Mi", MemoryLimit: "256Mi"}

// The variables that follow from the pod or have an option of their own.
const (
	varPublicAddr  = "RELAY_PUBLIC_ADDR"
	varAPIAddr     = "RELAY_API_ADDR"
	varOpsAddr     = "RELAY_OPS_ADDR"
	varRedisURL    = "RELAY_REDIS_URL"
	varAPIKeys     = "RELAY_API_KEYS"
	varGrace       = "RELAY_GRACE_PERIOD"
	varGeneration  = "RELAY_GENERATION"
	varDrainDelay  = "RELAY_DRAIN_DELAY"
	varDrainWindow = "RELAY_DRAIN_WINDOW"
)

// Owns reports whether a variable is written by this package and may stand in
// neither Env nor Secrets.
func Owns(variable string) bool {
	switch variable {
	case varPublicAddr, varAPIAddr, varOpsAddr, varRedisURL, varGrace, varGeneration:
		return true
	}
	return false
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = DefaultName
	}
	setDefault(&o.Ports.Public, DefaultPorts.Public)
	setDefault(&o.Ports.API, DefaultPorts.API)
	setDefault(&o.Ports.Ops, DefaultPorts.Ops)
	setDefault(&o.Resources.CPURequest, DefaultResources.CPURequest)
	setDefault(&o.Resources.MemoryRequest, DefaultResources.MemoryRequest)
	setDefault(&o.Resources.MemoryLimit, DefaultResources.MemoryLimit)
	return o
}

func setDefault[T comparable](value *T, def T) {
	var zero T
	if *value == zero {
		*value = def
	}
}

var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	secretKey = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	imageName = regexp.MustCompile(`^[a-zA-Z0-9][-._a-zA-Z0-9:/]*(@[a-z0-9]+:[0-9a-f]+)?$`)
	cpu       = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?m?$`)
	memory    = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(k|Ki|M|Mi|G|Gi)?$`)
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

// drain is how long the relay takes to leave: what RELAY_DRAIN_DELAY and
// RELAY_DRAIN_WINDOW say, or would say by default. Values that are no
// durations are the relay's own to judge.
func (o *Options) drain(kind Kind) time.Duration {
	delay, window := defaultDrainDelay, defaultDrainWindow
	if kind.ends() {
		delay = 0
	}
	if d, err := time.ParseDuration(o.Env[varDrainDelay]); err == nil {
		delay = d
	}
	if d, err := time.ParseDuration(o.Env[varDrainWindow]); err == nil {
		window = d
	}
	return delay + window
}

// grace is the least whole number of seconds that a pod needs to stop without
// being killed; what Kubernetes gives by default, if that is enough.
func (o *Options) grace(kind Kind) time.Duration {
	need := o.drain(kind) + exitMargin
	return max(defaultGrace, time.Duration(math.Ceil(need.Seconds()))*time.Second)
}
