package watch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/watch"
)

// run is watch.Run, and holds what a verdict promises against all that was seen on
// the way: the states of a real server, in the order in which they came.
func run(ctx context.Context, t *testing.T, c *api.Client, target watch.Target, o watch.Options) (watch.Verdict, error) {
	t.Helper()
	var seen []watch.Snapshot
	v, err := watch.RunSeeing(ctx, c, target, o, func(s watch.Snapshot) { seen = append(seen, s) })
	if err != nil || len(seen) == 0 {
		return v, err
	}
	for i, s := range seen {
		checkState(t, s, v, i == len(seen)-1 || o.RevertOnFailure)
	}
	return v, nil
}

// checkState judges a state that led to a verdict. Only the last one ends the
// watch, in whatever order the server lists things; a server that does not answer
// ends nothing; and success is only what a successful deployment says.
func checkState(t *testing.T, s watch.Snapshot, v watch.Verdict, last bool) {
	t.Helper()
	s.Deadline = time.Time{} // whether the time was up is not the question
	now, done := watch.Judge(s)
	if done && !last {
		t.Errorf("the watch went on after %s: %s", now.Outcome, now.Summary)
	}
	if done && last && v.Outcome != watch.Unknown && v.Outcome != watch.Reverted && now.Outcome != v.Outcome {
		t.Errorf("the last state is %s (%s), the verdict %s", now.Outcome, now.Summary, v.Outcome)
	}
	other := s
	other.Allocs, other.Evals, other.Deployments = reversed(s.Allocs), reversed(s.Evals), reversed(s.Deployments)
	if again, doneToo := watch.Judge(other); done != doneToo || again.Outcome != now.Outcome || again.Summary != now.Summary {
		t.Errorf("in another order %s (%s) is %s (%s)", now.Outcome, now.Summary, again.Outcome, again.Summary)
	}
	other.Lost = true
	if lost, done := watch.Judge(other); done {
		t.Errorf("a lost contact gives %s: %s", lost.Outcome, lost.Summary)
	}
	if !done || now.Outcome != watch.Successful {
		return
	}
	for _, d := range s.Deployments {
		if d.JobSpecModifyIndex == s.Target.JobModifyIndex && d.Status != api.DeploymentStatusSuccessful {
			t.Errorf("successful, but the deployment is %s", d.Status)
		}
	}
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}
