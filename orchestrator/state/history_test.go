package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// fill gives a job two versions, an allocation of each, and a history.
func fill(t *testing.T, s *Store) {
	t.Helper()
	for i, command := range []string{"a", "b"} {
		register(t, s, testJob("web", command))
		update(t, s, func(tx *Txn) {
			id := fmt.Sprint(i)
			tx.PutAlloc(&api.Allocation{ID: id, Namespace: "default", JobID: "web", Job: tx.Job(nil, "default", "web"), DesiredStatus: "run"})
			tx.PutEval(&api.Evaluation{ID: id, Namespace: "default", JobID: "web", Status: api.EvalStatusPending})
			tx.PutDeployment(&api.Deployment{ID: id, Namespace: "default", JobID: "web"})
			tx.PutLaunch("default", "web", time.Unix(int64(1000+i), 0))
			tx.PutScalingEvent("default", "web", "g", api.ScalingEvent{Message: id})
		})
	}
}

func specs(s *Store) int { return len(all[api.Job](s.Snapshot(), nil, tableSpecs, byID)) }

func TestHistoryOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s)
	update(t, s, func(tx *Txn) {
		if err := tx.TagVersion("default", "web", 0, &api.JobVersionTag{Name: "golden"}); err != nil {
			t.Fatal(err)
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	snap := open(t, dir).Snapshot()
	if at := snap.LastLaunch(nil, "default", "web"); at.Unix() != 1001 {
		t.Errorf("the last launch was at %v", at)
	}
	events, index := snap.ScalingEvents(nil, "default", "web")
	if g := events["g"]; len(g) != 2 || g[0].Message != "1" || g[0].CreateIndex != index || index == 0 {
		t.Errorf("got %+v at %d", events, index)
	}
	if tag := snap.Version(nil, "default", "web", 0).VersionTag; tag == nil || tag.Name != "golden" {
		t.Errorf("got the tag %+v", tag)
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	s := open(t, "")
	fill(t, s)
	update(t, s, func(tx *Txn) { tx.StopJob("default", "web", true, 7) })
	snap := s.Snapshot()
	events, _ := snap.ScalingEvents(nil, "default", "web")
	if n := len(snap.Allocs(nil)) + len(snap.Deployments(nil)) + len(snap.Jobs(nil, "*", "")) + len(events) + specs(s); n != 0 {
		t.Errorf("%d things are left of a purged job", n)
	}
	if !snap.LastLaunch(nil, "default", "web").IsZero() || len(snap.Versions(nil, "default", "web")) != 0 {
		t.Error("the launch or a version of a purged job is left")
	}
	for _, eval := range snap.Evals(nil) {
		if eval.Status != api.EvalStatusComplete || eval.StatusDescription != "job web deleted" {
			t.Errorf("got the evaluation %+v", eval)
		}
	}
}

func TestSpecsGoWithTheirLastAllocation(t *testing.T) {
	s := open(t, "")
	fill(t, s)
	if n := specs(s); n != 2 {
		t.Fatalf("there are %d specs", n)
	}
	update(t, s, func(tx *Txn) { tx.Remove(Garbage{Allocs: []*api.Allocation{tx.Alloc(nil, "0")}}) })
	if n := specs(s); n != 1 || s.Snapshot().Alloc(nil, "1").Job == nil {
		t.Errorf("there are %d specs for one allocation", n)
	}
}
