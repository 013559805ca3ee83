package sidecar

import (
	"fmt"
	"math"
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
