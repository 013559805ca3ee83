// Package sidecar writes the relay into other people's Kubernetes files.
//
// container.go describes the container, once. Print writes it as YAML, for
// people; Inject puts the same YAML into the workloads of a file; WriteTemplate
// makes named templates of it for Helm charts. A test renders the template and
// holds it against the YAML.
//
// Inject is a change of text. It asks a YAML parser where the lines go, leaves
// every other byte alone, and reads the result again: if that is not the file
// and the sidecar, it refuses. So comments, order and style stay, and
// Uninject gives back the bytes from before.
//
// Nothing of Kubernetes or Helm is linked.
package sidecar
