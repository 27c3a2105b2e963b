package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/nomad/api"

	"ostro/tunnel"
)

// target is a Nomad that can be talked to.
type target struct {
	client *api.Client
	// agent is the built-in orchestrator, or nil.
	agent *agentState
	// address is where people reach what runs there; "" behind a tunnel.
	address string
	// commitMeta is the meta of a job that holds its commit.
	commitMeta string
	close      func()
}

// connect makes a client for the Nomad that the flags, the configuration and
// the environment name. Only -standalone and -ssh touch the network here.
func (p *project) connect(ctx context.Context) (*target, error) {
	conf := p.clientConfig()
	for _, other := range []string{"ssh", "address"} {
		if p.c.Bool("standalone") && p.c.IsSet(other) {
			return nil, usageError{fmt.Errorf("-standalone and -%s exclude each other", other)}
		}
	}
	if p.standalone() {
		return p.connectStandalone(ctx, conf)
	}
	host := p.c.String("ssh")
	if host == "" && !p.c.IsSet("address") {
		host = p.config.SSH.Host
	}
	if host != "" {
		return p.connectSSH(ctx, conf, host)
	}
	if e := p.config.Environment; e != nil && p.config.Address != "" && conf.Address != p.config.Address && !p.c.IsSet("address") {
		p.t.warn("NOMAD_ADDR=%s is used, and not the address of environment %q, %s", conf.Address, e.Name, p.config.Address)
	}
	if p.c.Bool("allow-stale") || p.replied != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		if socket, found := strings.CutPrefix(conf.Address, "unix://"); found {
			transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", socket)
			}
			conf.Address = "http://127.0.0.1"
		}
		if err := p.useTransport(conf, transport); err != nil {
			return nil, err
		}
	}
	client, err := api.NewClient(conf)
	if err != nil {
		return nil, usageError{fmt.Errorf("the address of Nomad: %w", err)}
	}
	return &target{client: client, address: conf.Address, close: client.Close}, nil
}

// useTransport has the client dial through a transport of ours.
func (p *project) useTransport(conf *api.Config, transport *http.Transport) error {
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	conf.HttpClient = &http.Client{Transport: transport}
	if err := api.ConfigureTLS(conf.HttpClient, conf.TLSConfig); err != nil {
		return usageError{fmt.Errorf("the TLS settings: %w", err)}
	}
	if p.c.Bool("allow-stale") {
		conf.HttpClient.Transport = staleReads{transport}
	}
	if p.replied != nil {
		conf.HttpClient.Transport = overheard{conf.HttpClient.Transport, p.replied}
	}
	return nil
}

// overheard tells the headers of every reply.
type overheard struct {
	http.RoundTripper
	replied func(http.Header)
}

func (o overheard) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := o.RoundTripper.RoundTrip(r)
	if err == nil {
		o.replied(reply.Header)
	}
	return reply, err
}

// staleReads lets any server answer what is read. (Nomad: ?stale.)
type staleReads struct{ *http.Transport }

func (s staleReads) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		r = r.Clone(r.Context())
		query := r.URL.Query()
		query.Set("stale", "")
		r.URL.RawQuery = query.Encode()
	}
	return s.Transport.RoundTrip(r)
}

