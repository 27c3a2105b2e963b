package tunnel

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	sshagent "golang.org/x/crypto/ssh/agent"
)

// keys is what one login may offer, in order, and an account of it for the
// message when nothing was taken.
type keys struct {
	signers []ssh.Signer
	offered []string // one phrase for each signer
	skipped []string // one phrase for each source that gave none
	agent   net.Conn // stays open while the login lasts
}

func (k *keys) close() {
	if k.agent != nil {
		k.agent.Close()
	}
}

func (k *keys) skip(format string, args ...any) {
	k.skipped = append(k.skipped, fmt.Sprintf(format, args...))
}

// add offers s unless the same key is offered already.
func (k *keys) add(s ssh.Signer, from string) {
	if slices.ContainsFunc(k.signers, func(o ssh.Signer) bool { return sameKey(o.PublicKey(), s.PublicKey()) }) {
		return
	}
	k.signers = append(k.signers, s)
	k.offered = append(k.offered, fmt.Sprintf("%s (%s %s)", from, s.PublicKey().Type(), ssh.FingerprintSHA256(s.PublicKey())))
}

func sameKey(a, b ssh.PublicKey) bool { return string(a.Marshal()) == string(b.Marshal()) }

// refused explains a login that no key opened.
func (k *keys) refused(h hop, text string) error {
	var parts []string
	if len(k.offered) > 0 {
		parts = append(parts, "tried "+strings.Join(k.offered, ", "))
	} else {
		parts = append(parts, "there was no key to try")
	}
	if len(k.skipped) > 0 {
		parts = append(parts, "skipped "+strings.Join(k.skipped, ", "))
	}
	e := &Error{Err: fmt.Errorf("ssh %s: permission denied: %s", h, strings.Join(parts, "; ")), Final: true}
	switch {
	case strings.Contains(text, "Too many authentication failures"):
		e.Hint = "the server gave up before the right key: name it with -ssh-key FILE, or with IdentityFile and IdentitiesOnly yes in ~/.ssh/config"
	case len(k.offered) == 0:
		e.Hint = "name a key with -ssh-key FILE, or start an agent: eval $(ssh-agent) && ssh-add FILE"
	default:
		e.Hint = fmt.Sprintf("is one of these keys in ~/.ssh/authorized_keys of %s on %s? try: ssh -v %s", h.user, h.host, h.commandLine())
	}
	return e
}

// agentKey is a key that the agent holds.
type agentKey struct {
	ssh.Signer
	comment string
}

// collectKeys gathers what h may be offered: the named identity files first (by
// the agent where it holds them), then the agent's other keys, then the default
// files. So a full agent does not use up the server's patience before the named key.
func (t *Tunnel) collectKeys(ctx context.Context, h hop) *keys {
	k := &keys{}
	held := k.dialAgent(ctx, h)
	certificates := k.certificates(h)
	for _, f := range h.identityFiles {
		t.addFile(ctx, k, h, f, held, certificates)
	}
	if !h.identitiesOnly {
		for _, a := range held {
			k.addWithCertificates(a, "agent key "+a.comment, certificates)
		}
	}
	for _, f := range h.defaultFiles {
		t.addFile(ctx, k, h, f, held, certificates)
	}
	return k
}

