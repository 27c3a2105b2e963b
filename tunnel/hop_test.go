package tunnel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// resolved is the last hop of the route to target under a configuration.
func resolved(t *testing.T, target, config string, env map[string]string) (hop, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r := resolver{config: Config{Target: target, Getenv: func(n string) string { return env[n] }}, home: dir, localUser: "local"}
	route, err := r.route(target, nil, 0)
	if err != nil {
		return hop{}, err
	}
	h := route[len(route)-1]
	for _, list := range []*[]string{&h.identityFiles, &h.defaultFiles, &h.certificateFiles, &h.knownHosts} {
		for i, p := range *list {
			(*list)[i] = strings.Replace(p, dir, "HOME", 1)
		}
	}
	h.agent = strings.Replace(h.agent, dir, "HOME", 1)
	return h, nil
}

func TestHop(t *testing.T) {
	for _, c := range []struct {
		name, target, config string
		got                  func(hop) []string
		want                 string
	}{
		{"defaults", "Web", "", func(h hop) []string { return append(h.defaultFiles, h.user, h.host, h.port) },
			"HOME/.ssh/id_ed25519 HOME/.ssh/id_ecdsa HOME/.ssh/id_rsa local web 22"},
		{"tokens", "joe@web:7", "HostName %h.example.com\nIdentityFile ~/%r/%n/%h/%p/%u/%%/%k\n", func(h hop) []string { return h.identityFiles },
			"HOME/joe/web/web.example.com/7/local/%/web"},
		{"no identity", "web", "IdentityFile none\n", func(h hop) []string { return append(h.identityFiles, h.defaultFiles...) }, ""},
		{"environment", "web", "CertificateFile ${KEYS}/c.pub\n", func(h hop) []string { return h.certificateFiles }, "/keys/c.pub"},
		{"known hosts", "web", "UserKnownHostsFile ~/a /b/%h\nGlobalKnownHostsFile /c\n", func(h hop) []string { return h.knownHosts }, "HOME/a /b/web /c"},
		{"no known hosts", "web", "UserKnownHostsFile none\n", func(h hop) []string { return h.knownHosts }, ""},
		{"agent", "web", "", func(h hop) []string { return []string{h.agent, h.agentFrom} }, "/agent SSH_AUTH_SOCK"},
		{"no agent", "web", "IdentityAgent none\n", func(h hop) []string { return []string{h.agent, h.agentFrom} }, " IdentityAgent is none"},
		{"agent by path", "web", "IdentityAgent ~/agent\n", func(h hop) []string { return []string{h.agent} }, "HOME/agent"},
		{"agent by variable", "web", "IdentityAgent $OTHER\n", func(h hop) []string { return []string{h.agent, h.agentFrom} }, "/other OTHER"},
		{"command line", "joe@web:7", "", func(h hop) []string { return []string{h.commandLine()} }, "-p 7 joe@web"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := resolved(t, c.target, c.config, map[string]string{"KEYS": "/keys", "SSH_AUTH_SOCK": "/agent", "OTHER": "/other"})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.got(h), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHopErrors(t *testing.T) {
	for config, want := range map[string]string{
		"IdentityFile %x\n":      "unknown token %x",
		"IdentityFile a%\n":      "ends in %",
		"IdentityFile ${NONE}\n": "the environment has no NONE",
		"Port 99999\n":           "Port 99999 is no number",
		"ProxyJump a b@\n":       "want [USER@]HOST[:PORT]",
	} {
		if _, err := resolved(t, "web", config, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", config, err, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"/home/x/.ssh/known_hosts": "/home/x/.ssh/known_hosts",
		"":                         "''",
		"[web]:22":                 "'[web]:22'",
		"it's":                     `'it'\''s'`,
		"$(reboot)":                "'$(reboot)'",
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestAlgorithmsPreferWhatIsKnown(t *testing.T) {
	const rsa = "web ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDDa1hU1xL7F1G8D6XhGkUUdKjbSdkbUj1tqXkzZ4Cz"
	known := &knownHosts{}
	known.parse("f", []byte(rsa+"\n"))
	if len(known.skipped) != 1 {
		t.Fatalf("a cut-off key was taken: %+v", known.lines)
	}
	plain := known.algorithms("web")
	if plain[0] != "ssh-ed25519" {
		t.Errorf("of an unknown host %s is asked for first, not what ssh shows", plain[0])
	}
	if slices.ContainsFunc(plain, func(a string) bool { return strings.Contains(a, "-cert-") }) {
		t.Errorf("certificates asked for without an authority: %v", plain)
	}
	if slices.Contains(plain, "ssh-rsa") || slices.Contains(plain, "ssh-dss") {
		t.Errorf("SHA-1 is asked for: %v", plain)
	}
}
