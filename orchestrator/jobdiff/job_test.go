package jobdiff_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/jobdiff"
)

// history.json is what a real Nomad answers about the versions of a job.
func TestHistoryIsNomads(t *testing.T) {
	var want struct {
		Versions []*api.Job
		Diffs    []*api.JobDiff
	}
	read(t, "testdata/history.json", &want)
	if len(want.Diffs) == 0 || len(want.Diffs) != len(want.Versions)-1 {
		t.Fatalf("%d versions and %d diffs", len(want.Versions), len(want.Diffs))
	}
	for i, diff := range want.Diffs {
		got, err := jobdiff.Jobs(want.Versions[i+1], want.Versions[i], true)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(diff, got); d != "" {
			t.Errorf("version %d against %d: (-nomad +ours)\n%s", *want.Versions[i].Version, *want.Versions[i+1].Version, d)
		}
	}
}

// anyOrder forgives what Nomad itself leaves to chance: the order of several
// blocks of one name.
var anyOrder = cmpopts.SortSlices(func(a, b *api.ObjectDiff) bool {
	return printed(a) < printed(b)
})

func printed(o *api.ObjectDiff) string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(text)
}

type plan struct {
	Name     string
	Old, New *api.Job
	Desired  map[string]*api.DesiredUpdates
	Diff     *api.JobDiff
}

func plans(t *testing.T) []plan {
	t.Helper()
	var all []plan
	read(t, "testdata/plans.json", &all)
	if len(all) == 0 {
		t.Fatal("no plans")
	}
	return all
}

func TestJobsOfDifferentNames(t *testing.T) {
	_, err := jobdiff.Jobs(&api.Job{ID: new("a")}, &api.Job{ID: new("b")}, true)
	if err == nil || err.Error() != `can not diff jobs with different IDs: "a" and "b"` {
		t.Errorf("got %v", err)
	}
}

func TestJobGoesAway(t *testing.T) {
	job := plans(t)[0].New
	d, err := jobdiff.Jobs(job, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if d.Type != jobdiff.Deleted || d.TaskGroups[0].Type != jobdiff.Deleted || d.TaskGroups[0].Tasks[0].Type != jobdiff.Deleted {
		t.Errorf("got %+v", d)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// plans.json are pairs of jobs, as a real Nomad stored them, with what it
// planned for the step from one to the other.
func TestPlansAreNomads(t *testing.T) {
	for _, plan := range plans(t) {
		t.Run(plan.Name, func(t *testing.T) {
			got, err := jobdiff.Jobs(plan.Old, plan.New, true)
			if err != nil {
				t.Fatal(err)
			}
			jobdiff.Annotate(got, plan.Desired)
			if d := cmp.Diff(plan.Diff, got, anyOrder); d != "" {
				t.Errorf("(-nomad +ours)\n%s", d)
			}
		})
	}
}