// dialAgent lists the agent's keys; what goes wrong is only remembered, as the
// key files may do.
func (k *keys) dialAgent(ctx context.Context, h hop) []agentKey {
	if h.agent == "" {
		k.skip("the agent (%s)", h.agentFrom)
		return nil
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", h.agent)
	if err != nil {
		k.skip("the agent (%s: %v)", h.agentFrom, err)
		return nil
	}
	k.agent = conn
	context.AfterFunc(ctx, func() { conn.Close() })
	client := sshagent.NewClient(conn)
	list, err := client.List()
	if err != nil {
		k.skip("the agent (%s: %v)", h.agentFrom, err)
		return nil
	}
	signers, err := client.Signers()
	if err != nil {
		k.skip("the agent (%s: %v)", h.agentFrom, err)
		return nil
	}
	if len(signers) == 0 {
		k.skip("the agent (%s: it holds no keys)", h.agentFrom)
	}
	var held []agentKey
	for _, s := range signers {
		a := agentKey{Signer: s}
		for _, key := range list {
			if sameKey(key, s.PublicKey()) {
				a.comment = key.Comment
			}
		}
		held = append(held, a)
	}
	return held
}

// certificates reads the files named by CertificateFile.
func (k *keys) certificates(h hop) []*ssh.Certificate {
	var out []*ssh.Certificate
	for _, f := range h.certificateFiles {
		c, err := readCertificate(f)
		if err != nil {
			k.skip("certificate %s: %v", f, err)
			continue
		}
		out = append(out, c)
	}
	return out
}

func readCertificate(file string) (*ssh.Certificate, error) {
	key, err := readPublicKey(file)
	if err != nil {
		return nil, err
	}
	c, ok := key.(*ssh.Certificate)
	if !ok {
		return nil, errors.New("it is a plain public key")
	}
	return c, nil
}

func readPublicKey(file string) (ssh.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, plainPathError(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	return key, err
}

// plainPathError drops the operation and the path, which the caller names.
func plainPathError(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// addWithCertificates offers s with each certificate made for its key, then by itself.
func (k *keys) addWithCertificates(s ssh.Signer, from string, certificates []*ssh.Certificate) {
	if a, ok := s.(agentKey); ok {
		s = a.Signer
	}
	for _, c := range certificates {
		if !sameKey(c.Key, s.PublicKey()) {
			continue
		}
		if certified, err := ssh.NewCertSigner(c, s); err == nil {
			k.add(certified, from+" with its certificate")
		}
	}
	k.add(s, from)
}

// addFile offers the key in file, by the agent where that holds it.
func (t *Tunnel) addFile(ctx context.Context, k *keys, h hop, file string, held []agentKey, certificates []*ssh.Certificate) {
	shown := file
	if rest, ok := strings.CutPrefix(file, h.home+"/"); ok {
		shown = "~/" + rest
	}
	public, signer, err := t.readKey(ctx, file)
	if errors.Is(err, fs.ErrNotExist) && slices.Contains(h.defaultFiles, file) {
		return // nobody asked for it by name
	}
	if err != nil {
		k.skip("%s: %v", shown, plainPathError(err))
		return
	}
	if c, err := readCertificate(file + "-cert.pub"); err == nil {
		certificates = append([]*ssh.Certificate{c}, certificates...)
	}
	for _, a := range held {
		if sameKey(a.PublicKey(), public) {
			k.addWithCertificates(a, shown+" by the agent", certificates)
			return
		}
	}
	switch {
	case signer == nil:
		k.skip("%s: it is a public key whose private half the agent does not hold", shown)
	case isLocked(signer) && t.config.Passphrase == nil:
		k.skip("%s: it is encrypted and there is nobody to ask for its passphrase", shown)
	default:
		k.addWithCertificates(signer, shown, certificates)
	}
}

// readKey reads a key file. The signer is nil for a public key file.
func (t *Tunnel) readKey(ctx context.Context, file string) (ssh.PublicKey, ssh.Signer, error) {
	t.mu.Lock()
	known := t.unlocked[file]
	t.mu.Unlock()
	if known != nil {
		return known.PublicKey(), known, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, nil, err
	}
	if public, _, _, _, err := ssh.ParseAuthorizedKey(pem); err == nil {
		return public, nil, nil
	}
	signer, err := ssh.ParsePrivateKey(pem)
	missing, locked := errors.AsType[*ssh.PassphraseMissingError](err)
	if !locked {
		if err != nil {
			return nil, nil, err
		}
		return signer.PublicKey(), signer, nil
	}
	public := missing.PublicKey
	if public == nil { // the older PEM forms hide it
		if public, err = readPublicKey(file + ".pub"); err != nil {
			return nil, nil, fmt.Errorf("it is encrypted, and %s.pub, which would tell whether it is wanted: %w", file, err)
		}
	}
	return public, &lockedKey{ctx: ctx, tunnel: t, file: file, pem: pem, public: public}, nil
}

// lockedKey is an encrypted key file. Its passphrase is asked for only when the
// server has said that it takes the key, which is when a signature is wanted.
type lockedKey struct {
	ctx    context.Context // of the login
	tunnel *Tunnel
	file   string
	pem    []byte
	public ssh.PublicKey
}

func isLocked(s ssh.Signer) bool {
	_, ok := s.(*lockedKey)
	return ok
}

func (l *lockedKey) PublicKey() ssh.PublicKey { return l.public }

func (l *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return l.SignWithAlgorithm(rand, data, "")
}

// passphraseTries is how often somebody may mistype. (OpenSSH: NumberOfPasswordPrompts.)
const passphraseTries = 3

// unlock asks for the passphrase until it opens the key.
func (l *lockedKey) unlock() (ssh.Signer, error) {
	for try := 1; ; try++ {
		passphrase, err := l.tunnel.config.Passphrase(l.ctx, l.file, try > 1)
		if err != nil {
			return nil, &Error{Err: fmt.Errorf("passphrase of %s: %w", l.file, err), Hint: "or add the key to the agent: ssh-add " + l.file, Final: true}
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(l.pem, passphrase)
		if err == nil {
			return signer, nil
		}
		mistyped := errors.Is(err, x509.IncorrectPasswordError) || len(passphrase) == 0
		if !mistyped || try == passphraseTries {
			return nil, &Error{Err: fmt.Errorf("the passphrase does not open %s: %w", l.file, err), Hint: "try again, or add the key to the agent: ssh-add " + l.file, Final: true}
		}
	}
}

func (l *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := l.unlock()
	if err != nil {
		return nil, err
	}
	l.tunnel.mu.Lock()
	l.tunnel.unlocked[l.file] = signer
	l.tunnel.mu.Unlock()
	s, ok := signer.(ssh.AlgorithmSigner)
	if !ok || algorithm == "" {
		return signer.Sign(rand, data)
	}
	return s.SignWithAlgorithm(rand, data, algorithm)
}
