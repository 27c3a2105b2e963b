package runner

import (
	"testing"
	"time"
)

func TestJudgeTasks(t *testing.T) {
	const minimal = 10 * time.Second
	for _, tc := range []struct {
		name, group string
		started     []int // seconds after noon, by task
		at          int   // seconds after noon
		want        verdict
		next        int // seconds after noon; -1 is never
	}{
		{"not started", "a:main:pending", []int{0}, 5, undecided, -1},
		{"just started", "a:main:running", []int{3}, 5, undecided, 13},
		{"has run long enough", "a:main:running", []int{3}, 13, healthy, -1},
		{"the youngest counts", "a:main:running b:main:running", []int{3, 8}, 13, undecided, 18},
		{"one is restarting", "a:main:running b:main:pending", []int{3, 8}, 100, undecided, -1},
		{"one has failed", "a:main:running b:main:failed", []int{3, 3}, 4, unhealthy, -1},
		{"one has ended", "a:main:running b:main:dead", []int{3, 3}, 4, unhealthy, -1},
		{"a prestart task ends", "p:pre:dead a:main:running", []int{1, 3}, 13, healthy, -1},
		{"a prestart task fails", "p:pre:failed a:main:pending", []int{1, 0}, 13, unhealthy, -1},
		{"a sidecar must run", "s:presidecar:dead a:main:running", []int{1, 3}, 4, unhealthy, -1},
		{"a poststart task ends", "a:main:running c:post:dead", []int{1, 12}, 13, healthy, -1},
		{"a poststart task runs", "a:main:running c:post:running", []int{1, 12}, 13, undecided, 22},
		{"a poststop task waits", "a:main:running z:stop:pending", []int{1, 0}, 13, healthy, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var group []taskHealth
			for i, m := range parseGroup(t, tc.group) {
				group = append(group, taskHealth{member: m, startedAt: noon.Add(time.Duration(tc.started[i]) * time.Second)})
			}
			got, next := judgeTasks(group, minimal, noon.Add(time.Duration(tc.at)*time.Second))
			if got != tc.want {
				t.Errorf("verdict %v, want %v", got, tc.want)
			}
			want := noon.Add(time.Duration(tc.next) * time.Second)
			if tc.next < 0 {
				want = time.Time{}
			}
			if !next.Equal(want) {
				t.Errorf("next look at %v, want %v", next, want)
			}
		})
	}
}

func TestWhyUnhealthy(t *testing.T) {
	p := healthPolicy{minHealthyTime: 10 * time.Second, healthyDeadline: 5 * time.Minute}
	for _, tc := range []struct{ member, want string }{
		{"a:main:failed", "Unhealthy because of failed task"},
		{"a:main:dead", "Unhealthy because of dead task"},
		{"a:main:pending", "Task not running by healthy_deadline of 5m0s"},
		{"a:main:running", "Task not running for min_healthy_time of 10s by healthy_deadline of 5m0s"},
		{"a:pre:dead", ""},
		{"a:presidecar:dead", "Unhealthy because of dead task"},
		{"a:stop:pending", ""},
	} {
		task := taskHealth{member: parseGroup(t, tc.member)[0]}
		if got := whyUnhealthy(task, p); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.member, got, tc.want)
		}
	}
}
