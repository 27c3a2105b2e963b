package telemetry

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/go-metrics/datadog"
	gometricsprom "github.com/hashicorp/go-metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Config says who is told what is measured. The zero value keeps it in memory,
// for who asks. (Nomad: the telemetry block of the agent's configuration.)
type Config struct {
	// Statsd and Datadog are HOST:PORT of collectors.
	Statsd, Datadog string
	// DatadogTags are KEY:VALUE tags of all metrics.
	DatadogTags []string
	// Interval is how often the collectors are told, 1 s by default.
	Interval time.Duration
	// Allocations and Nodes publish what single allocations and nodes use.
	Allocations, Nodes bool
	// DisableHostname leaves the label "host" out.
	DisableHostname bool
}

// What is kept of the past for who asks. (Nomad.)
const (
	interval = 10 * time.Second
	retained = time.Minute
)

// expiration is for how long what was counted is told after its last change. There
// are counters for each allocation, so they must not stay for ever.
const expiration = 10 * time.Minute

// Telemetry measures. It is safe for concurrent use.
type Telemetry struct {
	conf    Config
	host    string
	metrics *metrics.Metrics
	memory  *metrics.InmemSink
	samples *gometricsprom.PrometheusSink
	process prometheus.Collector
	// pushed are the sinks that are told of gauges.
	pushed metrics.FanoutSink
}

// New prepares the sinks. A collector that does not answer is no error.
func New(c Config) (*Telemetry, error) {
	if c.Interval <= 0 {
		c.Interval = time.Second
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find the name of this machine: %w", err)
	}
	t := &Telemetry{conf: c, host: host, memory: metrics.NewInmemSink(interval, retained), process: collectors.NewGoCollector()}
	// A registry of its own, which nobody reads, keeps the sink out of the
	// process-wide one.
	t.samples, err = gometricsprom.NewPrometheusSinkFrom(gometricsprom.PrometheusOpts{Expiration: expiration, Registerer: prometheus.NewRegistry()})
	if err != nil {
		return nil, fmt.Errorf("prepare the metrics for Prometheus: %w", err)
	}
	if err := t.connect(); err != nil {
		return nil, err
	}
	conf := metrics.DefaultConfig(service)
	conf.EnableHostname, conf.EnableHostnameLabel, conf.HostName = false, !c.DisableHostname, host
	conf.EnableRuntimeMetrics = false // They are gauges, too.
	t.metrics, err = metrics.New(conf, append(metrics.FanoutSink{t.memory, t.samples}, t.pushed...))
	if err != nil {
		return nil, fmt.Errorf("prepare the metrics: %w", err)
	}
	return t, nil
}

func (t *Telemetry) connect() error {
	if t.conf.Statsd != "" {
		sink, err := metrics.NewStatsdSink(t.conf.Statsd)
		if err != nil {
			return fmt.Errorf("reach statsd at %s: %w", t.conf.Statsd, err)
		}
		t.pushed = append(t.pushed, sink)
	}
	if t.conf.Datadog != "" {
		sink, err := datadog.NewDogStatsdSink(t.conf.Datadog, t.host)
		if err != nil {
			return fmt.Errorf("reach Datadog at %s: %w", t.conf.Datadog, err)
		}
		sink.SetTags(t.conf.DatadogTags)
		t.pushed = append(t.pushed, sink)
	}
	return nil
}

// service is the first word of every name; most begin with it twice. (Nomad.)
const service = "nomad"

// Measure notes how long something took that began at start. A nil Telemetry
// measures nothing.
func (t *Telemetry) Measure(start time.Time, name ...string) {
	if t != nil {
		t.metrics.MeasureSince(name, start)
	}
}

// Run tells the collectors at each interval what there is, and forgets what has
// expired, until ctx ends.
func (t *Telemetry) Run(ctx context.Context, read func() []Gauge) {
	t.samples.RunBackgroundCleanup(ctx) // The sink itself forgets only when somebody reads it.
	if len(t.pushed) == 0 {
		return
	}
	tick := time.NewTicker(t.conf.Interval)
	defer tick.Stop()
	for {
		for _, gauge := range t.withHost(read()) {
			t.pushed.SetGaugeWithLabels(append([]string{service}, gauge.Name...), gauge.Value, gauge.Labels)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close sends what is left to the collectors.
func (t *Telemetry) Close() { t.metrics.Shutdown() }

// withHost adds the label that every metric has.
func (t *Telemetry) withHost(gauges []Gauge) []Gauge {
	if t.conf.DisableHostname {
		return gauges
	}
	for i := range gauges {
		gauges[i].Labels = append(gauges[i].Labels, metrics.Label{Name: "host", Value: t.host})
	}
	return gauges
}
