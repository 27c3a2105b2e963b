package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/consul"
	"ostro/orchestrator/driver"
)

// Config is what a Runner needs.
type Config struct {
	Dir     string      // absolute path of the node's data folder
	Node    *api.Node   // for ${node.*}, ${attr.*} and ${meta.*}
	Drivers *driver.Set // run the tasks, those of other nodes, too; they outlive the Runner

	// Report is called with client-side changes, oldest first, never concurrently, and never from within a call of
	// the Runner's methods. After the first Sync it is called for every allocation that is not terminal. It must return
	// before Stop or Detach can.
	Report func([]Update)

	// Bucket says whether a bucket of S3 is in the agent's own store, and how to get at it. May be nil.
	Bucket func(bucket string) (S3Endpoint, bool)

	// View returns the state as templates see it. Default: there is nothing.
	View func() View

	// Consul gets the services with provider "consul", and answers templates. nil: there is none, and they are in the
	// own catalogue.
	Consul *consul.Client

	// Fetch bounds the downloads of artifacts.
	Fetch FetchLimits

	// MaxKillTimeout caps the kill_timeout of tasks. Default 30s (Nomad: max_kill_timeout).
	MaxKillTimeout time.Duration

	// Now is the clock. Default: time.Now.
	Now func() time.Time

	Log *slog.Logger
}

// An S3Endpoint is an S3-compatible store and the keys to it.
type S3Endpoint struct {
	URL                  string // "http://127.0.0.1:4647"
	AccessKey, SecretKey string
}

// An Update is the client's side of one allocation, whole.
type Update struct {
	AllocID           string
	ClientStatus      string
	ClientDescription string
	TaskStates        map[string]*api.TaskState
	DeploymentID      string                     // the deployment that DeploymentStatus is about
	DeploymentStatus  *api.AllocDeploymentStatus // nil while there is no verdict; Healthy and Timestamp are set
	NetworkStatus     *api.AllocNetworkStatus
	Services          []*api.ServiceRegistration // all that is registered now; nil when that is not known yet
}

// A Runner runs the allocations of one node.
type Runner struct {
	conf Config
	log  *slog.Logger

	consul atomic.Pointer[consulSync] // nil without Consul

	ctx    context.Context // ends when the Runner lets go of its tasks
	cancel context.CancelFunc
	loops  sync.WaitGroup
	chores sync.WaitGroup // removals under way, which a Stop waits for

	mu     sync.Mutex
	allocs map[string]*alloc
	closed bool

	// What the drivers knew when the Runner began, by allocation; nil after the first Sync.
	leftovers map[string][]driver.Found

	dirtyMu sync.Mutex
	dirty   []string        // IDs of allocations to report, in order of their first change
	waiting []chan struct{} // closed when all that is dirty now has been reported
	wake    chan struct{}   // gets a value when dirty is not empty
}

