// Package conformance holds the orchestrator against Nomad. A table of scenarios
// goes through the API; what each leaves behind is kept in testdata as Nomad
// showed it, and the orchestrator has to leave the same. Where a nomad is on PATH
// it is asked anew. There is nothing here but tests: see README.md.
package conformance
