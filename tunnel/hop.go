package tunnel

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// maxJumps bounds a ProxyJump that leads to itself.
const maxJumps = 8

// target is [USER@]HOST[:PORT] taken apart; user and port may be empty.
type target struct{ user, host, port string }

// parseTarget also takes ssh://[USER@]HOST[:PORT], and IPv6 addresses in
// brackets or, without a port, bare.
func parseTarget(s string) (target, error) {
	bad := func(why string) (target, error) {
		return target{}, fmt.Errorf("SSH target %q: %s: want [USER@]HOST[:PORT]", s, why)
	}
	var t target
	rest := strings.TrimSuffix(strings.TrimPrefix(s, "ssh://"), "/")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		t.user, rest = rest[:i], rest[i+1:]
		if t.user == "" {
			return bad("the user is empty")
		}
	}
	t.host = rest
	switch {
	case strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]"):
		t.host = rest[1 : len(rest)-1]
	case strings.HasPrefix(rest, "[") || strings.Count(rest, ":") == 1:
		var err error
		if t.host, t.port, err = net.SplitHostPort(rest); err != nil || t.port == "" {
			return bad("the port cannot be told apart")
		}
	}
	switch {
	case t.host == "":
		return bad("the host is empty")
	case strings.HasPrefix(t.host, "-") || strings.ContainsAny(t.host, " \t\r\n/'\""):
		return bad("that is no host name")
	case t.port != "" && !validPort(t.port):
		return bad("the port is no number from 1 to 65535")
	}
	return t, nil
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// hop is one SSH server of the route, with all that is needed to log in there.
type hop struct {
	name             string // as the user or ProxyJump wrote the host
	user, host, port string
	hostKeyAlias     string
	identityFiles    []string // offered before the agent's other keys
	defaultFiles     []string // offered last
	certificateFiles []string
	identitiesOnly   bool
	agent            string // socket of the agent; empty: none
	agentFrom        string // what named the socket, or why there is none
	knownHosts       []string
	home             string
}

func (h hop) addr() string { return net.JoinHostPort(h.host, h.port) }

// String is USER@HOST:PORT, as it stands in messages.
func (h hop) String() string { return h.user + "@" + h.addr() }

// commandLine is what follows the word ssh to reach the same host.
func (h hop) commandLine() string {
	if h.port == "22" {
		return h.user + "@" + h.host
	}
	return "-p " + h.port + " " + h.user + "@" + h.host
}

// resolver turns targets into hops by the user's SSH configuration.
type resolver struct {
	config    Config
	home      string
	localUser string
	system    string // the system's configuration file; empty: not read
}

// resolveRoute returns the jump hosts in order, and the target last.
func resolveRoute(c Config) ([]hop, error) {
	r := resolver{config: c, home: c.Home, system: "/etc/ssh/ssh_config"}
	if u, err := user.Current(); err == nil {
		r.localUser = u.Username
	} else {
		r.localUser = c.Getenv("USER")
	}
	if c.Home != "" {
		r.system = ""
	} else if r.home = c.Getenv("HOME"); r.home == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = "/" // a container without users: nothing to read, and never the working folder
		}
		r.home = home
	}
	return r.route(c.Target, nil, 0)
}

// route returns the way to name. Jump hosts given with it (those before it in
// a ProxyJump list) take the place of the ProxyJump of its own configuration.
func (r resolver) route(name string, given []string, depth int) ([]hop, error) {
	if depth > maxJumps {
		return nil, fmt.Errorf("ProxyJump leads through more than %d hosts: does it lead to itself?", maxJumps)
	}
	t, err := parseTarget(name)
	if err != nil {
		return nil, err
	}
	options, err := readSSHOptions(t, r.home, r.localUser, r.system)
	if err != nil {
		return nil, err
	}
	h, err := r.hop(t, options)
	if err != nil {
		return nil, err
	}
	jumps := given
	if len(jumps) == 0 {
		if jumps, err = r.jumps(h, options); err != nil {
			return nil, err
		}
	}
	if len(jumps) == 0 {
		return []hop{h}, nil
	}
	last := len(jumps) - 1
	way, err := r.route(strings.TrimSpace(jumps[last]), jumps[:last], depth+1)
	return append(way, h), err
}

// jumps is the ProxyJump list of the configuration.
func (r resolver) jumps(h hop, o *sshOptions) ([]string, error) {
	jump, command := o.values["proxyjump"], o.values["proxycommand"]
	if command != "" && !strings.EqualFold(command, "none") && jump == "" {
		return nil, &Error{
			Err:  fmt.Errorf("ssh %s: its configuration says ProxyCommand %s, which is not run here", h, command),
			Hint: "where the command is ssh -W, write ProxyJump HOST instead",
		}
	}
	if jump == "" || strings.EqualFold(jump, "none") {
		return nil, nil
	}
	jump, err := r.expand(jump, h, "")
	return strings.Split(jump, ","), err
}

