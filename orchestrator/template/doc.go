// Package template renders the template blocks of tasks: Go templates with the functions that Nomad gives them, those of
// consul-template. It asks a [World] for all that a template may know, so that nothing else can leak into a rendering:
// not the agent's own environment, files or network.
package template
