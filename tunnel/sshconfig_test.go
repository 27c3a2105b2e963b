package tunnel

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// askSSH is what the real ssh makes of a configuration: the oracle.
func askSSH(t interface{ Fatalf(string, ...any) }, file, host string) map[string][]string {
	out, err := exec.Command("ssh", "-G", "-F", file, host).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh -G: %v\n%s", err, out)
	}
	got := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		got[name] = append(got[name], value)
	}
	return got
}

func needSSH(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("no ssh: install openssh-client to compare with it")
	}
}

// compare resolves host in both and reports what differs.
func compare(t interface {
	Fatalf(string, ...any)
	Errorf(string, ...any)
}, dir, text, host string) {
	file := filepath.Join(dir, ".ssh", "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	want := askSSH(t, file, host)
	target, err := parseTarget(host)
	if err != nil {
		t.Fatalf("%v", err)
	}
	o, err := readSSHOptions(target, dir, "root", "")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	port := o.values["port"]
	if port == "" {
		port = "22"
	}
	got := map[string][]string{"user": {o.user()}, "hostname": {strings.ToLower(o.hostname())}, "port": {port}}
	for _, name := range []string{"proxyjump", "hostkeyalias", "userknownhostsfile", "identityagent"} {
		if v, ok := o.values[name]; ok {
			got[name] = []string{v}
		} else if name == "userknownhostsfile" {
			delete(want, name) // ssh prints its default
		}
	}
	for name, list := range o.lists {
		got[name] = slices.Compact(list)
	}
	if _, named := o.lists["identityfile"]; !named {
		delete(want, "identityfile")
	}
	names := []string{"user", "hostname", "port", "proxyjump", "hostkeyalias", "userknownhostsfile", "identityagent", "identityfile", "certificatefile"}
	for _, name := range names {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			t.Errorf("%s of %s (- ssh, + ours):\n%s\nin\n%s", name, host, diff, text)
		}
	}
}

func TestAgreesWithSSH(t *testing.T) {
	needSSH(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".ssh", "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"conf.d/a.conf": "Host included\n  Port 2201\n  User first\n",
		"conf.d/b.conf": "Host included\n  Port 2202\nHost *\n  HostKeyAlias everything\n",
		"plain":         "Port 2300\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, host, config string }{
		{"first value wins", "web", "Host web\n Port 1\nHost *\n Port 2\n User u\n"},
		{"global before hosts", "web", "Port 5\nHost web\n Port 6\n"},
		{"alias", "web", "Host web\n HostName web.example.com\n"},
		{"host token", "web", "Host web\n HostName %h.example.com\n"},
		{"several patterns", "web2", "Host db web? !web1\n Port 7\n"},
		{"negated pattern", "web1", "Host web? !web1\n Port 7\n"},
		{"only negated", "other", "Host !web\n Port 7\n"},
		{"equals and quotes", "web", "Host=web\n IdentityFile = \"/k/with space\"\n User=\"x\"\nPort\t=\t99\n"},
		{"trailing comment", "web", "Host web # ours\n Port 7 # seven\n"},
		{"case of keywords", "web", "hOST web\n PORT 8\n"},
		{"case of hosts", "WEB", "Host web\n Port 8\n"},
		{"lists add up", "web", "Host web\n IdentityFile /a\n IdentityFile /b\nHost *\n IdentityFile /c\n CertificateFile /d\n"},
		{"match host", "web", "Host web\n HostName a.example.com\nMatch host *.example.com\n Port 9\n"},
		{"match originalhost", "web", "Host web\n HostName a.example.com\nMatch originalhost web\n Port 9\n"},
		{"match user", "joe@web", "Match user joe,jim\n Port 9\n"},
		{"match user of the file", "web", "User jim\nMatch user joe,jim\n Port 9\n"},
		{"match two", "joe@web", "Match host web user jim\n Port 9\nMatch host web user joe\n Port 10\n"},
		{"match negated", "joe@web", "Match !user joe\n Port 9\nMatch !host db\n Port 10\n"},
		{"match all", "web", "Host db\n Port 1\nMatch all\n Port 2\n"},
		{"match localuser", "web", "Match localuser root\n Port 2\nMatch all\n Port 3\n"},
		{"jump", "web", "Host web\n ProxyJump a,b@c:7\n"},
		{"include", "included", "Include " + dir + "/.ssh/conf.d/*.conf\nHost *\n User last\n"},
		{"include in a block", "web", "Host web\n Include " + dir + "/.ssh/plain\nHost *\n Port 4\n"},
		{"include in another block", "db", "Host web\n Include " + dir + "/.ssh/plain\nHost *\n Port 4\n"},
		{"include within a foreign block", "included", "Host web\n Include " + dir + "/.ssh/conf.d/*.conf\nHost *\n Port 4\n"},
		{"several known_hosts", "web", "UserKnownHostsFile /a /b\n"},
		{"single quotes", "web", "IdentityFile '/k/with space'\n"},
		{"user with the target", "joe@web", "Host web\n User jim\n"},
	} {
		t.Run(c.name, func(t *testing.T) { compare(t, dir, c.config, c.host) })
	}
}

