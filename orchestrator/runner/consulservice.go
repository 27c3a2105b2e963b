package runner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/consul"
)

// toConsul registers a service unless it is there as it is to be.
func (a *alloc) toConsul(ctx context.Context, c *consulSync, s *registration, have map[string]consul.Service, checks map[string]bool) error {
	service, err := consulService(s)
	if err != nil {
		return err
	}
	hash, err := hashOf(service)
	if err != nil {
		return err
	}
	known, ok := have[s.ID]
	for _, check := range s.checks {
		ok = ok && checks[consulCheckID(check)]
	}
	if ok && c.owned[s.ID] == hash && !drifted(service, known) {
		return nil
	}
	a.runner.setOwned(c, s.ID, "")
	a.passAlready(&service)
	if err := c.client.Register(ctx, service); err != nil {
		return err
	}
	a.runner.setOwned(c, s.ID, hash)
	for _, check := range s.checks {
		a.tellLast(check)
	}
	return nil
}

// passAlready says of the checks that pass here that they pass. A Consul that comes late, or has forgotten all, would send
// nobody to an instance that serves until it has asked it, which may be a whole interval later. (tellLast tells of scripts.)
func (a *alloc) passAlready(service *consul.Service) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, state := range a.checks {
		i := slices.IndexFunc(service.Checks, func(c consul.Check) bool { return c.CheckID == consulCheckID(state.check) })
		if i >= 0 && service.Checks[i].TTL == "" && !state.passingSince.IsZero() {
			service.Checks[i].Status = consul.Passing
		}
	}
}

// tellLast has Consul know the last result of a script that it did not know until now.
func (a *alloc) tellLast(c check) {
	a.mu.Lock()
	last, output := "", ""
	if state := a.checks[c.id]; state != nil {
		last, output = state.last, state.status.Output
	}
	a.mu.Unlock()
	if last != "" {
		a.runner.tellConsul(c, last, output)
	}
}

// drifted reports whether somebody has changed a registration in Consul. Tags may be changed there where the job says so.
func drifted(wanted, have consul.Service) bool {
	return wanted.Name != have.Name || wanted.Port != have.Port || wanted.Address != have.Address ||
		wanted.EnableTagOverride != have.EnableTagOverride || !maps.Equal(wanted.Meta, have.Meta) ||
		!wanted.EnableTagOverride && !slices.Equal(wanted.Tags, have.Tags)
}

