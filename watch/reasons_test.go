package watch

import (
	"testing"

	"github.com/hashicorp/nomad/api"
)

// The exit code of a reason is that of the last end that nobody asked for.
func TestOwnEnds(t *testing.T) {
	ended := func(code string) *api.TaskEvent {
		return &api.TaskEvent{Type: api.TaskTerminated, Details: map[string]string{"exit_code": code}}
	}
	is := func(kind string) *api.TaskEvent { return &api.TaskEvent{Type: kind} }
	for name, c := range map[string]struct {
		events []*api.TaskEvent
		want   int
	}{
		"failed":                    {[]*api.TaskEvent{is(api.TaskStarted), ended("9")}, 9},
		"failed, then told to end":  {[]*api.TaskEvent{is(api.TaskStarted), ended("9"), is(api.TaskStarted), is(api.TaskKilling), ended("130")}, 9},
		"told to end amid a start":  {[]*api.TaskEvent{is(api.TaskStarted), ended("9"), is(api.TaskKilling), is(api.TaskStarted), ended("130")}, 9},
		"restarted, then failed":    {[]*api.TaskEvent{is(api.TaskStarted), is(api.TaskRestartSignal), ended("130"), is(api.TaskStarted), ended("7")}, 7},
		"ended, begun anew, failed": {[]*api.TaskEvent{is(api.TaskStarted), is(api.TaskKilling), ended("130"), is(api.TaskRestartSignal), is(api.TaskStarted), ended("7")}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			ends := ownEnds(&api.TaskState{Events: c.events})
			if len(ends) == 0 || exitCode(ends[len(ends)-1]) != c.want {
				t.Errorf("got %+v, want %d at last", ends, c.want)
			}
		})
	}
}
