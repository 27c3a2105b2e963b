package render

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// consulTimeout bounds one question to Consul.
const consulTimeout = 10 * time.Second

var errNoKey = errors.New("there is no such key in Consul")

// consul asks Consul's key-value store over its HTTP API, as configured by
// Consul's own environment variables. Each key is asked for once in a run.
type consul struct {
	client  *http.Client
	base    string
	header  http.Header
	query   url.Values
	user    *url.Userinfo
	answers map[string]answer
}

type answer struct {
	value string
	err   error
}

// consulKey returns the value of a key, and nothing for an empty one.
func (e *execution) consulKey(key string) (string, error) {
	if key == "" {
		return "", nil
	}
	value, err := e.run.ask(key)
	if err != nil {
		return "", fmt.Errorf("%q: %w", key, err)
	}
	e.run.inputs[key] = value
	return value, nil
}

func (e *execution) consulKeyExists(key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	_, err := e.run.ask(key)
	if errors.Is(err, errNoKey) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%q: %w", key, err)
	}
	return true, nil
}

// consulKeyOrDefault returns the value of a key, or otherwise if there is
// none or Consul cannot be asked; the latter it warns of.
func (e *execution) consulKeyOrDefault(key, otherwise string) (string, error) {
	if key == "" {
		return otherwise, nil
	}
	value, err := e.run.ask(key)
	if ctxErr := e.run.ctx.Err(); ctxErr != nil {
		return "", ctxErr
	}
	if err != nil {
		if s, siteErr := e.site(e.out.current); siteErr == nil && !errors.Is(err, errNoKey) && e.run.firstAt(s) {
			e.run.warn(s, fmt.Sprintf("the default is used for Consul's key %q: %s", key, err), "")
		}
		return otherwise, nil
	}
	e.run.inputs[key] = value
	return value, nil
}

func (r *run) ask(key string) (string, error) {
	if r.consul == nil {
		c, err := newConsul(r.opts)
		if err != nil {
			return "", err
		}
		r.consul = c
	}
	known, asked := r.consul.answers[key]
	if !asked {
		known.value, known.err = r.consul.get(r.ctx, key)
		r.consul.answers[key] = known
	}
	return known.value, known.err
}

func newConsul(opts Options) (*consul, error) {
	env := opts.Getenv
	c := &consul{header: http.Header{}, query: url.Values{}, answers: map[string]answer{}}
	address := cmp.Or(opts.ConsulAddress, env("CONSUL_HTTP_ADDR"), "127.0.0.1:8500")
	scheme, host, found := strings.Cut(address, "://")
	if !found {
		scheme, host = "http", address
	}
	if on, _ := strconv.ParseBool(env("CONSUL_HTTP_SSL")); on && scheme == "http" {
		scheme = "https"
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	if scheme == "unix" {
		path := host
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		scheme, host = "http", "localhost"
	}
	if scheme == "https" {
		config, err := consulTLS(env)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = config
	}
	c.client = &http.Client{Transport: transport, Timeout: consulTimeout}
	c.base = scheme + "://" + strings.TrimSuffix(host, "/") + "/v1/kv/"
	return c, c.identify(env)
}

// identify sets what tells Consul who asks, and about what.
func (c *consul) identify(env func(string) string) error {
	token := env("CONSUL_HTTP_TOKEN")
	if file := env("CONSUL_HTTP_TOKEN_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("CONSUL_HTTP_TOKEN_FILE: %w", err)
		}
		token = cmp.Or(strings.TrimSpace(string(text)), token)
	}
	if token != "" {
		c.header.Set("X-Consul-Token", token)
	}
	if user, password, ok := strings.Cut(env("CONSUL_HTTP_AUTH"), ":"); user != "" {
		c.user = url.User(user)
		if ok {
			c.user = url.UserPassword(user, password)
		}
	}
	if namespace := env("CONSUL_NAMESPACE"); namespace != "" {
		c.query.Set("ns", namespace)
	}
	return nil
}

func consulTLS(env func(string) string) (*tls.Config, error) {
	config := &tls.Config{ServerName: env("CONSUL_TLS_SERVER_NAME")}
	if verify, err := strconv.ParseBool(env("CONSUL_HTTP_SSL_VERIFY")); err == nil && !verify {
		config.InsecureSkipVerify = true
	}
	if file := env("CONSUL_CACERT"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("CONSUL_CACERT: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CONSUL_CACERT: no certificate in %s", file)
		}
	}
	if cert, key := env("CONSUL_CLIENT_CERT"), env("CONSUL_CLIENT_KEY"); cert != "" && key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("CONSUL_CLIENT_CERT: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (c *consul) get(ctx context.Context, key string) (string, error) {
	path := (&url.URL{Path: strings.TrimPrefix(key, "/")}).EscapedPath()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+c.query.Encode(), nil)
	if err != nil {
		return "", err
	}
	request.Header = c.header.Clone()
	if c.user != nil {
		password, _ := c.user.Password()
		request.SetBasicAuth(c.user.Username(), password)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := readAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("read Consul's answer: %w", err)
	}
	return kvValue(response, body)
}

// kvValue reads Consul's answer: a list with one entry, whose value is base64.
func kvValue(response *http.Response, body []byte) (string, error) {
	if response.StatusCode == http.StatusNotFound {
		return "", errNoKey
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("consul answers %s: %s", response.Status, strings.TrimSpace(string(body[:min(len(body), 200)])))
	}
	var entries []struct{ Value []byte }
	if err := json.Unmarshal(body, &entries); err != nil {
		return "", fmt.Errorf("decode Consul's answer: %w", err)
	}
	if len(entries) == 0 {
		return "", errNoKey
	}
	return string(entries[0].Value), nil
}
