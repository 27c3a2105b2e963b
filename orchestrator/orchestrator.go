package orchestrator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-connlimit"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/blob"
	"ostro/orchestrator/consul"
	"ostro/orchestrator/decide"
	"ostro/orchestrator/driver"
	"ostro/orchestrator/events"
	"ostro/orchestrator/httpapi"
	"ostro/orchestrator/monitor"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
	"ostro/orchestrator/telemetry"
)

// Config says how an orchestrator runs. The zero value of a field that is not
// marked as needed has a default.
type Config struct {
	// Listen is the address of the API, "127.0.0.1:4646" by default; port 0
	// takes a free one.
	Listen string
	// DataDir holds everything that outlives the process. Needed.
	DataDir string
	// Supervisor is the command line that runs driver.Supervise. Needed.
	Supervisor []string
	// Nodes is the number of client nodes, 1 by default.
	Nodes int
	// ServerOnly leaves out the client nodes: jobs wait for one.
	ServerOnly bool
	// Node is what the client nodes say of themselves.
	Node Node
	// Heartbeat is how often a node tells that it is there, 10 seconds by default.
	Heartbeat time.Duration
	// Region and Datacenter are "global" and "dc1" by default.
	Region, Datacenter string
	// Advertise is the HOST:PORT under which others reach the API; by default the
	// address that it listens on.
	Advertise string
	// TLS, when set, is how the API is served.
	TLS *tls.Config
	// Token, when set, is what every request has to bear.
	Token string
	// Version is what the API reports as the version of the agent.
	Version string
	// Consul is the HTTP address of a Consul agent, by default CONSUL_HTTP_ADDR,
	// else 127.0.0.1:8500; ConsulToken is CONSUL_HTTP_TOKEN by default. As long as
	// none answers, its services live in the own catalogue.
	Consul, ConsulToken string
	// ConsulTLS, when set, is how Consul is spoken to.
	ConsulTLS *tls.Config
	// ACL demands of every request a token that may do what it asks for.
	ACL bool
	// Telemetry says who is told what is measured.
	Telemetry telemetry.Config
	// ConnectionsPerClient is how many connections one address may have open,
	// 4,096 by default; a negative number sets no bound. (Nomad has 100, which one
	// machine with many watchers exceeds.)
	ConnectionsPerClient int
	// Log hears of what goes wrong; nothing by default.
	Log *slog.Logger
}

// Orchestrator is a running one.
type Orchestrator struct {
	conf        Config
	store       *state.Store
	blobs       *blob.Store
	drivers     *driver.Set
	consul      *consul.Client // nil where no Consul answers
	consulError error          // why it is nil
	runners     map[string]*runner.Runner
	// nodes numbers the nodes by ID, and found is what the machine is.
	nodes   map[string]int
	found   *api.Node
	planner *decide.Planner
	loop    *loop
	// report takes what the runner of a node says.
	report  func(nodeID string, updates []runner.Update)
	events  events.Broker
	monitor monitor.Hub
	measure *telemetry.Telemetry

	api, s3     *http.Server
	addr        string
	credentials S3

	cancel     context.CancelFunc
	serving    chan error
	background sync.WaitGroup
}

// S3 is how to reach the orchestrator's own S3-compatible store.
type S3 struct{ Endpoint, AccessKey, SecretKey string }

