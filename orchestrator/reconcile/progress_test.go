package reconcile

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// TestHealthIsCountedOnce names allocations twice, and as healthy and unhealthy.
func TestHealthIsCountedOnce(t *testing.T) {
	id, name := "web", "g"
	job := &api.Job{ID: &id, Namespace: new("default"), Version: new(uint64(0)), Priority: new(50), Type: new("service"), JobModifyIndex: new(uint64(1)), TaskGroups: []*api.TaskGroup{{Name: &name}}}
	in := ProgressInput{
		Now: time.Unix(100, 0), NewID: func() string { return "eval" }, Job: job, SameSpec: func(_, _ *api.Job) bool { return true },
		Deployment: &api.Deployment{
			ID: "d", Status: api.DeploymentStatusRunning, TaskGroups: map[string]*api.DeploymentState{name: {DesiredTotal: 2, PlacedAllocs: 2}},
		},
	}
	for _, id := range []string{"one", "two"} {
		in.Allocs = append(in.Allocs, &api.Allocation{ID: id, TaskGroup: name, Job: job})
	}
	changes, err := SetHealth(in, []string{"one", "two", "one"}, []string{"two"})
	if err != nil {
		t.Fatal(err)
	}
	if state := changes.Deployment.TaskGroups[name]; state.HealthyAllocs != 1 || state.UnhealthyAllocs != 1 {
		t.Errorf("%d are healthy and %d unhealthy", state.HealthyAllocs, state.UnhealthyAllocs)
	}
	if len(changes.Update) != 2 {
		t.Fatalf("%d allocations change", len(changes.Update))
	}
	for _, a := range changes.Update {
		if got, want := *a.DeploymentStatus.Healthy, a.ID == "one"; got != want {
			t.Errorf("%s is healthy: %t", a.ID, got)
		}
	}
}
