package render_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/zclconf/go-cty/cty"

	"ostro/render"
)

// normalised is the form in which HCL keeps a string.
func normalised(s string) string { return cty.StringVal(s).AsString() }

// text renders a template that must not fail.
func text(t *testing.T, in string, vars render.Variables, opts render.Options) string {
	t.Helper()
	doc, err := render.Text(t.Context(), "job.nomad", in, vars, opts)
	if err != nil {
		t.Fatal(describe(err))
	}
	return string(doc.Text)
}

func TestTimes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"[[ timeNow ]]", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$`},
		{"[[ timeNowUTC ]]", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`},
		{`[[ timeNowTimezone "UTC" ]]`, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`},
		{`[[ timeNowTimezone "" ]]`, `^$`},
		{`[[ now | date "2006" ]]`, `^\d{4}$`},
		{`[[ uuidv4 ]]`, `^[0-9a-f-]{36}$`},
		{`[[ randAlphaNum 5 ]][[ randNumeric 3 ]]`, `^\w{5}\d{3}$`},
		{`[[ randBytes 3 ]]`, `^.{4}$`},
		{`[[ randAlpha 2 ]][[ len (randAscii 2) ]]`, `^[A-Za-z]{2}2$`},
	}
	for _, tt := range tests {
		if got := text(t, tt.in, nil, render.Options{}); !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("%s: %q", tt.in, got)
		}
	}
}

func TestTimeOfOtherZone(t *testing.T) {
	if _, err := time.LoadLocation("Asia/Seoul"); err != nil {
		t.Skip("this machine has no time zone database")
	}
	if got := text(t, `[[ timeNowTimezone "Asia/Seoul" ]]`, nil, render.Options{}); !strings.HasSuffix(got, "+09:00") {
		t.Errorf("got %s", got)
	}
}

func TestOptions(t *testing.T) {
	opts := render.Options{
		Functions: template.FuncMap{
			"artifactURL": func(name string) string { return "s3::" + name },
			"toUpper":     func(string) string { return "the caller's" },
		},
		Getenv: func(name string) string { return "<" + name + ">" },
	}
	got := text(t, `[[ artifactURL "app" ]] [[ toUpper "x" ]] [[ env "A" ]] [[ levantEnv "B" ]] [[ expandenv "$C" ]]`, nil, opts)
	if want := "s3::app the caller's <A> <B> <C>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInputs(t *testing.T) {
	opts := render.Options{
		Getenv:        func(name string) string { return map[string]string{"DB_PASSWORD": "hunter2"}[name] },
		ConsulAddress: consulServer(t, map[string]string{"db/password": "hunter3"}),
	}
	doc, err := render.Text(t.Context(), "x", `[[ env "DB_PASSWORD" ]][[ consulKey "db/password" ]][[ consulKeyOrDefault "no" "x" ]]`, nil, opts)
	if err != nil {
		t.Fatal(describe(err))
	}
	if got := fmt.Sprint(doc.Inputs); got != "map[DB_PASSWORD:hunter2 db/password:hunter3]" {
		t.Errorf("got %s", got)
	}
}

// A template changes its own copy of the variables.
func TestVariablesStayAsTheyAre(t *testing.T) {
	vars := render.Variables{"m": map[string]any{"a": 1}, "list": []any{map[string]any{"b": 1}}}
	text(t, `[[ $_ := set .m "a" 2 ]][[ $_ := set . "new" 1 ]][[ range .list ]][[ $_ := set . "b" 2 ]][[ end ]]`, vars, render.Options{})
	if got := fmt.Sprint(vars); got != "map[list:[map[b:1]] m:map[a:1]]" {
		t.Errorf("got %s", got)
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/job.nomad":     `<[[ include "parts/one.hcl" ]]|[[ include "parts/two.hcl" .db ]]|[[ include "parts/two.hcl" (dict "host" "d") | toUpper ]]>`,
		"a/parts/one.hcl": `one [[ .name ]] [[ include "../other.hcl" ]] [[ fileContents "text" ]]`,
		"a/parts/two.hcl": `two [[ .host ]]`,
		"a/parts/text":    "beside",
		"a/other.hcl":     `other [[ $.name ]]`,
		"text":            "in the working directory",
		"b/job.nomad":     `[[ fileContents "text" ]] [[ fileContents .abs ]]`,
		"c/job.nomad":     `[[ range $i := loop 3 ]][[ include "again.hcl" ]][[ end ]]`,
		"c/again.hcl":     `x`,
		"d/job.nomad":     `[[ include "parts/x.hcl" ]]`,
		"d/parts/x.hcl":   `[[ fileContents "top" ]]`,
		"d/top":           "beside the template",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	vars := render.Variables{"name": "web", "db": map[string]any{"host": "h"}, "abs": filepath.Join(dir, "text")}
	for file, want := range map[string]string{
		"a/job.nomad": "<one web other web beside|two h|TWO D>",
		"b/job.nomad": "in the working directory in the working directory",
		"c/job.nomad": "xxx",
		"d/job.nomad": "beside the template",
	} {
		doc, err := render.File(t.Context(), file, vars, render.Options{})
		if err != nil {
			t.Fatal(describe(err))
		}
		if string(doc.Text) != want {
			t.Errorf("%s: got %q, want %q", file, doc.Text, want)
		}
	}
}

func TestConsulDown(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	opts := render.Options{ConsulAddress: address}

	doc, err := render.Text(t.Context(), "job.nomad", `[[ consulKeyOrDefault "a" "d" ]]`, nil, opts)
	if err != nil {
		t.Fatal(describe(err))
	}
	if string(doc.Text) != "d" {
		t.Errorf("got %q", doc.Text)
	}
	if len(doc.Warnings) != 1 || !strings.HasPrefix(doc.Warnings[0].Summary, `the default is used for Consul's key "a"`) {
		t.Errorf("got %s", describeAll(doc.Warnings))
	}

	for _, in := range []string{`[[ consulKey "a" ]]`, `[[ consulKeyExists "a" ]]`} {
		_, err = render.Text(t.Context(), "job.nomad", in, nil, opts)
		if err == nil || !strings.Contains(describe(err), "job.nomad:1:4: consulKey") || !strings.Contains(describe(err), "hint: set -consul-address") {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

func TestConsulRequests(t *testing.T) {
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		requests = append(requests, fmt.Sprintf("%s %s token=%s auth=%s:%s", r.Method, r.URL, r.Header.Get("X-Consul-Token"), user, password))
		if strings.Contains(r.URL.Path, "forbidden") {
			http.Error(w, "Permission denied", http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `[{"Value":"dg=="}]`)
	}))
	t.Cleanup(server.Close)
	env := map[string]string{
		"CONSUL_HTTP_ADDR": server.URL, "CONSUL_HTTP_TOKEN": "t", "CONSUL_HTTP_AUTH": "u:p", "CONSUL_NAMESPACE": "n",
	}
	opts := render.Options{Getenv: func(name string) string { return env[name] }}

	got := text(t, `[[ consulKey "a/b c" ]][[ consulKey "a/b c" ]][[ consulKeyExists "a/b c" ]]`, nil, opts)
	if got != "vvtrue" {
		t.Errorf("got %q", got)
	}
	if want := "GET /v1/kv/a/b%20c?ns=n token=t auth=u:p"; len(requests) != 1 || requests[0] != want {
		t.Errorf("got %q, want one %q", requests, want)
	}
	_, err := render.Text(t.Context(), "job.nomad", `[[ consulKey "forbidden" ]]`, nil, opts)
	if err == nil || !strings.Contains(describe(err), "403 Forbidden: Permission denied") {
		t.Errorf("got %v", err)
	}
}

func TestConsulOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `[{"Value":"dg=="}]`) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	certificate := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(certificate, block, 0o644); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(server.URL, "https://")
	tests := []struct {
		name  string
		env   map[string]string
		fails string
	}{
		{"trusted", map[string]string{"CONSUL_HTTP_ADDR": server.URL, "CONSUL_CACERT": certificate}, ""},
		{"by its own variable", map[string]string{"CONSUL_HTTP_ADDR": host, "CONSUL_HTTP_SSL": "true", "CONSUL_HTTP_SSL_VERIFY": "false"}, ""},
		{"unknown", map[string]string{"CONSUL_HTTP_ADDR": server.URL}, "certificate"},
		{"no certificate", map[string]string{"CONSUL_HTTP_ADDR": server.URL, "CONSUL_CACERT": "/dev/null"}, "CONSUL_CACERT: no certificate"},
		{"no token", map[string]string{"CONSUL_HTTP_ADDR": server.URL, "CONSUL_HTTP_TOKEN_FILE": "no/such"}, "CONSUL_HTTP_TOKEN_FILE: open no/such"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := render.Options{Getenv: func(name string) string { return tt.env[name] }}
			doc, err := render.Text(t.Context(), "x", `[[ consulKey "a" ]]`, nil, opts)
			switch {
			case tt.fails == "" && err != nil:
				t.Fatal(describe(err))
			case tt.fails == "" && string(doc.Text) != "v":
				t.Errorf("got %q", doc.Text)
			case tt.fails != "" && (err == nil || !strings.Contains(describe(err), tt.fails)):
				t.Errorf("got %v, want %s", err, tt.fails)
			}
		})
	}
}

func TestConsulOverASocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "consul.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Skipf("there are no sockets here: %v", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `[{"Value":"dg=="}]`) })}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	if got := text(t, `[[ consulKey "a" ]]`, nil, render.Options{ConsulAddress: "unix://" + socket}); got != "v" {
		t.Errorf("got %q", got)
	}
}

func TestConsulIsLeftAloneUnlessAsked(t *testing.T) {
	opts := render.Options{Getenv: func(name string) string {
		if strings.HasPrefix(name, "CONSUL") {
			t.Errorf("%s was asked for", name)
		}
		return ""
	}}
	text(t, `[[ env "HOME" ]][[ if false ]][[ consulKey "a" ]][[ end ]]`, nil, opts)
}

func TestCancellation(t *testing.T) {
	endless := []string{
		`[[ range loop 9223372036854775807 ]][[ end ]]`,
		`[[ range $i := loop 9223372036854775807 ]][[ $i | toString | trunc 0 ]][[ end ]]`,
		`[[ range loop 1000000000 ]][[ range loop 1000000000 ]][[ end ]][[ end ]]`,
		`[[ range 1000000000 ]][[ if false ]][[ end ]][[ end ]]`,
	}
	for _, in := range endless {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		start := time.Now()
		_, err := render.Text(ctx, "job.nomad", in, nil, render.Options{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", in, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: ended only after %s", in, took)
		}
		cancel()
	}
}

func TestLoopOfAMillion(t *testing.T) {
	before := runtime.NumGoroutine()
	got := text(t, `[[ range $i := loop 1000000 ]][[ if eq $i 999999 ]][[ $i ]][[ end ]][[ end ]]`, nil, render.Options{})
	if got != "999999" {
		t.Errorf("got %q", got)
	}
	text(t, `[[ range loop 1000000 ]][[ break ]][[ end ]]`, nil, render.Options{})
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for _, in := range []string{
		`[[ range loop 1000 ]][[ $.large ]][[ end ]]`,
		`[[ range loop 1000 ]]` + large + `[[ end ]]`,
		`[[ $s := .large ]][[ range loop 100 ]][[ $s = print $s $s ]][[ end ]]`,
		`[[ repeat 1000 .large ]]`,
		`[[ replace "x" .large .large ]]`,
		`[[ indent 1000000000 "x" ]]`,
		`[[ join .large (until 1000) ]]`,
		`[[ randAlphaNum 1000000000 ]]`,
	} {
		_, err := render.Text(t.Context(), "job.nomad", in, render.Variables{"large": large}, render.Options{})
		if err == nil || !strings.Contains(describe(err), "job.nomad:1:") || !strings.Contains(describe(err), "more than 64 MiB") {
			t.Errorf("%.60s: got %.200v", in, err)
		}
	}
}

func TestValuesCannotHoldThemselves(t *testing.T) {
	got := text(t, `[[ $m := dict "a" 1 ]][[ $_ := set $m "m" $m ]][[ $m ]] [[ $n := dict ]][[ merge $n (dict "n" $n) ]]`, nil, render.Options{})
	if want := "map[a:1 m:map[a:1]] map[n:map[]]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("[[ if true ]]", 100_000),
		strings.Repeat("[[- range loop 1 ]]", 100_000),
		"[[ " + strings.Repeat("(", 100_000) + " ]]",
		"[[ if 1 ]]" + strings.Repeat("[[ else if 1 ]]", 100_000) + "[[ end ]]",
	} {
		if _, err := render.Text(t.Context(), "job.nomad", in, nil, render.Options{}); err == nil {
			t.Errorf("%.40s... renders", in)
		}
	}
}

func TestTemplateThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "missing.nomad"), dir} {
		_, err := render.File(t.Context(), path, nil, render.Options{})
		if err == nil || !strings.Contains(describe(err), path+":1:1: the template cannot be read: ") {
			t.Errorf("got %v", err)
		}
	}
}

func TestSprigVersion(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, "[[ sprigVersion ]]", nil, render.Options{}); !strings.Contains(string(mod), "github.com/Masterminds/sprig/v3 v"+got) {
		t.Errorf("go.mod has another sprig than %s", got)
	}
}