// clientConfig merges, lowest first: the defaults and NOMAD_*, ostro.hcl, flags.
// (The environment wins over ostro.hcl, as everywhere.)
func (p *project) clientConfig() *api.Config {
	conf := api.DefaultConfig()
	if p.elsewhere { // no token of one Nomad goes to another
		conf = &api.Config{Address: "http://127.0.0.1:4646", TLSConfig: &api.TLSConfig{}}
	}
	pick := func(into *string, env, configured, flag string) {
		if configured != "" && (p.elsewhere || os.Getenv(env) == "") {
			*into = configured
		}
		if value := p.c.String(flag); value != "" {
			*into = value
		}
	}
	s := p.config.Settings
	pick(&conf.Address, "NOMAD_ADDR", s.Address, "address")
	pick(&conf.Namespace, "NOMAD_NAMESPACE", s.Namespace, "namespace")
	pick(&conf.Region, "NOMAD_REGION", s.Region, "region")
	pick(&conf.SecretID, "NOMAD_TOKEN", s.Token, "token")
	pick(&conf.TLSConfig.CACert, "NOMAD_CACERT", s.CACert, "ca-cert")
	pick(&conf.TLSConfig.CAPath, "NOMAD_CAPATH", s.CAPath, "ca-path")
	pick(&conf.TLSConfig.ClientCert, "NOMAD_CLIENT_CERT", s.ClientCert, "client-cert")
	pick(&conf.TLSConfig.ClientKey, "NOMAD_CLIENT_KEY", s.ClientKey, "client-key")
	pick(&conf.TLSConfig.TLSServerName, "NOMAD_TLS_SERVER_NAME", s.TLSServerName, "tls-server-name")
	if p.c.Bool("tls-skip-verify") || s.TLSSkipVerify {
		conf.TLSConfig.Insecure = true
	}
	conf.Address = withScheme(conf.Address)
	p.t.mask(conf.SecretID, passwordIn(conf.Address))
	return conf
}

// passwordIn is the password of a URL, "" for none.
func passwordIn(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

// withScheme completes an address that is only a host, as in Levant's
// documentation, or a host with a port.
func withScheme(address string) string {
	if address == "" || strings.Contains(address, "://") {
		return address
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), "4646")
	}
	return "http://" + address
}

// address fills in what a job leaves to the client: its region and namespace.
func (p *project) address(to *target, job *api.Job) {
	conf := p.clientConfig()
	if job.Region == nil && to.agent == nil && conf.Region != "" {
		job.Region = &conf.Region
	}
	if job.Namespace == nil && conf.Namespace != "" {
		job.Namespace = &conf.Namespace
	}
}

// connectSSH reaches Nomad through an SSH server: the API client dials through
// the connection, and no local port is opened.
func (p *project) connectSSH(ctx context.Context, conf *api.Config, host string) (*target, error) {
	p.t.info("connecting to %s over SSH", host)
	t, err := openTunnel(ctx, p.tunnelConfig(host))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: t.DialContext, TLSHandshakeTimeout: 10 * time.Second}
	if !p.c.IsSet("address") && p.config.Address == "" && os.Getenv("NOMAD_ADDR") == "" {
		conf.Address = "http://" + loopbackFor(p.sshRemote())
	}
	if err := p.useTransport(conf, transport); err != nil {
		t.Close()
		return nil, err
	}
	client, err := api.NewClient(conf)
	if err != nil {
		t.Close()
		return nil, usageError{fmt.Errorf("the address of Nomad: %w", err)}
	}
	return &target{client: client, close: func() {
		client.Close()
		transport.CloseIdleConnections()
		t.Close()
	}}, nil
}

func (p *project) tunnelConfig(host string) tunnel.Config {
	return tunnel.Config{
		Target: host, Remote: p.sshRemote(), IdentityFiles: append(p.c.StringSlice("ssh-key"), p.config.SSH.IdentityFiles...),
		HostKey: p.sshHostKey(), Passphrase: p.t.passphrase(), Event: p.tunnelEvent,
	}
}

// openTunnel tries until the server refuses for good, or contactTime is over.
func openTunnel(ctx context.Context, conf tunnel.Config) (*tunnel.Tunnel, error) {
	return backoff.Retry(ctx, func() (*tunnel.Tunnel, error) {
		t, err := tunnel.Open(ctx, conf)
		if refused, ok := errors.AsType[*tunnel.Error](err); ok && refused.Final {
			return nil, backoff.Permanent(err)
		}
		return t, err
	}, backoff.WithMaxElapsedTime(contactTime))
}

