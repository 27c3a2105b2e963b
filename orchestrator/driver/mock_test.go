package driver

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMock(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config map[string]any
		ran    time.Duration
		exit   Exit
	}{
		{"ends at once", nil, 0, Exit{}},
		{"runs for a while", map[string]any{"run_for": "10s", "exit_code": 3}, 10 * time.Second, Exit{Code: 3}},
		{"by a signal", map[string]any{"run_for": "1s", "exit_code": 137, "exit_signal": 9}, time.Second, Exit{Code: 137, Signal: 9}},
		{"with a message", map[string]any{"run_for": "1s", "exit_err_msg": "oops"}, time.Second, Exit{Message: "oops"}},
		{"starts slowly", map[string]any{"start_block_for": "2s", "run_for": "1s"}, 3 * time.Second, Exit{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, begin := NewMock(), time.Now()
				if err := m.Start(t.Context(), Task{ID: "a", Config: tc.config}); err != nil {
					t.Fatal(err)
				}
				exit, err := m.Wait(t.Context(), "a")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.exit, exit, cmpopts.IgnoreFields(Exit{}, "At")); diff != "" {
					t.Error(diff)
				}
				if ran := time.Since(begin); ran != tc.ran {
					t.Errorf("it took %v, want %v", ran, tc.ran)
				}
			})
		})
	}
}

func TestMockStop(t *testing.T) {
	for _, tc := range []struct {
		killAfter    string
		timeout, ran time.Duration
		signal       int
	}{
		{"0s", 5 * time.Second, 0, 2},
		{"3s", 5 * time.Second, 3 * time.Second, 2},
		{"8s", 5 * time.Second, 8 * time.Second, 9},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, begin := NewMock(), time.Now()
			if err := m.Start(t.Context(), Task{ID: "a", Config: map[string]any{"run_for": "1h", "kill_after": tc.killAfter}}); err != nil {
				t.Fatal(err)
			}
			if err := m.Stop(t.Context(), "a", "", tc.timeout); err != nil {
				t.Fatal(err)
			}
			exit, err := m.Wait(t.Context(), "a")
			if err != nil || exit.Signal != tc.signal || exit.Code != 128+tc.signal || time.Since(begin) != tc.ran {
				t.Errorf("kill_after %s: %+v after %v, %v", tc.killAfter, exit, time.Since(begin), err)
			}
		})
	}
}

func TestMockErrors(t *testing.T) {
	m := NewMock()
	err := m.Start(t.Context(), Task{ID: "a", Config: map[string]any{"start_error": "no"}})
	if err == nil || err.Error() != "no" || IsRecoverable(err) {
		t.Errorf("error %v", err)
	}
	err = m.Start(t.Context(), Task{ID: "a", Config: map[string]any{"start_error": "no", "start_error_recoverable": true}})
	if err == nil || err.Error() != "no" || !IsRecoverable(err) {
		t.Errorf("error %v", err)
	}
	for key, value := range map[string]any{"run_for": "soon", "exit_code": "x", "nonsense": 1, "stdout_nonsense": 1, "run": []any{}} {
		if err := m.Start(t.Context(), Task{ID: "a", Config: map[string]any{key: value}}); err == nil {
			t.Errorf("%s = %v is accepted", key, value)
		}
	}
	if _, err := m.Wait(t.Context(), "a"); !errors.Is(err, ErrUnknownTask) {
		t.Errorf("error %v", err)
	}
	if err := m.Start(t.Context(), Task{ID: "b", Config: map[string]any{"run_for": "1h", "signal_error": "deaf"}}); err != nil {
		t.Fatal(err)
	}
	if err := m.Signal(t.Context(), "b", "SIGHUP"); err == nil || err.Error() != "deaf" {
		t.Errorf("error %v", err)
	}
	if err := m.Stop(t.Context(), "b", "", 0); err != nil {
		t.Error(err)
	}
}

func TestMockOutput(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := NewMock()
		err := m.Start(t.Context(), Task{ID: "a", Logs: Logs{Dir: dir, Name: "web"}, Config: map[string]any{
			"run_for": "1m", "stdout_string": "tick\n", "stdout_repeat": 2, "stdout_repeat_duration": "1s", "stderr_string": "oops\n",
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Wait(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	})
	for name, want := range map[string]string{"web.stdout.0": "tick\ntick\ntick\n", "web.stderr.0": "oops\n"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}
