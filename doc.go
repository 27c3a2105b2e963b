// Package ostro is the map of the house; it holds no code.
//
// Ostro takes a commit to a running, healthy Nomad deployment. Two flows do the
// work, and they meet only over HTTP.
//
// A deployment, from the command line to the exit code:
//
//	flags, ostro.hcl          cmd/ostro, config
//	  -> text                 render
//	  -> *api.Job             jobspec: nothing has left the machine so far
//	  -> zip in the bucket    artifact
//	  -> a way to Nomad       tunnel
//	  -> Receipt              deploy: planned, registered
//	  -> Verdict              watch: about the deployment of this Receipt
//	  -> exit code            cmd/ostro
//
// The orchestrator, from a request to a running process:
//
//	request                   orchestrator/httpapi
//	  -> job, evaluation      orchestrator/state
//	  -> Input                orchestrator, orchestrator/decide
//	  -> Changes              orchestrator/reconcile: pure
//	  -> allocations          orchestrator/state
//	  -> folders, restarts    orchestrator/runner
//	  -> process              orchestrator/driver
//	  -> client status        orchestrator/state, which wakes who waits
//
// ARCHITECTURE.md explains them, and arch_test.go says who may import whom.
package ostro
