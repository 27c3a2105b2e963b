package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/consul"
)

// consulInterval is how often Consul is looked at without a reason: it may have lost what it knew. (Nomad: 30 s.)
const consulInterval = 5 * time.Second

// consulSoon is how often it is looked at while somebody waits for the results of its checks.
const consulSoon = 250 * time.Millisecond

// consulTime bounds one look at Consul.
const consulTime = 10 * time.Second

// consulSync keeps Consul's agent in line with the allocations. One goroutine looks, so that no old look can register
// again what a newer one has removed.
type consulSync struct {
	client *consul.Client
	wake   chan struct{}

	// What this node has registered, by service ID: the hash of what it was, "" before it is known to be there. It is on
	// disk, for another agent may use the same Consul, and only the own registrations may be removed.
	owned map[string]string

	mu      sync.Mutex
	waiting []chan struct{} // closed after the next look
	failure error           // of the last look
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

// awaitConsul returns when Consul has been told what is wanted now, could not be told, or ctx has ended.
func (r *Runner) awaitConsul(ctx context.Context) {
	c := r.consul.Load()
	if c == nil {
		return
	}
	looked := make(chan struct{})
	c.mu.Lock()
	c.waiting = append(c.waiting, looked)
	c.mu.Unlock()
	r.consulChanged()
	select {
	case <-looked:
	case <-ctx.Done():
	case <-r.ctx.Done():
	case <-time.After(consulTime):
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
	c := &consulSync{client: client, wake: make(chan struct{}, 1)}
	var err error
	if c.owned, err = loadOwned(r.conf.Dir); err != nil {
		r.log.Error("services from before may be left in Consul", "error", err)
	}
	r.consul.Store(c)
	r.loops.Go(func() { r.keepConsul(c) })
	for id, a := range r.allocs {
		a.poke()
		r.markDirty(id)
	}
}

// keepConsul keeps Consul up to date until the Runner lets go.
func (r *Runner) keepConsul(c *consulSync) {
	for {
		c.mu.Lock()
		waiting := c.waiting
		c.waiting = nil
		c.mu.Unlock()
		soon, err := r.syncConsul(c)
		for _, looked := range waiting {
			close(looked)
		}
		if c.failed(err) && r.ctx.Err() == nil {
			r.log.Error("Consul does not have all services as they are", "error", err)
		}
		again := consulInterval
		switch {
		case err != nil:
			again = time.Second
		case soon:
			again = consulSoon
		}
		select {
		case <-r.ctx.Done():
			return
		case <-c.wake:
		case <-time.After(again):
		}
	}
}

// failed notes how a look has ended, and reports whether that is a failure that has not been told yet.
func (c *consulSync) failed(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := err != nil && (c.failure == nil || c.failure.Error() != err.Error())
	c.failure = err
	return fresh
}

// A consulWish is what one allocation wants of Consul.
type consulWish struct {
	alloc    *alloc
	services []*registration // nil while that is not known
	awaited  bool            // its health is being judged, by its checks too
}

// consulWishes gathers what is wanted. ok is false before the first Sync: nobody knows then.
func (r *Runner) consulWishes() (all []consulWish, ok bool) {
	r.mu.Lock()
	allocs := slices.Collect(maps.Values(r.allocs))
	unknown := r.leftovers != nil
	r.mu.Unlock()
	if unknown {
		return nil, false
	}
	slices.SortFunc(allocs, func(a, b *alloc) int { return strings.Compare(a.id, b.id) })
	for _, a := range allocs {
		a.mu.Lock()
		all = append(all, consulWish{alloc: a, services: a.services, awaited: a.watch != nil && a.watch.policy.checks})
		a.mu.Unlock()
	}
	return all, true
}

// inConsul are the services that Consul is to have.
func (w consulWish) inConsul() []*registration {
	return slices.DeleteFunc(slices.Clone(w.services), func(s *registration) bool { return s.provider != providerConsul })
}

// syncConsul registers what is missing in Consul, removes what this node has registered and no longer wants, and sees
// what Consul says of what is awaited. soon is whether anything is.
func (r *Runner) syncConsul(c *consulSync) (soon bool, err error) {
	wishes, ok := r.consulWishes()
	if !ok {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, consulTime)
	defer cancel()
	have, err := c.client.Services(ctx)
	if err != nil {
		return false, err
	}
	checks, err := c.client.Checks(ctx)
	if err != nil {
		return false, err
	}
	var problems []error
	wanted := map[string]bool{}
	for _, wish := range wishes {
		for _, s := range wish.inConsul() {
			wanted[s.ID] = true
			if err := wish.alloc.toConsul(ctx, c, s, have, checks); err != nil {
				problems = append(problems, fmt.Errorf("register %s: %w", s.ServiceName, err))
			}
		}
	}
	problems = append(problems, r.fromConsul(ctx, c, wishes, wanted, have))
	soon, err = r.settle(ctx, c, wishes)
	return soon, errors.Join(append(problems, err)...)
}

// fromConsul removes what this node has registered and nobody wants any more.
func (r *Runner) fromConsul(ctx context.Context, c *consulSync, wishes []consulWish, wanted map[string]bool, have map[string]consul.Service) error {
	var problems []error
	for _, id := range slices.Sorted(maps.Keys(have)) {
		if wanted[id] || !c.owns(id, wishes) {
			continue
		}
		if err := c.client.Deregister(ctx, id); err != nil {
			problems = append(problems, fmt.Errorf("remove %s: %w", id, err))
			continue
		}
		delete(have, id)
	}
	gone := func(id, _ string) bool {
		_, there := have[id]
		return !there && !wanted[id]
	}
	if before := len(c.owned); before > 0 {
		maps.DeleteFunc(c.owned, gone)
		if len(c.owned) < before {
			r.saveOwned(c)
		}
	}
	return errors.Join(problems...)
}

// owns reports whether a service that nobody wants has been registered by this node. Of an allocation that has just
// been taken up again nobody knows yet what it wants.
func (c *consulSync) owns(id string, wishes []consulWish) bool {
	for _, wish := range wishes {
		if strings.HasPrefix(id, serviceIDPrefix+wish.alloc.id+"-") {
			return wish.services != nil
		}
	}
	_, ok := c.owned[id]
	return ok
}

// usesConsul reports whether services of the allocation live in Consul. The caller holds mu.
func (a *alloc) usesConsul() bool {
	group := a.group()
	if group == nil || a.runner.consul.Load() == nil {
		return false
	}
	services := slices.Clone(group.Services)
	for _, t := range group.Tasks {
		services = append(services, t.Services...)
	}
	return slices.ContainsFunc(services, func(s *api.Service) bool { return cmp.Or(s.Provider, providerConsul) == providerConsul })
}

// whyUnsettled says what Consul lacks of an allocation whose own checks all pass. The caller holds mu.
func (a *alloc) whyUnsettled() string {
	if !a.usesConsul() || !a.settled.IsZero() {
		return ""
	}
	why := "Services not healthy by deadline: Consul does not have all of them with passing checks"
	c := a.runner.consul.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		why += ": " + c.failure.Error()
	}
	return why
}

// settle notes of the allocations whose health is judged whether Consul has their services, with passing checks. awaited
// is whether there are any.
func (r *Runner) settle(ctx context.Context, c *consulSync, wishes []consulWish) (awaited bool, err error) {
	known := map[string]map[string]map[string]string{}
	for _, wish := range wishes {
		services := wish.inConsul()
		if !wish.awaited || len(services) == 0 {
			wish.alloc.setSettled(wish.services, false)
			continue
		}
		awaited = true
		settled := true
		for _, s := range services {
			if known[s.ServiceName] == nil {
				if known[s.ServiceName], err = c.client.Health(ctx, s.ServiceName); err != nil {
					return true, err
				}
			}
			checks, there := known[s.ServiceName][s.ID]
			settled = settled && there && passesInConsul(s, checks)
		}
		wish.alloc.setSettled(wish.services, settled)
	}
	return awaited, nil
}

// setSettled notes whether Consul has the services of an allocation with passing checks.
func (a *alloc) setSettled(services []*registration, settled bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !slices.Equal(a.services, services): // they have changed since
		return
	case !settled:
		a.settled = time.Time{}
	case a.settled.IsZero():
		a.settled = time.Now()
		a.poke()
	}
}