// New prepares a node. Tasks that run from before are taken up by the first Sync.
func New(ctx context.Context, c Config) (*Runner, error) {
	if c.MaxKillTimeout == 0 {
		c.MaxKillTimeout = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.View == nil {
		c.View = noView
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Node == nil {
		c.Node = &api.Node{}
	}
	for _, dir := range []string{allocsDir(c.Dir), statesDir(c.Dir)} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("prepare the node's folder: %w", err)
		}
	}
	r := &Runner{
		conf:   c,
		log:    c.Log,
		allocs: map[string]*alloc{},
		wake:   make(chan struct{}, 1),
	}
	r.leftovers = map[string][]driver.Found{}
	for found, err := range c.Drivers.Tasks(ctx, c.Dir) {
		if err != nil {
			return nil, err
		}
		allocID, _, _ := splitRunID(found.ID)
		r.leftovers[allocID] = append(r.leftovers[allocID], found)
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.loops.Go(r.report)
	r.loops.Go(r.collectLoop)
	if c.Consul != nil {
		r.UseConsul(c.Consul)
	}
	return r, nil
}

func allocsDir(dir string) string { return filepath.Join(dir, "alloc") }
func statesDir(dir string) string { return filepath.Join(dir, "client") }

// Sync makes the node run exactly allocs: the full list of the node's allocations, with their jobs. New ones start
// (after their previous allocation, if that is here and not terminal), those whose desired status is stop or evict are
// stopped, changed ones are updated in place, and those that are not in the list are stopped and their folders removed.
func (r *Runner) Sync(allocs []*api.Allocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	wanted := make(map[string]bool, len(allocs))
	for _, a := range allocs {
		wanted[a.ID] = true
	}
	var gone []string
	for id := range r.allocs {
		if !wanted[id] {
			gone = append(gone, id)
		}
	}
	r.take(allocs, gone)
	if r.leftovers != nil {
		strays := r.strays()
		r.leftovers = nil
		r.chores.Go(func() { r.removeStrays(strays, wanted) })
	}
}

// Change does as Sync does, for some of the allocations: those that have changed or are new, and those that are gone. Its
// cost does not grow with the others. Before the first Sync it does nothing.
func (r *Runner) Change(changed []*api.Allocation, gone []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed && r.leftovers == nil {
		r.take(changed, gone)
	}
}

// take takes allocations in, and lets go of those that are gone. The caller holds mu.
func (r *Runner) take(allocs []*api.Allocation, gone []string) {
	for _, a := range allocs {
		if have, ok := r.allocs[a.ID]; ok {
			have.update(a)
		}
	}
	for _, a := range allocs {
		if _, ok := r.allocs[a.ID]; !ok {
			r.allocs[a.ID] = newAlloc(r, a, r.leftovers[a.ID])
		}
	}
	for _, a := range allocs {
		r.allocs[a.ID].begin(r.allocs[a.PreviousAllocation])
	}
	for _, id := range gone {
		if have := r.allocs[id]; have != nil {
			delete(r.allocs, id)
			r.chores.Go(have.destroy)
		}
	}
}

// strays returns the runs from before that no allocation has taken up. The caller holds mu.
func (r *Runner) strays() (left []driver.Found) {
	taken := map[string]bool{}
	for _, a := range r.allocs {
		for _, t := range a.tasks {
			taken[a.state(t).Run] = true
		}
	}
	for _, all := range r.leftovers {
		for _, found := range all {
			if !taken[found.ID] {
				left = append(left, found)
			}
		}
	}
	return left
}

// removeStrays ends tasks and removes folders of allocations that went away while no agent ran.
func (r *Runner) removeStrays(strays []driver.Found, wanted map[string]bool) {
	for _, found := range strays {
		d, ok := r.conf.Drivers.Get(found.Driver)
		if !ok {
			continue
		}
		if err := errors.Join(d.Stop(r.ctx, found.ID, "", 0), d.Forget(r.ctx, found.ID)); err != nil {
			r.log.Error("a task of a removed allocation cannot be ended", "task", found.ID, "error", err)
		}
	}
	entries, err := os.ReadDir(allocsDir(r.conf.Dir))
	if err != nil {
		r.log.Error("old allocation folders cannot be listed", "error", err)
	}
	for _, e := range entries {
		if wanted[e.Name()] {
			continue
		}
		if err := removeAlloc(r.conf.Dir, e.Name()); err != nil {
			r.log.Error("an old allocation folder cannot be removed", "error", err)
		}
	}
}

// Stop ends every task in the order of its lifecycle; a poststop task has its kill_timeout to end by itself. When ctx ends first, what is left goes on and an error tells so.
func (r *Runner) Stop(ctx context.Context) error {
	for _, a := range r.close() {
		r.chores.Go(func() { a.leave(ctx) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.chores.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	r.letGo()
	if ctx.Err() != nil {
		return fmt.Errorf("stop all tasks: %w", ctx.Err())
	}
	return nil
}

// Detach lets go of all tasks and leaves them running: the next Runner of the same folder takes them up.
func (r *Runner) Detach() {
	r.close()
	r.letGo()
}

func (r *Runner) letGo() {
	r.cancel()
	r.loops.Wait()
	r.chores.Wait()
}

func (r *Runner) close() []*alloc {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	all := make([]*alloc, 0, len(r.allocs))
	for _, a := range r.allocs {
		all = append(all, a)
	}
	return all
}

// lookup finds an allocation. The error is what Nomad says of an unknown one.
func (r *Runner) lookup(allocID string) (*alloc, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.allocs[allocID]
	if !ok {
		return nil, unknownAlloc(allocID)
	}
	return a, nil
}

func unknownAlloc(id string) error { return refusal(fmt.Sprintf("Unknown allocation %q", id)) }

// AllocDir returns the folder of an allocation of this node.
func (r *Runner) AllocDir(allocID string) (string, bool) {
	a, err := r.lookup(allocID)
	if err != nil {
		return "", false
	}
	return a.dir, true
}

// markDirty has the allocation reported.
func (r *Runner) markDirty(allocID string) {
	r.dirtyMu.Lock()
	for _, id := range r.dirty {
		if id == allocID {
			r.dirtyMu.Unlock()
			return
		}
	}
	r.dirty = append(r.dirty, allocID)
	r.dirtyMu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// flush returns when what is to be known of the allocation now has been reported, and is in Consul, or ctx has ended.
func (r *Runner) flush(ctx context.Context, allocID string) {
	sent := make(chan struct{})
	r.dirtyMu.Lock()
	r.waiting = append(r.waiting, sent)
	r.dirtyMu.Unlock()
	r.markDirty(allocID)
	r.awaitConsul(ctx)
	select {
	case <-sent:
	case <-ctx.Done():
	case <-r.ctx.Done():
	}
}

// reportDelay gathers changes that come in a row.
const reportDelay = 20 * time.Millisecond

// report hands changes to Config.Report until the Runner lets go.
func (r *Runner) report() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
		}
		select {
		case <-r.ctx.Done():
		case <-time.After(reportDelay):
		}
		r.dirtyMu.Lock()
		ids := r.dirty
		waiting := r.waiting
		r.dirty, r.waiting = nil, nil
		r.dirtyMu.Unlock()
		var updates []Update
		for _, id := range ids {
			if a, err := r.lookup(id); err == nil {
				updates = append(updates, a.report())
			}
		}
		if len(updates) > 0 && r.conf.Report != nil {
			r.conf.Report(updates)
		}
		for _, sent := range waiting {
			close(sent)
		}
	}
}
