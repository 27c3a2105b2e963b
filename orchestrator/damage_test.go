package orchestrator_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// record keeps what is logged.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// TestDamagedStateIsTold holds that an agent starts on a state file that was cut,
// with all its jobs and their tasks as they ran, and says where the damaged file is.
func TestDamagedStateIsTold(t *testing.T) {
	log := &record{}
	agent := orchestratortest.Start(t, orchestrator.Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	register(t, agent, shellJob("service", "web", 2, "exec sleep 1000"))
	deployment(t, agent, "web", 0, "successful")
	before := running(t, agent, "web")
	if err := agent.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(agent.Dir, "server", "state.db")
	if err := os.Truncate(path, 10_000); err != nil {
		t.Fatal(err)
	}
	agent.Restart(t)
	deployment(t, agent, "web", 0, "successful")
	after := running(t, agent, "web")
	if len(before) != 2 || len(after) != 2 || before[0].ID != after[0].ID || before[1].ID != after[1].ID {
		t.Errorf("before %v, after %v", before, after)
	}
	if !strings.Contains(log.String(), "the state file was damaged") || !strings.Contains(log.String(), path+".damaged-1") {
		t.Errorf("the log says\n%s", log)
	}
	if _, err := os.Stat(path + ".damaged-1"); err != nil {
		t.Error(err)
	}
}

// TestDamagedKeysAreTold holds that the store is not opened with keys that are none.
func TestDamagedKeysAreTold(t *testing.T) {
	for _, text := range []string{"", "null", "{}", `{"Access":"OSTRO1"}`, `{"Access":`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "s3.keys"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := orchestrator.Start(t.Context(), orchestrator.Config{DataDir: dir, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			o.Stop(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "s3.keys are damaged") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