// hop fills in what the configuration says about t.
func (r resolver) hop(t target, o *sshOptions) (hop, error) {
	h := hop{name: t.host, user: o.user(), host: strings.ToLower(o.hostname()), port: o.values["port"], home: r.home, hostKeyAlias: o.values["hostkeyalias"]}
	if h.port == "" {
		h.port = "22"
	}
	if !validPort(h.port) {
		return hop{}, fmt.Errorf("SSH configuration of %s: Port %s is no number from 1 to 65535", t.host, h.port)
	}
	if h.user == "" {
		return hop{}, fmt.Errorf("SSH target %q: there is no user to log in as: want USER@HOST", t.host)
	}
	h.identitiesOnly = strings.EqualFold(o.values["identitiesonly"], "yes")
	var errs []error
	paths := func(list []string) []string {
		var out []string
		for _, p := range list {
			if strings.EqualFold(p, "none") {
				continue
			}
			p, err := r.expand(p, h, o.values["proxyjump"])
			errs = append(errs, err)
			out = append(out, expandHome(p, r.home))
		}
		return out
	}
	for _, f := range r.config.IdentityFiles {
		h.identityFiles = append(h.identityFiles, expandHome(f, r.home))
	}
	h.identityFiles = append(h.identityFiles, paths(o.lists["identityfile"])...)
	if len(h.identityFiles) == 0 && len(o.lists["identityfile"]) == 0 {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			h.defaultFiles = append(h.defaultFiles, filepath.Join(r.home, ".ssh", name))
		}
	}
	h.certificateFiles = paths(o.lists["certificatefile"])
	h.knownHosts = paths(r.knownHosts(o))
	var err error
	h.agent, h.agentFrom, err = r.agent(h, o)
	return h, errors.Join(append(errs, err)...)
}

// knownHosts lists the user's files, then the system's.
func (r resolver) knownHosts(o *sshOptions) []string {
	files := []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	if v, ok := o.values["userknownhostsfile"]; ok {
		files = strings.Fields(v)
	}
	if v, ok := o.values["globalknownhostsfile"]; ok {
		return append(files, strings.Fields(v)...)
	}
	if r.system == "" {
		return files
	}
	return append(files, "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
}

// agent finds the agent's socket, and says what named it.
func (r resolver) agent(h hop, o *sshOptions) (socket, from string, err error) {
	v, ok := o.values["identityagent"]
	if ok && strings.EqualFold(v, "none") {
		return "", "IdentityAgent is none", nil
	}
	if name, isName := strings.CutPrefix(v, "$"); isName && !strings.HasPrefix(name, "{") {
		return r.config.Getenv(name), name, nil
	}
	if ok && v != "SSH_AUTH_SOCK" {
		v, err = r.expand(v, h, "")
		return expandHome(v, r.home), "IdentityAgent", err
	}
	if socket = r.config.Getenv("SSH_AUTH_SOCK"); socket == "" {
		return "", "SSH_AUTH_SOCK is not set", nil
	}
	return socket, "SSH_AUTH_SOCK", nil
}

// expand replaces the % tokens of ssh_config(5) and ${NAME}.
func (r resolver) expand(s string, h hop, jump string) (string, error) {
	local, _ := os.Hostname()
	short, _, _ := strings.Cut(local, ".")
	key := h.hostKeyAlias
	if key == "" {
		key = h.name
	}
	digest := sha1.Sum([]byte(local + h.host + h.port + h.user + jump)) // a name, not a secret: ssh's own %C
	tokens := map[byte]string{
		'%': "%", 'h': h.host, 'n': h.name, 'p': h.port, 'r': h.user, 'u': r.localUser, 'd': r.home, 'k': key, 'j': jump,
		'i': strconv.Itoa(os.Getuid()), 'l': local, 'L': short, 'C': hex.EncodeToString(digest[:]),
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%':
			i++
			if i == len(s) {
				return "", fmt.Errorf("SSH configuration: %q ends in %%", s)
			}
			value, ok := tokens[s[i]]
			if !ok {
				return "", fmt.Errorf("SSH configuration: %q has the unknown token %%%c", s, s[i])
			}
			out.WriteString(value)
		case strings.HasPrefix(s[i:], "${") && strings.Contains(s[i:], "}"):
			name, _, _ := strings.Cut(s[i+2:], "}")
			value := r.config.Getenv(name)
			if value == "" {
				return "", fmt.Errorf("SSH configuration: %q: the environment has no %s", s, name)
			}
			out.WriteString(value)
			i += len(name) + 2
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String(), nil
}
