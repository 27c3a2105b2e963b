package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAllowStale looks at what a command asks a server for.
func TestAllowStale(t *testing.T) {
	for _, test := range []struct {
		flags []string
		stale bool
	}{{nil, false}, {[]string{"-allow-stale"}, true}} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			if r.URL.Query().Has("stale") != test.stale {
				t.Errorf("with %v the query is %q", test.flags, r.URL.RawQuery)
			}
			http.Error(w, "job not found", http.StatusNotFound)
		}))
		t.Setenv("HOME", t.TempDir())
		t.Chdir(t.TempDir())
		var out strings.Builder
		args := append(append([]string{"ostro", "watch", "-address", server.URL}, test.flags...), "nosuch")
		if code := run(args, nil, &out, &out); code != codeError || asked == 0 {
			t.Errorf("exit code %d after %d requests: %s", code, asked, out.String())
		}
		server.Close()
	}
}

// TestTokenStaysAtHome deploys to an environment that another one vouches for: what
// NOMAD_* says of the one is not told the other.
func TestTokenStaysAtHome(t *testing.T) {
	asked := 0
	staging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if token, namespace := r.Header.Get("X-Nomad-Token"), r.URL.Query().Get("namespace"); token != "" || namespace == "shop" {
			t.Errorf("staging is asked with the token %q about the namespace %q", token, namespace)
		}
		http.Error(w, "job not found", http.StatusNotFound)
	}))
	defer staging.Close()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("NOMAD_TOKEN", "of-production")
	t.Setenv("NOMAD_NAMESPACE", "shop")
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"ostro.hcl": "job \"web\" {\n  template = \"web.nomad\"\n}\nenvironment \"staging\" {\n  address = \"" + staging.URL + "\"\n}\n" +
			"environment \"production\" {\n  protected = true\n  requires  = \"staging\"\n}\n",
		"web.nomad": "job \"web\" {\n  meta {\n    git_sha = \"aaa1111\"\n  }\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n" +
			"      config {\n        command = \"true\"\n      }\n    }\n  }\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	code := run([]string{"ostro", "deploy", "-env", "production", "-commit", "aaa1111", "."}, nil, &out, &out)
	if code != codeError || asked == 0 || !strings.Contains(out.String(), `no stable version with commit aaa1111 in environment "staging"`) {
		t.Errorf("exit code %d after %d requests: %s", code, asked, out.String())
	}
}
