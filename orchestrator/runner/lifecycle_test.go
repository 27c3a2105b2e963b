package runner

import (
	"slices"
	"strings"
	"testing"
)

// parseGroup reads members written as "name:hook:state", hook being one of main, leader, pre, presidecar, post,
// postsidecar, stop, and state one of pending, running, dead, failed.
func parseGroup(t *testing.T, text string) (group []member) {
	t.Helper()
	hooks := map[string]member{
		"main": {}, "leader": {leader: true},
		"pre": {hook: "prestart"}, "presidecar": {hook: "prestart", sidecar: true},
		"post": {hook: "poststart"}, "postsidecar": {hook: "poststart", sidecar: true},
		"stop": {hook: "poststop"},
	}
	for _, word := range strings.Fields(text) {
		parts := strings.Split(word, ":")
		m, ok := hooks[parts[1]]
		if !ok || len(parts) != 3 {
			t.Fatalf("not a member: %s", word)
		}
		m.name, m.state, m.failed = parts[0], parts[2], parts[2] == "failed"
		if m.failed {
			m.state = stateDead
		}
		group = append(group, m)
	}
	return group
}

func TestLifecycle(t *testing.T) {
	for _, tc := range []struct {
		group  string
		ending bool
		start  string
		end    killReason
		who    string
		status string
	}{
		{group: "a:main:pending", start: "a", status: "pending"},
		{group: "a:main:running b:main:pending", start: "a b", status: "running"},
		{group: "p:pre:pending a:main:pending z:stop:pending", start: "p", status: "pending"},
		{group: "p:pre:running a:main:pending", start: "p", status: "running"},
		{group: "p:pre:dead a:main:pending", start: "p a", status: "pending"},
		{group: "p:pre:dead a:main:running", start: "p a", status: "running"},
		{group: "p:pre:failed a:main:pending", start: "p", end: siblingFailed, who: "p", status: "pending"},
		{group: "s:presidecar:pending a:main:pending", start: "s", status: "pending"},
		{group: "s:presidecar:running a:main:pending", start: "s a", status: "running"},
		{group: "s:presidecar:running a:main:dead", start: "s a", end: mainsDead, status: "running"},
		{group: "s:presidecar:dead a:main:dead", start: "s", status: "complete"},
		{group: "a:main:running c:post:pending", start: "a c", status: "running"},
		{group: "a:main:pending c:post:pending", start: "a", status: "pending"},
		{group: "a:main:running c:postsidecar:running", start: "a c", status: "running"},
		{group: "a:main:dead c:postsidecar:running", start: "a c", end: mainsDead, status: "running"},
		{group: "l:leader:dead b:main:running", start: "l b", end: leaderDead, who: "l", status: "running"},
		{group: "l:leader:failed b:main:running", start: "l b", end: siblingFailed, who: "l", status: "running"},
		{group: "l:leader:dead b:main:failed c:main:running", start: "l b c", end: leaderDead, who: "l", status: "running"},
		{group: "a:main:failed b:main:dead z:stop:pending", start: "a b z", status: "failed"},
		{group: "a:main:dead z:stop:pending", start: "a z", status: "pending"},
		{group: "a:main:dead z:stop:running", start: "a z", status: "running"},
		{group: "a:main:dead z:stop:dead", start: "a z", status: "complete"},
		{group: "a:main:dead z:stop:dead", ending: true, start: "z", status: "complete"},
		{group: "a:main:running b:main:pending", ending: true, status: "running"},
	} {
		t.Run(tc.group, func(t *testing.T) {
			group := parseGroup(t, tc.group)
			if got := mayStart(group, tc.ending); !slices.Equal(got, strings.Fields(tc.start)) {
				t.Errorf("may start: %v, want %s", got, tc.start)
			}
			if end, who := mustEnd(group); end != tc.end || who != tc.who {
				t.Errorf("must end: %v because of %q, want %v because of %q", end, who, tc.end, tc.who)
			}
			if status, _ := clientStatus(group); status != tc.status {
				t.Errorf("status %s, want %s", status, tc.status)
			}
		})
	}
}