// Any file of these lines means the same to ssh and to us.
func TestAgreesWithSSHAlways(t *testing.T) {
	needSSH(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		"Host web", "Host *", "Host web db", "Host !web *", "Host w*b", "Host ?eb", "Host WEB", "Match host WEB",
		"Match host web", "Match user joe", "Match originalhost db", "Match all", "Match host *.example.com", "Match host web user joe", "Match !user joe",
		"Port 1001", "Port=1002", "User joe", "User jim", "HostName web.example.com", "HostName %h.example.com",
		"IdentityFile /a", "IdentityFile \"/b c\"", "ProxyJump jump", "HostKeyAlias alias", "# comment", "",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(lines), 1, 12).Draw(t, "lines"), "\n") + "\n"
		host := rapid.SampledFrom([]string{"web", "db", "joe@web", "other", "WEB"}).Draw(t, "host")
		compare(t, dir, text, host)
	})
}

func TestSSHConfigErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ config, want string }{
		{"Host web\n Port\n", "config:2: port has no value"},
		{"IdentityFile \"open\n", "config:1: a quote is not closed"},
		{"Match exec true\n", "config:1: match exec is not evaluated here"},
		{"\nMatch user\n", "config:2: match user has no value"},
		{"Include loop\n", "loop:1: more than 16 files"},
	} {
		for name, text := range map[string]string{"config": c.config, "loop": "Include loop\n"} {
			if err := os.WriteFile(filepath.Join(dir, ".ssh", name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := readSSHOptions(target{host: "web"}, dir, "root", "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("config %q: error %v, want %q", c.config, err, c.want)
		}
	}
	ruledOut := "Match user nobody exec false\n Port 9\n"
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(ruledOut), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSSHOptions(target{host: "web"}, dir, "root", ""); err != nil {
		t.Errorf("Match exec in a block that does not apply anyway: %v", err)
	}
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]target{
		"web":                   {host: "web"},
		"joe@web":               {user: "joe", host: "web"},
		"joe@web:2222":          {user: "joe", host: "web", port: "2222"},
		"a@b@web":               {user: "a@b", host: "web"},
		"::1":                   {host: "::1"},
		"[::1]":                 {host: "::1"},
		"joe@[fe80::1]:22":      {user: "joe", host: "fe80::1", port: "22"},
		"ssh://joe@web:2222/":   {user: "joe", host: "web", port: "2222"},
		"web.example.com:65535": {host: "web.example.com", port: "65535"},
	} {
		got, err := parseTarget(in)
		if err != nil || got != want {
			t.Errorf("parseTarget(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "joe@", "@web", "web:", "web:0", "web:65536", "web:ssh", "-oProxyCommand=x", "a b", "[::1", "[::1]x"} {
		if got, err := parseTarget(in); err == nil {
			t.Errorf("parseTarget(%q) = %+v, want an error", in, got)
		}
	}
}

func FuzzSSHConfig(f *testing.F) {
	f.Add("Host web\n Port 1\nMatch user a,b host *.x\n IdentityFile \"a b\" # c\nInclude x*\n", "web")
	f.Add("Host=*\n\tUser 'x y'\nProxyJump a,b\n", "joe@web:22")
	f.Fuzz(func(t *testing.T, config, host string) {
		target, err := parseTarget(host)
		if err != nil {
			return
		}
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := readSSHOptions(target, dir, "root", "")
		if err == nil && o.user() == "" {
			t.Errorf("no user for %q", host)
		}
	})
}
