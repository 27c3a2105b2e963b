// Package consul speaks to the HTTP API of a Consul agent: the few calls that services, their checks and templates need.
// It decides nothing.
package consul

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// DefaultAddress is where a Consul agent listens unless CONSUL_HTTP_ADDR says otherwise.
const DefaultAddress = "127.0.0.1:8500"

// A Client speaks to one Consul agent. It is safe for concurrent use.
type Client struct {
	base, token string
	http        *http.Client
}

// Config says how to reach a Consul agent.
type Config struct {
	Address string      // "HOST:PORT" or a URL; by default CONSUL_HTTP_ADDR, else DefaultAddress
	Token   string      // by default CONSUL_HTTP_TOKEN
	TLS     *tls.Config // when set, an address without a scheme is one of https
}

// New makes a client.
func New(c Config) *Client {
	addr, scheme := cmp.Or(c.Address, os.Getenv("CONSUL_HTTP_ADDR"), DefaultAddress), "http://"
	if c.TLS != nil {
		scheme = "https://"
	}
	if !strings.Contains(addr, "://") {
		addr = scheme + addr
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	return &Client{
		base: strings.TrimRight(addr, "/"), token: cmp.Or(c.Token, os.Getenv("CONSUL_HTTP_TOKEN")),
		http: &http.Client{Timeout: 10 * time.Second, Transport: transport},
	}
}

// Address is the URL of the agent.
func (c *Client) Address() string { return c.base }

// errNotFound is Consul's 404.
var errNotFound = errors.New("not found")

// ErrRefused is for a token that Consul does not know, or that may not do what is asked.
var ErrRefused = errors.New("the token is refused")

// call does one request. in is sent as JSON unless it is nil, out is read from the answer unless it is nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("ask Consul: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("ask Consul: %w", err)
	}
	if c.token != "" {
		req.Header.Set("X-Consul-Token", c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask Consul: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	switch {
	case err != nil:
		return fmt.Errorf("ask Consul: %w", err)
	case resp.StatusCode == http.StatusNotFound:
		return errNotFound
	case resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("ask Consul at %s: %w: %s", path, ErrRefused, bytes.TrimSpace(answer[:min(len(answer), 500)]))
	case resp.StatusCode >= 300:
		return fmt.Errorf("ask Consul at %s: %s: %s", path, resp.Status, bytes.TrimSpace(answer[:min(len(answer), 500)]))
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read Consul's answer: %w", err)
	}
	return nil
}

// Version is the agent's version; an error means that there is no Consul.
func (c *Client) Version(ctx context.Context) (string, error) {
	var self struct{ Config struct{ Version string } }
	if err := c.call(ctx, http.MethodGet, "/v1/agent/self", nil, &self); err != nil {
		return "", err
	}
	if self.Config.Version == "" {
		return "", fmt.Errorf("what answers at %s is not Consul", c.base)
	}
	return self.Config.Version, nil
}

// A Service is a service as it is registered.
type Service struct {
	Kind              string `json:",omitempty"`
	ID                string
	Name              string
	Tags              []string
	Port              int
	Address           string
	TaggedAddresses   map[string]Address `json:",omitempty"`
	Meta              map[string]string
	Weights           *Weights `json:",omitempty"`
	EnableTagOverride bool
	Checks            []Check `json:",omitempty"`
}

// An Address is one of those that a service has beside the first.
type Address struct {
	Address string
	Port    int
}

// Weights say how much of the requests an instance gets.
type Weights struct{ Passing, Warning int }

// Statuses of checks.
const (
	Passing  = "passing"
	Warning  = "warning"
	Critical = "critical"
)

// A Check is one check of a service. One of HTTP, TCP, GRPC and TTL says of which kind. Durations are Go's.
type Check struct {
	CheckID, Name          string
	Status                 string              `json:",omitempty"`
	HTTP, Method, Body     string              `json:",omitempty"`
	Header                 map[string][]string `json:",omitempty"`
	TLSSkipVerify          bool                `json:",omitempty"`
	TLSServerName          string              `json:",omitempty"`
	TCP, GRPC              string              `json:",omitempty"`
	GRPCUseTLS             bool                `json:",omitempty"`
	TTL, Interval, Timeout string              `json:",omitempty"`
	SuccessBeforePassing   int                 `json:",omitempty"`
	FailuresBeforeWarning  int                 `json:",omitempty"`
	FailuresBeforeCritical int                 `json:",omitempty"`
}

// Register registers a service with its checks, or replaces it.
func (c *Client) Register(ctx context.Context, s Service) error {
	return c.call(ctx, http.MethodPut, "/v1/agent/service/register?replace-existing-checks=true", s, nil)
}

// Deregister removes a service. One that is not there is no error.
func (c *Client) Deregister(ctx context.Context, id string) error {
	err := c.call(ctx, http.MethodPut, "/v1/agent/service/deregister/"+url.PathEscape(id), nil, nil)
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

// Services are the services that are registered with the agent, by ID.
func (c *Client) Services(ctx context.Context) (map[string]Service, error) {
	var all map[string]struct {
		ID, Service, Address string
		Tags                 []string
		Port                 int
		Meta                 map[string]string
		EnableTagOverride    bool
	}
	if err := c.call(ctx, http.MethodGet, "/v1/agent/services", nil, &all); err != nil {
		return nil, err
	}
	found := map[string]Service{}
	for id, s := range all {
		found[id] = Service{
			ID: s.ID, Name: s.Service, Address: s.Address, Tags: s.Tags, Port: s.Port, Meta: s.Meta, EnableTagOverride: s.EnableTagOverride,
		}
	}
	return found, nil
}

// Checks are the IDs of the checks that are registered with the agent.
func (c *Client) Checks(ctx context.Context) (map[string]bool, error) {
	var all map[string]struct{}
	if err := c.call(ctx, http.MethodGet, "/v1/agent/checks", nil, &all); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for id := range all {
		found[id] = true
	}
	return found, nil
}

// Health is what the catalogue, which all of Consul's users see, has of a service: the statuses of the checks by their
// IDs, of each instance by its ID. The agent's own knowledge gets there a little later.
func (c *Client) Health(ctx context.Context, name string) (map[string]map[string]string, error) {
	var all []struct {
		Service struct{ ID string }
		Checks  []struct{ CheckID, Status string }
	}
	if err := c.call(ctx, http.MethodGet, "/v1/health/service/"+url.PathEscape(name), nil, &all); err != nil {
		return nil, err
	}
	found := map[string]map[string]string{}
	for _, instance := range all {
		checks := map[string]string{}
		for _, check := range instance.Checks {
			checks[check.CheckID] = check.Status
		}
		found[instance.Service.ID] = checks
	}
	return found, nil
}

// UpdateTTL tells the result of a check that the caller does: passing, warning or critical.
func (c *Client) UpdateTTL(ctx context.Context, checkID, status, output string) error {
	body := struct{ Status, Output string }{status, output}
	return c.call(ctx, http.MethodPut, "/v1/agent/check/update/"+url.PathEscape(checkID), body, nil)
}

// A Pair is a key with its value.
type Pair struct {
	Key   string
	Value []byte
}

// Get reads one key. ok is false when there is none.
func (c *Client) Get(ctx context.Context, key string) (value string, ok bool, err error) {
	var pairs []Pair
	err = c.call(ctx, http.MethodGet, "/v1/kv/"+escapeKey(key), nil, &pairs)
	if errors.Is(err, errNotFound) || err == nil && len(pairs) == 0 {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return string(pairs[0].Value), true, nil
}

// List reads all keys below a prefix, sorted.
func (c *Client) List(ctx context.Context, prefix string) ([]Pair, error) {
	var pairs []Pair
	err := c.call(ctx, http.MethodGet, "/v1/kv/"+escapeKey(prefix)+"?recurse", nil, &pairs)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	return pairs, err
}

func escapeKey(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// An Instance is a healthy instance of a service.
type Instance struct {
	Node    struct{ ID, Node, Address, Datacenter string }
	Service struct {
		ID, Service, Address string
		Tags                 []string
		Meta                 map[string]string
		Port                 int
	}
}

// Healthy are the instances of a service whose checks pass, those with a tag only unless that is "".
func (c *Client) Healthy(ctx context.Context, name, tag string) ([]Instance, error) {
	query := url.Values{"passing": {"1"}}
	if tag != "" {
		query.Set("tag", tag)
	}
	var all []Instance
	err := c.call(ctx, http.MethodGet, "/v1/health/service/"+url.PathEscape(name)+"?"+query.Encode(), nil, &all)
	return all, err
}

// Catalogue is the tags of all services by name.
func (c *Client) Catalogue(ctx context.Context) (map[string][]string, error) {
	var all map[string][]string
	err := c.call(ctx, http.MethodGet, "/v1/catalog/services", nil, &all)
	return all, err
}
