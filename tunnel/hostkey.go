package tunnel

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// trust decides whether a host key is the right one. There is no way to turn
// it off.
type trust struct {
	hop      hop
	name     string // as known_hosts has it
	known    *knownHosts
	expected *expectedKey // in the place of known
	// algorithms are the host key algorithms to ask for, one list per
	// connection to try.
	algorithms [][]string
	shown      []string // keys that were not the expected one
}

// newTrust reads the known_hosts files of h, or takes hostKey in their place.
func newTrust(h hop, hostKey string) (*trust, error) {
	t := &trust{hop: h, name: knownName(h.host, h.port)}
	if h.hostKeyAlias != "" {
		t.name = strings.ToLower(h.hostKeyAlias)
	}
	var err error
	if hostKey != "" {
		if t.expected, err = parseExpectedKey(hostKey); err != nil {
			return nil, err
		}
		t.algorithms = t.expected.algorithms()
		return t, nil
	}
	if t.known, err = readKnownHosts(h.knownHosts); err != nil {
		return nil, err
	}
	t.algorithms = [][]string{t.known.algorithms(t.name)}
	return t, nil
}

// check is the verdict on a key that the server proved to own.
func (t *trust) check(key ssh.PublicKey) error {
	if t.expected != nil {
		if t.expected.matches(t.hop.addr(), key) {
			return nil
		}
		return t.unexpected(key)
	}
	if line, ok := t.known.revoked(key); ok {
		return t.refuse(fmt.Errorf("the host key of %s is revoked by %s", t.hop, line), "do not connect: ask whoever runs that host for its new key")
	}
	lines, exact := t.known.about(t.name)
	if cert, ok := key.(*ssh.Certificate); ok {
		for _, l := range lines {
			if l.marker == "cert-authority" && sameKey(l.key, cert.SignatureKey) {
				return t.certificate(cert, l)
			}
		}
		key = cert.Key // of somebody else's authority: it counts as its key, as in ssh
	}
	lines = slices.DeleteFunc(lines, func(l knownLine) bool { return l.marker != "" })
	if slices.ContainsFunc(lines, func(l knownLine) bool { return sameKey(l.key, key) }) {
		return nil
	}
	if len(lines) > 0 && exact {
		return t.changed(key, lines[0])
	}
	return t.unknown(key)
}

// certificate checks what a trusted authority signed: kind, host name, time.
func (t *trust) certificate(cert *ssh.Certificate, authority knownLine) error {
	host := t.hop.host
	if t.hop.hostKeyAlias != "" {
		host = t.hop.hostKeyAlias
	}
	if err := checkHostCertificate(cert, host, authority.key); err != nil {
		return t.refuse(fmt.Errorf("the host certificate of %s is refused: %w", t.hop, err), fmt.Sprintf("its authority, %s, must sign a new one for %q", authority, host))
	}
	return nil
}

func checkHostCertificate(cert *ssh.Certificate, host string, authority ssh.PublicKey) error {
	checker := ssh.CertChecker{IsHostAuthority: func(key ssh.PublicKey, _ string) bool { return sameKey(key, authority) }}
	return checker.CheckHostKey(net.JoinHostPort(host, "22"), &net.TCPAddr{}, cert)
}

func (t *trust) refuse(err error, hint string) error {
	return &Error{Err: err, Hint: hint, Final: true}
}

// file is where the user keeps known hosts.
func (t *trust) file() string {
	if len(t.hop.knownHosts) == 0 {
		return filepath.Join(t.hop.home, ".ssh", "known_hosts")
	}
	return t.hop.knownHosts[0]
}

