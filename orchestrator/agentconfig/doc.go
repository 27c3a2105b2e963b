// Package agentconfig reads Nomad's agent configuration: files and folders of
// HCL or JSON, later ones over earlier ones, into the parts that the orchestrator
// has, and a list of what it leaves out. It opens the files that it is given and
// nothing else; it neither applies a setting nor prints.
package agentconfig
