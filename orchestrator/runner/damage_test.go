//go:build unix

package runner

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestDamagedStateOfAnAllocation holds that an agent that was killed, and finds
// what it knew of an allocation cut or changed, takes up the task that runs: no
// second one is started, and it can be stopped.
func TestDamagedStateOfAnAllocation(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"empty":   func([]byte) []byte { return nil },
		"cut":     func(text []byte) []byte { return text[:len(text)/2] },
		"changed": func(text []byte) []byte { text[0] ^= 0x20; return text },
	} {
		t.Run(name, func(t *testing.T) {
			a1 := allocation("a1", ticker("web"))
			dir := newAgentDir(t, a1)
			agent := startAgent(t, dir)
			agent.await("running", "a1", func(u Update) bool { return u.ClientStatus == "running" })
			log := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
			eventually(t, "logging", func() bool { return countLines(t, log) > 3 })
			before := sessions(t, dir)
			agent.kill9()

			path := statePath(dir, "a1")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "reports", "a1.json")); err != nil {
				t.Fatal(err)
			}
			agent = startAgent(t, dir)
			agent.await("running again", "a1", func(u Update) bool { return u.ClientStatus == "running" })
			lines := countLines(t, log)
			eventually(t, "logging again", func() bool { return countLines(t, log) > lines+3 })
			if now := sessions(t, dir); len(now) != 1 || !slices.Equal(now, before) {
				t.Errorf("processes %v, were %v", now, before)
			}
			if starts := countLines(t, filepath.Join(dir, "alloc/a1/starts")); starts != 1 {
				t.Errorf("%d starts", starts)
			}
			agent.kill9()
			want(t, dir, stopped(a1))
			agent = startAgent(t, dir)
			agent.await("complete", "a1", func(u Update) bool { return u.ClientStatus == "complete" })
			agent.kill9()
			cleanAgent(t, dir)
		})
	}
}
