package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ostro/orchestrator"
)

// TestDoctorClock has Nomad's clock an hour behind.
func TestDoctorClock(t *testing.T) {
	ostro, err := exec.LookPath("ostro")
	if err != nil {
		t.Fatal(err)
	}
	o, err := orchestrator.Start(t.Context(), orchestrator.Config{
		Listen: "127.0.0.1:0", DataDir: t.TempDir(), Supervisor: []string{ostro, "supervise"}, Version: Version(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Stop(t.Context())
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: o.Addr()}) },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			return nil
		},
	})
	defer server.Close()
	t.Setenv("HOME", t.TempDir())
	t.Chdir(t.TempDir())
	var out strings.Builder
	code := run([]string{"ostro", "doctor", "-address", server.URL}, nil, &out, &out)
	for _, want := range []string{"ok    Nomad: version ", "fail  clock: this machine's clock is 1h0m", "      set the clocks by NTP"} {
		if code != codeError || !strings.Contains(out.String(), want) {
			t.Errorf("exit code %d, and no %q in:\n%s", code, want, out.String())
		}
	}
}
