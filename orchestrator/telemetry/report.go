package telemetry

import (
	"net/http"
	"strings"

	"github.com/hashicorp/go-metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Summary is what there is, and what happened in the last full interval, in the
// form of Nomad's /v1/metrics.
func (t *Telemetry) Summary(gauges []Gauge) (metrics.MetricsSummary, error) {
	// The sink looks at the query of a request, and there is none.
	value, err := t.memory.DisplayMetrics(nil, &http.Request{})
	if err != nil {
		return metrics.MetricsSummary{}, err
	}
	summary := value.(metrics.MetricsSummary)
	summary.Gauges = []metrics.GaugeValue{}
	for _, gauge := range t.withHost(gauges) {
		labels := map[string]string{}
		for _, label := range gauge.Labels {
			labels[label.Name] = label.Value
		}
		summary.Gauges = append(summary.Gauges, metrics.GaugeValue{
			Name: service + "." + strings.Join(gauge.Name, "."), Value: gauge.Value, DisplayLabels: labels,
		})
	}
	return summary, nil
}

// ServePrometheus writes the same in the text format of Prometheus.
func (t *Telemetry) ServePrometheus(w http.ResponseWriter, r *http.Request, gauges []Gauge) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(t.process, gaugeCollector(t.withHost(gauges)))
	// The sink describes itself as it likes; unchecked, it may.
	registry.MustRegister(unchecked{t.samples})
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
}

// gaugeCollector shows gauges to Prometheus.
type gaugeCollector []Gauge

func (gaugeCollector) Describe(chan<- *prometheus.Desc) {}

func (g gaugeCollector) Collect(into chan<- prometheus.Metric) {
	for _, gauge := range g {
		var names, values []string
		for _, label := range gauge.Labels {
			names, values = append(names, prometheusName(label.Name)), append(values, label.Value)
		}
		name := prometheusName(service + "_" + strings.Join(gauge.Name, "_"))
		metric, err := prometheus.NewConstMetric(prometheus.NewDesc(name, name, names, nil), prometheus.GaugeValue, float64(gauge.Value), values...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(prometheus.NewDesc(name, name, nil, nil), err)
		}
		into <- metric
	}
}

// prometheusName replaces what Prometheus does not take in a name.
func prometheusName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, name)
}

// unchecked is a collector that does not say beforehand what it has.
type unchecked struct{ prometheus.Collector }

func (unchecked) Describe(chan<- *prometheus.Desc) {}
