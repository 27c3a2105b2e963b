package reconcile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"
)

// TestAnyHistory does random things to a job and its allocations. After each,
// once all decisions are made, what has to hold does hold.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		defer func() {
			if rt.Failed() {
				rt.Logf("the history was:\n%s", w.out.String())
			}
		}()
		for i := range rapid.IntRange(1, 4).Draw(rt, "nodes") {
			w.command([]string{"node", fmt.Sprintf("n%d", i)})
		}
		kind := rapid.SampledFrom([]string{"service", "service", "system", "batch", "sysbatch"}).Draw(rt, "type")
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			w.randomStep(rt, kind)
			w.command([]string{"reconcile"})
			w.check()
			w.holds()
		}
	})
}

func (w *world) randomStep(rt *rapid.T, kind string) {
	step := rapid.SampledFrom([]string{"job", "healthy", "healthy", "unhealthy", "failed", "complete", "advance", "promote", "fail", "pause", "resume", "stop", "stopped", "down", "away", "up", "leave", "drain"}).Draw(rt, "step")
	if len(w.versions) == 0 {
		step = "job"
	}
	switch step {
	case "job":
		w.command(strings.Fields(randomJob(rt, kind)))
	case "healthy", "unhealthy", "failed", "complete":
		live := w.named([]string{"all"})
		if len(live) > 0 {
			w.client(rapid.SampledFrom(live).Draw(rt, "allocation"), step)
		}
	case "advance":
		w.command([]string{"advance", rapid.SampledFrom([]string{"1s", "40s", "11m"}).Draw(rt, "time")})
	case "promote", "fail", "pause", "resume":
		if w.deployment() != nil {
			w.command([]string{step})
		}
	case "stop":
		if !*w.versions[0].Stop {
			w.command([]string{"stop"})
		}
	case "stopped":
		w.command([]string{"stopped"})
	case "down", "away":
		status := map[string]string{"down": "down", "away": "disconnected"}[step]
		w.command([]string{"node", rapid.SampledFrom([]string{"n0", "n1"}).Draw(rt, "node"), status})
	case "leave":
		w.command([]string{"leave", "n0", "deadline=" + rapid.SampledFrom([]string{"1m", "0s", "-1s"}).Draw(rt, "deadline")})
	case "drain":
		if live := w.named([]string{"all"}); len(live) > 0 {
			w.move(rapid.SampledFrom(live).Draw(rt, "moved"))
		}
	case "up":
		w.command([]string{"node", "n0"})
	}
}

func randomJob(rt *rapid.T, kind string) string {
	job := fmt.Sprintf("job web type=%s env=%d", kind, rapid.IntRange(0, 2).Draw(rt, "env"))
	if kind != api.JobTypeSystem && kind != api.JobTypeSysbatch {
		job += fmt.Sprintf(" count=%d", rapid.IntRange(0, 4).Draw(rt, "count"))
	}
	if kind == api.JobTypeService {
		job += fmt.Sprintf(" canary=%d max_parallel=%d", rapid.IntRange(0, 2).Draw(rt, "canary"), rapid.IntRange(0, 2).Draw(rt, "max_parallel"))
	}
	if kind == api.JobTypeSystem {
		job += fmt.Sprintf(" canary=%d", rapid.SampledFrom([]int{0, 50, 100}).Draw(rt, "canary"))
	}
	for _, option := range []string{
		"auto_revert", "reschedule=0", "port=80", "distinct_hosts", "lost_after=30s", "lost_after=1h replace=false", "stop_on_client_after=20s",
	} {
		if rapid.Bool().Draw(rt, option) {
			job += " " + option
		}
	}
	return job
}

// holds checks what is true whenever there is nothing left to decide.
func (w *world) holds() {
	job := w.versions[0]
	for _, a := range w.allocs {
		if *job.Stop && !Terminal(a) {
			w.t.Errorf("the job is stopped, and allocation %s is not", a.ID)
		}
	}
	for i, d := range w.deployments {
		if active(d) && i < len(w.deployments)-1 {
			w.t.Errorf("deployment %s is active beside a newer one", d.ID)
		}
		for name, group := range d.TaskGroups {
			if d.Status == api.DeploymentStatusSuccessful && group.HealthyAllocs < group.DesiredTotal {
				w.t.Errorf("deployment %s is successful with %d of %d healthy in %s", d.ID, group.HealthyAllocs, group.DesiredTotal, name)
			}
		}
	}
	w.namesDiffer()
	w.fixedPoint()
}

// namesDiffer holds for the allocations of one version that are in reach: those
// of a system job differ by their nodes.
func (w *world) namesDiffer() {
	bearer := map[string]string{}
	for _, a := range w.allocs {
		canary := a.DeploymentStatus != nil && a.DeploymentStatus.Canary
		if Terminal(a) || canary || a.ClientStatus == api.AllocClientStatusUnknown {
			continue
		}
		key := fmt.Sprint(a.Name, *a.Job.Version)
		if everywhere(a.Job) {
			key += a.NodeID
		}
		if other, taken := bearer[key]; taken {
			w.t.Errorf("%s and %s are both %s of version %d", a.ID, other, a.Name, *a.Job.Version)
		}
		bearer[key] = a.ID
	}
}

// fixedPoint asks again: after a few decisions on their own results nothing
// changes any more, and a deployment does not move by itself.
func (w *world) fixedPoint() {
	for range 5 {
		w.addEval("again")
		before := w.index
		again := Compute(w.input(w.evals[len(w.evals)-1]))
		w.apply(again)
		if len(again.Place) == 0 && len(again.Update) == 0 && len(again.Deployments) == 0 {
			return
		}
		if w.index == before {
			break
		}
	}
	w.t.Errorf("asked again and again, it still changes something")
}