// Start brings up the state in c.DataDir, takes up the tasks that run from
// before, and serves. It returns when the API answers; ctx bounds only the
// start. A port that is taken is an error.
func Start(ctx context.Context, c Config) (*Orchestrator, error) {
	o := &Orchestrator{conf: c.withDefaults(), runners: map[string]*runner.Runner{}, nodes: map[string]int{}, serving: make(chan error, 2)}
	o.conf.Log = slog.New(o.monitor.Handler(o.conf.Log.Handler()))
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	o.cancel = cancel
	if err := o.start(ctx, running); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:4646"
	}
	if c.Nodes == 0 {
		c.Nodes = 1
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 10 * time.Second
	}
	if c.Region == "" {
		c.Region = api.GlobalRegion
	}
	if c.Datacenter == "" {
		c.Datacenter = "dc1"
	}
	if c.ConnectionsPerClient == 0 {
		c.ConnectionsPerClient = 4096
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (o *Orchestrator) start(ctx, running context.Context) error {
	listener, err := net.Listen("tcp", o.conf.Listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	o.addr = listener.Addr().String()
	if o.conf.TLS != nil {
		listener = tls.NewListener(listener, o.conf.TLS)
	}
	if err := o.openStores(); err != nil {
		listener.Close()
		return err
	}
	if err := o.serveBlobs(); err != nil {
		listener.Close()
		return err
	}
	if err := o.startNodes(ctx); err != nil {
		listener.Close()
		return err
	}
	o.loop.begin(running)
	o.background.Go(func() { o.awaitConsul(running) })
	o.background.Go(func() { freeLocks(running, o.store, o.conf.Log) })
	o.background.Go(func() {
		o.measure.Run(running, func() []telemetry.Gauge { return o.gauges(running) })
	})
	// One too many is answered 429. (Nomad: the same.)
	limiter := connlimit.NewLimiter(connlimit.Config{MaxConnsPerClientIP: max(0, o.conf.ConnectionsPerClient)})
	o.api = o.server(o.handler())
	o.api.ConnState = limiter.HTTPConnStateFuncWithDefault429Handler(refusalTime)
	go func() { o.serving <- o.api.Serve(listener) }()
	return nil
}

// refusalTime is how long a client may take to hear that it has too many
// connections.
const refusalTime = 10 * time.Millisecond

func (o *Orchestrator) server(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(o.conf.Log.Handler(), slog.LevelWarn)}
}

// openStores opens the state first: its lock keeps a second process out.
func (o *Orchestrator) openStores() error {
	var err error
	if o.measure, err = telemetry.New(o.conf.Telemetry); err != nil {
		return err
	}
	o.wire(clock())
	dir := filepath.Join(o.conf.DataDir, "server")
	seal, err := loadSeal(dir)
	if err != nil {
		return err
	}
	store, err := state.Open(state.Config{Dir: dir, Committed: o.committed, Seal: seal})
	if err != nil {
		return err
	}
	if store.Aside() != "" {
		o.conf.Log.Warn("the state file was damaged, and is made again of its copy and the journal", "the damaged one", store.Aside())
	}
	o.store, o.loop.store = store, store
	o.planner.Load(store.Snapshot())
	keys, err := loadKeys(filepath.Join(o.conf.DataDir, "s3.keys"))
	if err != nil {
		return err
	}
	o.credentials = S3{AccessKey: keys.Access, SecretKey: keys.Secret}
	o.blobs, err = blob.Open(blob.Config{
		Dir: filepath.Join(o.conf.DataDir, "s3"), AccessKey: keys.Access, SecretKey: keys.Secret, Log: o.conf.Log,
	})
	if err != nil {
		return fmt.Errorf("open the S3 store: %w", err)
	}
	return nil
}

// wire makes those who decide.
func (o *Orchestrator) wire(clock decide.Clock) {
	o.planner = decide.NewPlanner(clock)
	o.loop = newLoop(loopConfig{
		log: o.conf.Log, telemetry: o.measure, Planner: o.planner, runners: o.runners, heartbeat: o.conf.Heartbeat, node: o.describeAgain,
	})
	o.report = o.loop.report
}

// committed tells of a write those that follow every one.
func (o *Orchestrator) committed(index uint64, changes state.Changes) {
	o.planner.Committed(index, changes)
	o.events.Publish(index, changes)
	o.loop.committed(index, changes)
}

// serveBlobs puts the S3 store beside the API, on a port of its own on the
// loopback interface.
func (o *Orchestrator) serveBlobs() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for S3: %w", err)
	}
	o.credentials.Endpoint = "http://" + listener.Addr().String()
	o.s3 = o.server(o.blobs.Handler())
	go func() { o.serving <- o.s3.Serve(listener) }()
	return nil
}

