package sidecar

import (
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// checkNeighbours refuses a pod in which the relay would be in somebody's way:
// the containers of a pod share its ports.
func (d *document) checkNeighbours(w *workload, o *Options) *Refusal {
	if network, ok := valueOf(w.spec, keyHostNetwork).(*ast.BoolNode); ok && network.Value {
		if _, hasKeys := o.Secrets[varAPIKeys]; !hasKeys {
			return d.refuse(network.GetToken().Position.Line,
				"the pod has the network of its node, where every process could publish through the relay",
				"--secret "+varAPIKeys+"=NAME/KEY lets only those publish who have a key")
		}
	}
	for _, key := range []string{keyInitContainers, keyContainers} {
		list, _ := valueOf(w.spec, key).(*ast.SequenceNode)
		if list == nil {
			continue
		}
		for _, item := range list.Values {
			if container, ok := bare(item).(*ast.MappingNode); ok {
				if r := d.checkNeighbour(container, o); r != nil {
					return r
				}
			}
		}
	}
	return nil
}

func (d *document) checkNeighbour(container *ast.MappingNode, o *Options) *Refusal {
	name := scalarOf(container, "name")
	if name == o.Name {
		return d.refuse(container.GetToken().Position.Line, fmt.Sprintf("there is a container %q already", name),
			"take it out if it is a relay, or give --container-name another name")
	}
	ports, _ := valueOf(container, "ports").(*ast.SequenceNode)
	if ports == nil {
		return nil
	}
	for _, item := range ports.Values {
		port, ok := bare(item).(*ast.MappingNode)
		if !ok {
			continue
		}
		if protocol := scalarOf(port, "protocol"); protocol != "" && protocol != "TCP" {
			continue
		}
		number := valueOf(port, "containerPort")
		if number == nil {
			continue
		}
		if flag := o.Ports.flagOf(number.GetToken().Value); flag != "" {
			return d.refuse(number.GetToken().Position.Line,
				fmt.Sprintf("the container %q has the port %s, which the relay wants as well", name, number.GetToken().Value),
				flag+" gives the relay another one")
		}
	}
	return nil
}

// flagOf returns the flag that chooses a port, or "" if the relay has no such port.
func (p Ports) flagOf(number string) string {
	switch number {
	case strconv.Itoa(p.Public):
		return "--public-port"
	case strconv.Itoa(p.API):
		return "--api-port"
	case strconv.Itoa(p.Ops):
		return "--ops-port"
	}
	return ""
}
