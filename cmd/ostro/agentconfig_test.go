package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostro/orchestrator"
	"ostro/orchestrator/agentconfig"
	"ostro/orchestrator/consul"
)

// The consul block of a configuration leads to a Consul that speaks TLS and wants a token.
func TestConsulBlock(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Consul-Token") != "t0ken" {
			http.Error(w, "Permission denied", http.StatusForbidden)
			return
		}
		w.Write([]byte(`{"Config": {"Version": "1.15.2"}}`))
	}))
	t.Cleanup(server.Close)
	for name, tc := range map[string]struct{ block, err string }{
		"unverified": {block: `ssl = true
		verify_ssl = false`},
		"verified": {block: "ssl = true", err: "certificate"},
		"plain":    {block: "", err: "400"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "agent.hcl")
			text := "server {\n enabled = true\n}\nconsul {\n address = \"" + server.Listener.Addr().String() + "\"\n token = \"t0ken\"\n" + tc.block + "\n}\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			given, err := agentconfig.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			var conf orchestrator.Config
			if err := configure(&conf, given, true); err != nil {
				t.Fatal(err)
			}
			version, err := consul.New(consul.Config{Address: conf.Consul, Token: conf.ConsulToken, TLS: conf.ConsulTLS}).Version(t.Context())
			switch {
			case tc.err == "" && (err != nil || version != "1.15.2"):
				t.Errorf("%q, %v", version, err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("%q, %v; want an error with %q", version, err, tc.err)
			}
		})
	}
}

func TestQuietGit(t *testing.T) {
	t.Setenv("GIT_TERMINAL_PROMPT", "1") // is somebody's wish
	for _, name := range []string{"GIT_HTTP_LOW_SPEED_LIMIT", "GIT_HTTP_LOW_SPEED_TIME"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	if err := quietGit(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"GIT_TERMINAL_PROMPT": "1", "GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "120"} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}