func (o *Orchestrator) handler() http.Handler {
	return httpapi.New(httpapi.Config{
		Store: o.store, Events: &o.events, Telemetry: o.measure, Gauges: o.gauges, Monitor: &o.monitor,
		Runner: func(nodeID string) *runner.Runner { return o.runners[nodeID] }, Disconnect: o.Disconnect, Reconnect: o.Reconnect,
		Name: o.conf.Node.Name, Region: o.conf.Region, Datacenter: o.conf.Datacenter, Version: o.conf.Version, Address: o.addr,
		Token: o.conf.Token, ACL: o.conf.ACL, Clock: o.planner.Clock, Planner: o.planner, Log: o.conf.Log,
	})
}

// clock is the world's time and chance, for everything that may not ask for it.
func clock() decide.Clock { return decide.NewClock(time.Now, uuid.NewString) }

// Addr is the HOST:PORT of the API.
func (o *Orchestrator) Addr() string { return o.addr }

// S3 tells how to reach the store of artifacts.
func (o *Orchestrator) S3() S3 { return o.credentials }

// CreateBucket makes a bucket in the store of artifacts, if it is not there.
func (o *Orchestrator) CreateBucket(name string) error { return o.blobs.CreateBucket(name) }

// Wait returns when ctx ends, or with the error that keeps the orchestrator
// from serving.
func (o *Orchestrator) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-o.serving:
		return fmt.Errorf("serve: %w", err)
	}
}

// killWithin bounds the end of what had to be killed.
const killWithin = 10 * time.Second

// Stop ends all tasks and then the orchestrator. The jobs stay: the next start
// runs their tasks again. Tasks that take longer than ctx are killed, and the error
// is that of ctx.
func (o *Orchestrator) Stop(ctx context.Context) error {
	o.loop.end()
	errs := o.stopNodes(ctx)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), killWithin)
	defer cancel()
	// What took too long, and what an earlier start with more nodes has left.
	errs = append(errs, o.kill(ending))
	errs = append(errs, o.drivers.End(ending), o.loop.giveUpAllocs(), o.Close())
	return errors.Join(errs...)
}

// kill ends the tasks that are left, at once.
func (o *Orchestrator) kill(ctx context.Context) error {
	dir, err := filepath.Abs(o.conf.DataDir)
	if err != nil {
		return fmt.Errorf("find the tasks that are left: %w", err)
	}
	for found, err := range o.drivers.Tasks(ctx, dir) {
		if err != nil {
			return err
		}
		d, _ := o.drivers.Get(found.Driver)
		if err := d.Signal(ctx, found.ID, "SIGKILL"); err != nil {
			o.conf.Log.Debug("a task cannot be killed, it may have ended", "task", found.ID, "error", err)
		}
	}
	return nil
}

// stopNodes ends the tasks of all nodes at once.
func (o *Orchestrator) stopNodes(ctx context.Context) []error {
	stopped := make(chan error, len(o.runners))
	for id, r := range o.runners {
		// The loop may not have told the node yet what it runs, and what is not
		// known cannot be ended.
		r.Sync(o.store.Snapshot().AllocsByNode(nil, id))
		go func() { stopped <- r.Stop(ctx) }()
	}
	var errs []error
	for range o.runners {
		errs = append(errs, <-stopped)
	}
	return errs
}

// Close ends the orchestrator and leaves the tasks running: the next start
// takes them up.
func (o *Orchestrator) Close() error {
	o.cancel()
	o.background.Wait()
	var errs []error
	for _, server := range []*http.Server{o.api, o.s3} {
		if server != nil {
			errs = append(errs, server.Close())
		}
	}
	if o.loop != nil {
		o.loop.end()
	}
	for _, r := range o.runners {
		r.Detach()
	}
	if o.drivers != nil {
		errs = append(errs, o.drivers.Close())
	}
	if o.blobs != nil {
		errs = append(errs, o.blobs.Close())
	}
	if o.store != nil {
		errs = append(errs, o.store.Close())
	}
	if o.measure != nil {
		o.measure.Close()
	}
	return errors.Join(errs...)
}