func (t *trust) unknown(key ssh.PublicKey) error {
	skipped := ""
	if len(t.known.skipped) > 0 {
		skipped = "; skipped " + strings.Join(t.known.skipped, ", ") + ", which cannot be read"
	}
	folder := ""
	if dir := filepath.Dir(t.file()); !exists(dir) {
		folder = "mkdir -p -m 700 " + quote(dir) + " && "
	}
	line := t.name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return t.refuse(
		fmt.Errorf("the host key of %s is unknown: %s %s%s", t.hop, key.Type(), ssh.FingerprintSHA256(key), skipped),
		fmt.Sprintf("compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub there), then accept it: %secho %s >> %s",
			folder, quote(line), quote(t.file())))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (t *trust) changed(key ssh.PublicKey, known knownLine) error {
	return t.refuse(
		fmt.Errorf("the host key of %s has changed: it shows %s %s, but %s has %s %s", t.hop, key.Type(), ssh.FingerprintSHA256(key),
			known, known.key.Type(), ssh.FingerprintSHA256(known.key)),
		fmt.Sprintf("somebody may be listening in; if the host was set up anew, forget its old key and connect again: ssh-keygen -f %s -R %s",
			quote(known.file), quote(t.name)))
}

func (t *trust) unexpected(key ssh.PublicKey) error {
	t.shown = append(t.shown, key.Type()+" "+ssh.FingerprintSHA256(key))
	return t.refuse(
		&unexpectedKeyError{fmt.Sprintf("the host key of %s is not the expected %s: it shows %s", t.hop, t.expected, strings.Join(t.shown, ", "))},
		"somebody may be listening in; if the host was set up anew, pass its new key as -ssh-host-key")
}

// unexpectedKeyError is a key other than the one expected: with a fingerprint
// only, the server may have a key of another type that is.
type unexpectedKeyError struct{ text string }

func (e *unexpectedKeyError) Error() string { return e.text }

// tryNext reports whether another host key algorithm may bring the expected key.
func (t *trust) tryNext(err error) bool {
	_, other := errors.AsType[*unexpectedKeyError](err)
	_, none := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	return len(t.algorithms) > 1 && (other || none)
}

// quote makes s one word of a shell command line.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+=:@", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// expectedKey is Config.HostKey taken apart: a fingerprint, a key, or an authority.
type expectedKey struct {
	fingerprint string
	key         ssh.PublicKey
	authority   bool
}

func parseExpectedKey(s string) (*expectedKey, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "SHA256:") && !strings.ContainsAny(s, " \t") {
		return &expectedKey{fingerprint: strings.TrimRight(s, "=")}, nil
	}
	if marker, _, key, _, _, err := ssh.ParseKnownHosts([]byte(s)); err == nil && marker != "revoked" {
		return &expectedKey{key: key, authority: marker == "cert-authority"}, nil
	}
	if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s)); err == nil {
		return &expectedKey{key: key}, nil
	}
	return nil, &Error{
		Err:   fmt.Errorf("the expected host key %q is neither a fingerprint nor a key", s),
		Hint:  "want SHA256:..., or a line of known_hosts, or TYPE BASE64; ssh-keyscan HOST prints such lines",
		Final: true,
	}
}

func (e *expectedKey) String() string {
	if e.key == nil {
		return e.fingerprint
	}
	return e.key.Type() + " " + ssh.FingerprintSHA256(e.key)
}

// algorithms lists what to ask the server for. A fingerprint does not tell the
// type of the key, so each type has a connection of its own.
func (e *expectedKey) algorithms() [][]string {
	rsa := []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	switch {
	case e.authority:
		return [][]string{slices.DeleteFunc(ssh.SupportedAlgorithms().HostKeys, func(a string) bool { return !strings.Contains(a, "-cert-v01@") })}
	case e.key == nil:
		return [][]string{{ssh.KeyAlgoED25519}, {ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}, rsa}
	case e.key.Type() == ssh.KeyAlgoRSA:
		return [][]string{rsa}
	}
	return [][]string{{e.key.Type()}}
}

func (e *expectedKey) matches(addr string, key ssh.PublicKey) bool {
	cert, certified := key.(*ssh.Certificate)
	switch {
	case e.authority:
		host, _, _ := net.SplitHostPort(addr)
		return certified && checkHostCertificate(cert, host, e.key) == nil
	case e.key != nil:
		return sameKey(e.key, key)
	}
	return ssh.FingerprintSHA256(key) == e.fingerprint
}
