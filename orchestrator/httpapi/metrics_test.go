package httpapi

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

func TestMetrics(t *testing.T) {
	client, c := withServices(t)
	c.Telemetry.Measure(time.Now(), "nomad", "plan", "submit")
	summary, _, err := client.Operator().MetricsSummary(nil)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float32{}
	for _, gauge := range summary.Gauges {
		if gauge.Name == "nomad.nomad.job_summary.running" && (gauge.DisplayLabels["job"] != "web" || gauge.DisplayLabels["task_group"] != "g" || gauge.DisplayLabels["host"] == "") {
			t.Errorf("the running allocations have the labels %v", gauge.DisplayLabels)
		}
		found[gauge.Name] += gauge.Value
	}
	for name, want := range map[string]float32{
		"nomad.nomad.job_summary.running": 2, "nomad.nomad.job_summary.failed": 0, "nomad.nomad.job_status.running": 1,
		"nomad.client.allocations.running": 2, "nomad.nomad.heartbeat.active": 1,
	} {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
		}
	}
	sampled := false
	for _, sample := range summary.Samples {
		sampled = sampled || sample.Name == "nomad.nomad.plan.submit" && sample.Count == 1
	}
	if !sampled {
		t.Errorf("the time of a plan is not among %v", summary.Samples)
	}
}

func TestPrometheus(t *testing.T) {
	client, c := withServices(t)
	c.Telemetry.Measure(time.Now(), "nomad", "plan", "submit")
	status, text, header := do(t, client.Address(), "GET", "/v1/metrics?format=prometheus", "", nil)
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Errorf("got %d, %s", status, header.Get("Content-Type"))
	}
	for _, want := range []string{"\nnomad_nomad_job_summary_running{", `namespace="default",task_group="g"} 2`, "\nnomad_nomad_plan_submit_count{", "\ngo_goroutines "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestMonitor(t *testing.T) {
	client, c := newAgent(t)
	stop := make(chan struct{})
	defer close(stop)
	frames, errs := client.Agent().Monitor(stop, &api.QueryOptions{Params: map[string]string{"log_level": "warn"}})
	log := slog.New(c.Monitor.Handler(slog.DiscardHandler))
	// The reader may not be there yet: the same line comes until it is seen.
	for {
		log.Info("not this one")
		log.Warn("disk is full", "free", "0 B", "node", "n")
		select {
		case frame := <-frames:
			if text := string(frame.Data); !strings.HasSuffix(text, ` [WARN]  disk is full: free="0 B" node=n`+"\n") {
				t.Errorf("got %q", text)
			}
			return
		case err := <-errs:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestMonitorRefusals(t *testing.T) {
	client, _ := newAgent(t)
	for query, want := range map[string]string{
		"log_level=x":           "Unknown log level: x",
		"log_json=x":            `Unknown option for log json: strconv.ParseBool: parsing "x": invalid syntax`,
		"node_id=a&server_id=b": "Cannot target node and server simultaneously",
	} {
		if status, text, _ := do(t, client.Address(), "GET", "/v1/agent/monitor?"+query, "", nil); status != 400 || text != want {
			t.Errorf("%s: got %d %q, want 400 %q", query, status, text, want)
		}
	}
}
