package tunnel

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"pgregory.net/rapid"
)

// Any file of these lines has the same lines for a host as ssh-keygen finds.
func TestLookupAgreesWithSSHKeygen(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("no ssh-keygen: install openssh-client to compare with it")
	}
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	hosts := []string{
		"web", "*", "[web]:2222", "[*]:2222", "[web]:*", "w?b", "w?b,!web", "!web", "web,db", "WEB", "10.0.0.1", "10.*,[::1]:2222", "*.example.com",
		"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=", // 192.168.1.61
		"|1|bad", "@cert-authority *", "@cert-authority web",
	}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		for _, h := range rapid.SliceOfN(rapid.SampledFrom(hosts), 1, 8).Draw(t, "hosts") {
			lines = append(lines, h+" "+text)
		}
		name := rapid.SampledFrom([]string{"web", "db", "[web]:2222", "[db]:2222", "10.0.0.1", "a.example.com", "[::1]:2222", "192.168.1.61"}).Draw(t, "name")
		file := filepath.Join(dir, "known_hosts")
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("ssh-keygen", "-F", name, "-f", file).Output() // status 1: nothing found
		known, err := readKnownHosts([]string{file})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range known.matching(name) {
			got = append(got, fmt.Sprintf("found: line %d", l.line))
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "# Host ") {
				_, rest, _ := strings.Cut(strings.TrimSpace(line), " found: ")
				want = append(want, "found: "+strings.TrimSuffix(strings.TrimSuffix(rest, " CA"), " "))
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%s in\n%s\nis %q, ssh-keygen says %q", name, strings.Join(lines, "\n"), got, want)
		}
	})
}
