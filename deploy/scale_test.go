package deploy_test

import (
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
)

func TestScaled(t *testing.T) {
	group := func(name string, count int) *api.TaskGroup { return &api.TaskGroup{Name: &name, Count: &count} }
	running := func(counts ...int) *api.Job {
		job := &api.Job{ID: new("web"), Status: new("running")}
		for i, count := range counts {
			job.TaskGroups = append(job.TaskGroups, group(string(rune('a'+i)), count))
		}
		return job
	}
	for _, tt := range []struct {
		name  string
		have  []int
		by    deploy.Scaling
		want  []int // nil for an error
		lines int
	}{
		{"out", []int{2, 3}, deploy.Scaling{Count: 1}, []int{3, 4}, 2},
		{"in, one group", []int{2, 3}, deploy.Scaling{In: true, Count: 2, Group: "b"}, []int{2, 1}, 1},
		{"half", []int{4}, deploy.Scaling{Percent: 50}, []int{6}, 1},
		{"to the nearest, up", []int{3}, deploy.Scaling{Percent: 50}, []int{5}, 1},
		{"to the nearest, down", []int{3}, deploy.Scaling{Percent: 10}, []int{3}, 0},
		{"in by percent", []int{100}, deploy.Scaling{In: true, Percent: 90}, []int{10}, 1},
		{"to nothing", []int{2}, deploy.Scaling{In: true, Percent: 100}, []int{0}, 1},
		{"below nothing", []int{2, 1}, deploy.Scaling{In: true, Count: 2}, nil, 0},
		{"no such group", []int{2}, deploy.Scaling{Count: 1, Group: "x"}, nil, 0},
	} {
		job := running(tt.have...)
		scaled, lines, err := tt.by.Scaled(job)
		if (err != nil) != (tt.want == nil) || len(lines) != tt.lines {
			t.Errorf("%s: error %v, lines %q", tt.name, err, lines)
			continue
		}
		for i, want := range tt.want {
			if got := *scaled.TaskGroups[i].Count; got != want {
				t.Errorf("%s: group %d has %d, want %d", tt.name, i, got, want)
			}
			if *job.TaskGroups[i].Count != tt.have[i] {
				t.Errorf("%s: the job itself was changed", tt.name)
			}
		}
	}
	stopped := running(1)
	stopped.Stop = new(true)
	if _, _, err := (deploy.Scaling{Count: 1}).Scaled(stopped); err == nil {
		t.Error("a stopped job was scaled")
	}
}
