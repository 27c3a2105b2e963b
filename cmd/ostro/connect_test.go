package main

import (
	"net/http"
	"net/http/httptest"
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
