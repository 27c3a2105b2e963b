package tunnel

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// knownHosts are the lines of known_hosts files, in order.
//
// Parsing and the crypto are x/crypto's; the look-up is our own, as that of
// x/crypto takes the key of a @cert-authority line for a host's, knows no
// pattern for the port, and refuses a whole file for one line it cannot read.
// The tests compare it with ssh-keygen -F.
type knownHosts struct {
	lines   []knownLine
	skipped []string // FILE:LINE of what is no known_hosts line, as ssh skips it too
}

type knownLine struct {
	file   string
	line   int
	marker string // "", "cert-authority" or "revoked"
	hosts  []string
	key    ssh.PublicKey
}

func (l knownLine) String() string { return fmt.Sprintf("%s:%d", l.file, l.line) }

func readKnownHosts(files []string) (*knownHosts, error) {
	k := &knownHosts{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the known host keys: %w", err)
		}
		k.parse(f, text)
	}
	return k, nil
}

func (k *knownHosts) parse(file string, text []byte) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan(); n++ {
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(lines.Bytes())
		switch {
		case errors.Is(err, io.EOF): // blank or a comment
		case err != nil:
			k.skipped = append(k.skipped, fmt.Sprintf("%s:%d", file, n))
		default:
			k.lines = append(k.lines, knownLine{file: file, line: n, marker: marker, hosts: hosts, key: key})
		}
	}
}

// knownName is how known_hosts writes an address: [HOST]:PORT, or HOST alone
// where the port is 22.
func knownName(host, port string) string {
	host = strings.ToLower(host)
	if port == "22" {
		return host
	}
	return "[" + host + "]:" + port
}

// about returns the lines for name. Where no key is on record for [HOST]:PORT,
// those for the bare HOST count too, as they do for ssh; exact is false then.
func (k *knownHosts) about(name string) (lines []knownLine, exact bool) {
	lines = k.matching(name)
	if slices.ContainsFunc(lines, func(l knownLine) bool { return l.marker == "" }) {
		return lines, true
	}
	host, _, err := net.SplitHostPort(name)
	if err != nil || !strings.HasPrefix(name, "[") {
		return lines, true
	}
	return append(lines, k.matching(host)...), false
}

func (k *knownHosts) matching(name string) []knownLine {
	var out []knownLine
	for _, l := range k.lines {
		if l.marker != "revoked" && l.matches(name) {
			out = append(out, l)
		}
	}
	return out
}

func (l knownLine) matches(name string) bool {
	if len(l.hosts) == 1 && strings.HasPrefix(l.hosts[0], "|") {
		return hashedIs(l.hosts[0], name)
	}
	patterns := make([]string, len(l.hosts))
	for i, h := range l.hosts {
		patterns[i] = strings.ToLower(h)
	}
	return matchPatterns(patterns, name)
}

// hashedIs compares name with |1|SALT|HASH, where HASH is the HMAC-SHA1 of the
// name under the salt.
func hashedIs(hashed, name string) bool {
	parts := strings.Split(hashed, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), want)
}

// revoked returns the line that revokes key, or the key or the authority of a
// certificate, for whatever host.
func (k *knownHosts) revoked(key ssh.PublicKey) (knownLine, bool) {
	keys := []ssh.PublicKey{key}
	if c, ok := key.(*ssh.Certificate); ok {
		keys = []ssh.PublicKey{c.Key, c.SignatureKey}
	}
	i := slices.IndexFunc(k.lines, func(l knownLine) bool {
		return l.marker == "revoked" && slices.ContainsFunc(keys, func(key ssh.PublicKey) bool { return sameKey(key, l.key) })
	})
	if i < 0 {
		return knownLine{}, false
	}
	return k.lines[i], true
}

// algorithms puts those of the keys on record first, as the server shows one
// key only, and certificates only where an authority is on record. The rest
// follows, so that an unknown key is seen and can be named: the one that ssh
// would show, too.
func (k *knownHosts) algorithms(name string) []string {
	var plain, certified []string
	for _, a := range ssh.SupportedAlgorithms().HostKeys {
		if strings.Contains(a, "-cert-v01@") {
			certified = append(certified, a)
		} else {
			plain = append(plain, a)
		}
	}
	lines, _ := k.about(name)
	var order []string
	for _, l := range lines {
		switch {
		case l.marker != "":
			order = slices.Concat(certified, order)
		case l.key.Type() == ssh.KeyAlgoRSA: // a key format, signed with SHA-2
			order = append(order, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		case slices.Contains(plain, l.key.Type()):
			order = append(order, l.key.Type())
		}
	}
	var unique []string
	for _, a := range slices.Concat(order, []string{ssh.KeyAlgoED25519}, plain) {
		if !slices.Contains(unique, a) {
			unique = append(unique, a)
		}
	}
	return unique
}