func hashOf(s consul.Service) (string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("hash a service: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}

// passesInConsul reports whether all checks that a deployment waits for pass in Consul, too: only then those who ask it
// find the instance.
func passesInConsul(s *registration, checks map[string]string) bool {
	for _, c := range s.checks {
		status := checks[consulCheckID(c)]
		if c.required() && status != consul.Passing && !(status == consul.Warning && c.spec.OnUpdate == api.OnUpdateIgnoreWarn) {
			return false
		}
	}
	return true
}

// consulService is a registration as Consul gets it: what Nomad would register.
func consulService(s *registration) (consul.Service, error) {
	c := consul.Service{
		Kind: s.kind, ID: s.ID, Name: s.ServiceName, Tags: s.Tags, Port: s.Port, Address: s.host,
		Meta: map[string]string{}, EnableTagOverride: s.override,
	}
	maps.Copy(c.Meta, s.meta)
	c.Meta["external-source"] = "nomad" // Consul's page shows it
	if w := s.weights; w != nil {
		c.Weights = &consul.Weights{Passing: w.Passing, Warning: w.Warning}
	}
	for name, text := range s.tagged {
		address, err := taggedAddress(text, s.Port)
		if err != nil {
			return c, err
		}
		if c.TaggedAddresses == nil {
			c.TaggedAddresses = map[string]consul.Address{}
		}
		c.TaggedAddresses[name] = address
	}
	for _, check := range s.checks {
		c.Checks = append(c.Checks, consulCheck(check))
	}
	return c, nil
}

// taggedAddress reads an address with or without a port of its own.
func taggedAddress(text string, port int) (consul.Address, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return consul.Address{Address: ip.String(), Port: port}, nil
	}
	host, own, err := net.SplitHostPort(text)
	if err != nil {
		return consul.Address{Address: text, Port: port}, nil // a name
	}
	number, err := strconv.ParseUint(own, 10, 16)
	if err != nil {
		return consul.Address{}, fmt.Errorf("the tagged address %q has no port in digits", text)
	}
	return consul.Address{Address: host, Port: int(number)}, nil
}

func consulCheckID(c check) string { return "_nomad-check-" + c.id }

// ttlReserve is how much later than its interval the result of a script may come. (Nomad: 31 s, however long the script
// may take.)
const ttlReserve = 31 * time.Second

// consulCheck is a check as Consul does it itself, also while no agent runs. Scripts are run by the agent, which tells
// the results.
func consulCheck(c check) consul.Check {
	interval, timeout := cmp.Or(c.spec.Interval, 10*time.Second), cmp.Or(c.spec.Timeout, 5*time.Second)
	out := consul.Check{
		CheckID: consulCheckID(c), Name: c.spec.Name, Status: c.spec.InitialStatus, Timeout: timeout.String(),
		SuccessBeforePassing: c.spec.SuccessBeforePassing, FailuresBeforeWarning: c.spec.FailuresBeforeWarning,
		FailuresBeforeCritical: c.spec.FailuresBeforeCritical,
	}
	if c.spec.Type == "script" {
		out.TTL = (interval + max(ttlReserve, timeout+time.Second)).String()
		return out
	}
	out.Interval = interval.String()
	switch c.spec.Type {
	case "http":
		if u, err := c.url(); err == nil {
			out.HTTP = u.String()
		}
		out.Method, out.Body, out.Header = c.spec.Method, c.spec.Body, c.spec.Header
		out.TLSSkipVerify, out.TLSServerName = c.spec.TLSSkipVerify, c.spec.TLSServerName
	case "tcp":
		out.TCP = c.addr
	case "grpc":
		out.GRPC, out.GRPCUseTLS = c.addr+"/"+c.spec.GRPCService, c.spec.GRPCUseTLS
		out.TLSSkipVerify, out.TLSServerName = c.spec.TLSSkipVerify, c.spec.TLSServerName
	}
	return out
}

func ownedPath(dir string) string { return filepath.Join(dir, "consul.json") }

// loadOwned reads what this node has registered in Consul. The map is never nil.
func loadOwned(dir string) (map[string]string, error) {
	owned := map[string]string{}
	data, err := os.ReadFile(ownedPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return owned, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &owned)
	}
	if err != nil {
		return map[string]string{}, fmt.Errorf("read what was registered in Consul: %w", err)
	}
	return owned, nil
}

// setOwned notes a registration, before it is done and after.
func (r *Runner) setOwned(c *consulSync, id, hash string) {
	if before, ok := c.owned[id]; !ok || before != hash {
		c.owned[id] = hash
		r.saveOwned(c)
	}
}

// saveOwned writes down what is registered. A full disk must not keep services from Consul, so an error is only told.
func (r *Runner) saveOwned(c *consulSync) {
	data, err := json.Marshal(c.owned)
	if err == nil {
		err = replaceFile(ownedPath(r.conf.Dir), data)
	}
	if err != nil {
		r.log.Error("a restart of the agent would lose what is registered in Consul", "error", err)
	}
}

// tellConsul passes on the result of a script.
func (r *Runner) tellConsul(c check, status, output string) {
	to := r.consul.Load()
	if to == nil || c.spec.Type != "script" || c.provider != providerConsul {
		return
	}
	word := map[string]string{checkSuccess: consul.Passing, checkWarning: consul.Warning}[status]
	ctx, cancel := context.WithTimeout(r.ctx, consulTime)
	defer cancel()
	if err := to.client.UpdateTTL(ctx, consulCheckID(c), cmp.Or(word, consul.Critical), output); err != nil {
		r.log.Debug("Consul does not take the result of a check", "check", c.spec.Name, "error", err)
	}
}
