package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/events"
	"ostro/orchestrator/monitor"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
	"ostro/orchestrator/telemetry"
	"ostro/orchestrator/webui"
)

// Config is what the API answers from.
type Config struct {
	// Store holds the state.
	Store *state.Store
	// Events keeps what the store's last writes changed.
	Events *events.Broker
	// Telemetry measures, Gauges tells what there is now; Monitor follows the log.
	Telemetry *telemetry.Telemetry
	Gauges    func(context.Context) []telemetry.Gauge
	Monitor   *monitor.Hub
	// Runner gives the runner of a node, or nil for a node that is not ours.
	Runner func(nodeID string) *runner.Runner
	// Disconnect takes one of our nodes out of reach, Reconnect brings it back.
	Disconnect, Reconnect func(nodeID string) error
	// Name is the server's; the machine's by default.
	Name string
	// Region, Datacenter and Version are what the agent says of itself.
	Region, Datacenter, Version string
	// Address is the HOST:PORT on which the API is served.
	Address string
	// Token, when set, is what every request has to bear.
	Token string
	// ACL demands of every request a token that may do what it asks for.
	ACL bool
	// Clock gives times and IDs.
	Clock decide.Clock
	// Planner tells what an evaluation would decide.
	Planner *decide.Planner
	// Log hears of what goes wrong on our side; nothing by default.
	Log *slog.Logger
}

// server holds what the handlers share. It is constant after New.
type server struct {
	Config
	id    string
	began time.Time
	// compressors are of *gzip.Writer: each has tables of a megabyte.
	compressors sync.Pool
}

// New gives the handler of the whole API.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Name == "" {
		c.Name = hostName()
	}
	s := &server{Config: c, id: c.Clock.NewID(), began: c.Clock.Now()}
	mux := s.mux(s.routes(), s.tableRoutes(), s.aclRoutes(), s.operatorRoutes(), s.unsupportedRoutes())
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	mux.Handle("/{$}", webui.Handler())
	mux.Handle(webui.Root, webui.Handler())
	pools := s.mux(s.poolRoutes())
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One mux cannot tell /v1/node/pool/ID from /v1/node/ID/drain.
		if strings.HasPrefix(r.URL.Path, "/v1/node/pool/") {
			pools.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

func (s *server) mux(tables ...map[string]route) *http.ServeMux {
	mux := http.NewServeMux()
	for _, routes := range tables {
		for path, route := range routes {
			mux.Handle(path, s.adapt(route))
		}
	}
	return mux
}

// isOurRegion tells whether a request is for us; one that names no region is.
func (s *server) isOurRegion(name string) bool {
	return name == "" || name == s.Region || strings.EqualFold(name, s.Region)
}
