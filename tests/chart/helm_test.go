//go:build chart

package chart

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// kubeVersion is the oldest that the chart is for. Helm would otherwise take
// the one that it was built with.
const kubeVersion = "1.27.0"

// helm runs Helm with what it needs of the environment, and no cluster.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("helm")
	if err != nil {
		t.Fatal("helm is not installed; `scripts/setup.sh helm` installs it into bin/, which `make chart-test` has on its path")
	}
	cmd := exec.Command(path, args...)
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + filepath.Join(home, "none")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// object is one Kubernetes object, of any kind: what the tests look at.
// encoding/json finds the fields whatever their case.
type object struct {
	APIVersion, Kind             string
	Metadata                     metadata
	Data                         map[string]string
	Spec                         spec
	AutomountServiceAccountToken *bool

	// raw is all of it.
	raw map[string]any
}

type metadata struct {
	Name, Namespace     string
	Labels, Annotations map[string]string
}

type spec struct {
	// Of a Deployment.
	Replicas *int
	Strategy struct {
		RollingUpdate struct{ MaxSurge, MaxUnavailable any }
	}
	Template struct {
		Metadata metadata
		Spec     pod
	}
	// Selector is {matchLabels}, or labels in a Service.
	Selector    map[string]any
	PodSelector map[string]any
	// Of a Service.
	Ports []struct {
		Port       int
		TargetPort any
	}
	pod
}

type pod struct {
	ServiceAccountName                               string
	AutomountServiceAccountToken, EnableServiceLinks *bool
	TerminationGracePeriodSeconds                    int
	SecurityContext                                  struct {
		RunAsNonRoot   bool
		RunAsUser      *int
		SeccompProfile struct{ Type string }
	}
	InitContainers, Containers []container
	Volumes                    []struct {
		Name      string
		ConfigMap *struct{ Name string }
		Secret    *struct{ SecretName string }
		Projected struct {
			Sources []struct {
				Secret struct {
					Name  string
					Items []struct{ Key, Path string }
				}
			}
		}
	}
	TopologySpreadConstraints []struct {
		TopologyKey    string
		MatchLabelKeys []string
		LabelSelector  map[string]any
	}
}

type container struct {
	Name, Image, RestartPolicy string
	Command                    []string
	Env                        []struct {
		Name, Value string
		ValueFrom   struct{ FieldRef struct{ FieldPath string } }
	}
	Ports                                       []struct{ ContainerPort int }
	StartupProbe, LivenessProbe, ReadinessProbe struct {
		HTTPGet struct {
			Path string
			Port any
		}
	}
	Lifecycle struct {
		PreStop struct{ Exec struct{ Command []string } }
	}
	VolumeMounts []struct {
		Name, MountPath string
		ReadOnly        bool
	}
	SecurityContext struct {
		AllowPrivilegeEscalation, ReadOnlyRootFilesystem *bool
		Capabilities                                     struct{ Drop, Add []string }
	}
	Resources struct{ Limits, Requests map[string]any }
}

// variable returns the value of an environment variable, or "".
func (c container) variable(name string) string {
	for _, v := range c.Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// render returns what the chart makes of values.
func render(t *testing.T, args ...string) []object {
	t.Helper()
	out, err := helm(t, append([]string{"template", "rel", chartDir, "--namespace", "live", "--kube-version", kubeVersion}, args...)...)
	if err != nil {
		t.Fatalf("%v: %s", args, out)
	}
	return objects(t, out)
}

// objects reads a stream of YAML documents.
func objects(t *testing.T, text string) []object {
	t.Helper()
	var all []object
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o object
		err := d.Decode(&o.raw)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if o.raw == nil {
			continue
		}
		asJSON, err := json.Marshal(o.raw)
		if err == nil {
			err = json.Unmarshal(asJSON, &o)
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, asJSON)
		}
		all = append(all, o)
	}
}

// one returns the only object of a kind.
func one(t *testing.T, all []object, kind string) object {
	t.Helper()
	var found []object
	for _, o := range all {
		if o.Kind == kind {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of the kind %s", len(found), kind)
	}
	return found[0]
}

// at returns what stands at a path of the raw object, like spec.rules.0.host.
func (o object) at(path string) any {
	var here any = o.raw
	for step := range strings.SplitSeq(path, ".") {
		switch node := here.(type) {
		case map[string]any:
			here = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(node) {
				return nil
			}
			here = node[i]
		default:
			return nil
		}
	}
	return here
}
