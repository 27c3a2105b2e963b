package runner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"ostro/orchestrator/consul"
	"ostro/orchestrator/template"
)

// Meta keys of what is registered in Consul. Nomad sets the first one, too; the others tell whose registration it is
// after a restart, and whether it is still right.
const (
	metaSource = "external-source"
	metaNode   = "ostro-node"
	metaHash   = "ostro-hash"
)

// consulInterval is how often Consul is looked at without a reason: it may have lost what it knew.
const consulInterval = 30 * time.Second

// consulTime bounds one look at Consul.
const consulTime = 10 * time.Second

// consulSync keeps Consul's agent in line with the allocations.
type consulSync struct {
	client *consul.Client
	wake   chan struct{}
	last   string // the error of the last look, so that it is told once
}

// consulChanged has Consul told of changed services.
func (r *Runner) consulChanged() {
	if c := r.consul.Load(); c != nil {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// UseConsul has the services with provider "consul" registered with client from now on, and no longer in the own
// catalogue.
func (r *Runner) UseConsul(client *consul.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.consul.Store(&consulSync{client: client, wake: make(chan struct{}, 1)})
	r.loops.Go(r.keepConsul)
	for id, a := range r.allocs {
		a.poke()
		r.markDirty(id)
	}
}

// keepConsul keeps Consul up to date until the Runner lets go.
func (r *Runner) keepConsul() {
	c := r.consul.Load()
	for {
		retry := time.After(consulInterval)
		if err := r.syncConsul(); err != nil {
			retry = time.After(time.Second)
			if text := err.Error(); text != c.last && r.ctx.Err() == nil {
				r.log.Error("services are not registered in Consul", "error", err)
				c.last = text
			}
		} else {
			c.last = ""
		}
		select {
		case <-r.ctx.Done():
			return
		case <-c.wake:
		case <-retry:
		}
	}
}

// syncConsul registers what is missing in Consul and removes what this node has registered and no longer wants.
func (r *Runner) syncConsul() error {
	r.mu.Lock()
	unknown := r.leftovers != nil // before the first Sync nobody knows what is wanted
	all := slices.Collect(maps.Values(r.allocs))
	r.mu.Unlock()
	if unknown {
		return nil
	}
	wanted, undecided := map[string]consul.Service{}, []string{}
	for _, a := range all {
		a.mu.Lock()
		if a.services == nil {
			undecided = append(undecided, a.id)
		}
		for _, s := range a.services {
			if s.provider == providerConsul {
				wanted[s.ID] = r.consulService(s)
			}
		}
		a.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(r.ctx, consulTime)
	defer cancel()
	client := r.consul.Load().client
	have, err := client.Services(ctx)
	if err != nil {
		return err
	}
	for id, s := range wanted {
		if meta, ok := have[id]; !ok || meta[metaHash] != s.Meta[metaHash] {
			if err := client.Register(ctx, s); err != nil {
				return err
			}
		}
	}
	for id, meta := range have {
		_, want := wanted[id]
		ours := meta[metaSource] == "nomad" && meta[metaNode] == r.conf.Node.ID
		if want || !ours || slices.ContainsFunc(undecided, func(alloc string) bool { return strings.Contains(id, alloc) }) {
			continue
		}
		if err := client.Deregister(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// consulService is a registration as Consul gets it.
func (r *Runner) consulService(s *registration) consul.Service {
	c := consul.Service{
		ID: s.ID, Name: s.ServiceName, Tags: s.Tags, Port: s.Port, Address: s.Address,
		Meta: map[string]string{}, EnableTagOverride: s.override,
	}
	maps.Copy(c.Meta, s.meta)
	for _, check := range s.checks {
		c.Checks = append(c.Checks, consulCheck(check))
	}
	identity, err := json.Marshal(c)
	if err == nil {
		sum := sha256.Sum256(identity)
		c.Meta[metaHash] = hex.EncodeToString(sum[:8])
	}
	c.Meta[metaSource], c.Meta[metaNode] = "nomad", r.conf.Node.ID
	return c
}

func consulCheckID(c check) string { return "_nomad-check-" + c.id }

// consulCheck is a check as Consul does it itself, also while no agent runs. Scripts are run by the agent, which tells
// the results.
func consulCheck(c check) consul.Check {
	interval, timeout := cmp.Or(c.spec.Interval, 10*time.Second), cmp.Or(c.spec.Timeout, 5*time.Second)
	out := consul.Check{
		CheckID: consulCheckID(c), Name: c.spec.Name, Status: c.spec.InitialStatus,
		SuccessBeforePassing: c.spec.SuccessBeforePassing, FailuresBeforeCritical: c.spec.FailuresBeforeCritical,
	}
	if c.spec.Type == "script" {
		out.TTL = (interval + timeout + 30*time.Second).String()
		return out
	}
	out.Interval, out.Timeout = interval.String(), timeout.String()
	switch c.spec.Type {
	case "http":
		out.HTTP = cmp.Or(c.spec.Protocol, "http") + "://" + c.addr + "/" + strings.TrimPrefix(c.spec.Path, "/")
		out.Method, out.Body, out.Header = c.spec.Method, c.spec.Body, c.spec.Header
		out.TLSSkipVerify, out.TLSServerName = c.spec.TLSSkipVerify, c.spec.TLSServerName
	case "tcp":
		out.TCP = c.addr
	case "grpc":
		out.GRPC, out.GRPCUseTLS = strings.TrimSuffix(c.addr+"/"+c.spec.GRPCService, "/"), c.spec.GRPCUseTLS
		out.TLSSkipVerify, out.TLSServerName = c.spec.TLSSkipVerify, c.spec.TLSServerName
	}
	return out
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
		r.log.Info("Consul does not take the result of a check", "check", c.spec.Name, "error", err)
	}
}

// templateConsul is Consul as templates see it; nil when there is none.
func (r *Runner) templateConsul() *template.Consul {
	c := r.consul.Load()
	if c == nil {
		return nil
	}
	ctx, client := r.ctx, c.client
	return &template.Consul{
		Key: func(path string) (string, bool, error) { return client.Get(ctx, path) },
		Keys: func(prefix string) ([]*template.KeyPair, error) {
			pairs, err := client.List(ctx, prefix)
			var all []*template.KeyPair
			for _, p := range pairs {
				key := strings.TrimPrefix(strings.TrimPrefix(p.Key, prefix), "/")
				all = append(all, &template.KeyPair{Path: p.Key, Key: key, Value: string(p.Value)})
			}
			return all, err
		},
		Service: func(name, tag string) ([]*template.ConsulService, error) {
			instances, err := client.Healthy(ctx, name, tag)
			var all []*template.ConsulService
			for _, i := range instances {
				all = append(all, &template.ConsulService{
					Node: i.Node.Node, NodeID: i.Node.ID, NodeAddress: i.Node.Address, NodeDatacenter: i.Node.Datacenter,
					ID: i.Service.ID, Name: i.Service.Service, Address: cmp.Or(i.Service.Address, i.Node.Address),
					Tags: i.Service.Tags, ServiceMeta: i.Service.Meta, Port: i.Service.Port, Status: consul.Passing,
				})
			}
			slices.SortFunc(all, func(a, b *template.ConsulService) int { return cmp.Compare(a.ID, b.ID) })
			return all, err
		},
		Services: func() ([]*template.ServiceName, error) {
			catalogue, err := client.Catalogue(ctx)
			var all []*template.ServiceName
			for _, name := range slices.Sorted(maps.Keys(catalogue)) {
				all = append(all, &template.ServiceName{Name: name, Tags: catalogue[name]})
			}
			return all, err
		},
	}
}