// loopbackFor is what stands in the requests' Host: the far side as it calls
// itself, and never a name that a proxy of this machine could act on.
func loopbackFor(remote string) string {
	if _, _, err := net.SplitHostPort(remote); err != nil {
		return tunnel.DefaultRemote
	}
	return remote
}

func (p *project) sshRemote() string {
	for _, remote := range []string{p.c.String("ssh-remote"), p.config.SSH.Remote} {
		if remote != "" {
			return remote
		}
	}
	return tunnel.DefaultRemote
}

func (p *project) sshHostKey() string {
	if key := p.c.String("ssh-host-key"); key != "" {
		return key
	}
	return p.config.SSH.HostKey
}

func (p *project) tunnelEvent(e tunnel.Event) {
	switch {
	case e.Stream:
		p.t.warn("a connection through SSH failed: %v", e.Err)
	case e.Err != nil:
		p.t.warn("contact lost: the SSH connection broke: %v", e.Err)
	default:
		p.t.info("the SSH connection is back")
	}
}

func (p *project) connectStandalone(ctx context.Context, conf *api.Config) (*target, error) {
	agent, err := ensureAgent(ctx, p.t)
	if err != nil {
		return nil, err
	}
	conf.Address = "http://" + agent.Address
	conf.SecretID, conf.Region, conf.TLSConfig = agent.Token, "", &api.TLSConfig{}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.DialContext = nil, dialAgent
	if err := p.useTransport(conf, transport); err != nil {
		return nil, err
	}
	client, err := api.NewClient(conf)
	if err != nil {
		return nil, fmt.Errorf("the address of the agent: %w", err)
	}
	if err := makeNamespace(ctx, client, conf.Namespace); err != nil {
		client.Close()
		return nil, err
	}
	return &target{client: client, agent: agent, address: conf.Address, close: client.Close}, nil
}

// dialAgent connects to this user's agent, wherever it is by now: one that was
// killed and started again may have another port, and its old one be a stranger's.
func dialAgent(ctx context.Context, network, _ string) (net.Conn, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	agent, err := runningAgent(dir)
	switch {
	case err != nil:
		return nil, err
	case agent == nil:
		return nil, errors.New("the agent does not run")
	}
	return (&net.Dialer{}).DialContext(ctx, network, agent.Address)
}

// commandFor is the command line that does more about a job of the namespace, ""
// for the client's own: args come after the flags that reach the same Nomad.
func (p *project) commandFor(command, namespace string, args ...string) string {
	return commandLine(slices.Concat([]string{"ostro", command}, p.joinFlags(namespace), args))
}

// makeNamespace has the agent make the namespace that was asked for, as its store
// makes the bucket: nobody else is there to do it.
func makeNamespace(ctx context.Context, client *api.Client, name string) error {
	if name == "" || name == api.DefaultNamespace || name == api.AllNamespacesNamespace {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	_, _, err := client.Namespaces().Info(name, (&api.QueryOptions{}).WithContext(ctx))
	if isStatus(err, http.StatusNotFound) {
		_, err = client.Namespaces().Register(&api.Namespace{Name: name}, (&api.WriteOptions{}).WithContext(ctx))
	}
	if err != nil {
		return fmt.Errorf("make the namespace %q: %w", name, err)
	}
	return nil
}

// joinFlags are the flags that another command, in the same working folder,
// needs to reach the same Nomad. namespace is that of the job.
func (p *project) joinFlags(namespace string) []string {
	var words []string
	if p.file != nil && p.c.IsSet("env") {
		words = append(words, "-config", p.file.Path)
	}
	for _, name := range []string{"env", "ssh", "ssh-remote", "region", "address"} {
		if p.c.IsSet(name) {
			words = append(words, "-"+name, p.c.String(name))
		}
	}
	if p.c.IsSet("namespace") || namespace != "" && namespace != orDefault(p.clientConfig().Namespace, api.DefaultNamespace) {
		words = append(words, "-namespace", orDefault(namespace, p.c.String("namespace")))
	}
	if p.c.Bool("standalone") {
		words = append(words, "-standalone")
	}
	return words
}
