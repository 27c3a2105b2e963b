package telemetry

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-metrics"
)

// collector is where a statsd or a Datadog agent would listen.
func collector(t *testing.T) (address string, heard func() string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String(), func() string {
		packet := make([]byte, 1<<16)
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFrom(packet)
		if err != nil {
			t.Fatalf("nothing more is told: %v", err)
		}
		return string(packet[:n])
	}
}

// TestCollectors holds what goes over the wire, to a socket of UDP.
func TestCollectors(t *testing.T) {
	gauges := func() []Gauge {
		return []Gauge{{Name: []string{"nomad", "job_summary", "running"}, Value: 3, Labels: []metrics.Label{{Name: "job", Value: "web"}, {Name: "task_group", Value: "g"}}}}
	}
	for name, c := range map[string]struct {
		conf func(address string) Config
		want []string
		not  string
	}{
		"statsd": {
			func(address string) Config { return Config{Statsd: address, DisableHostname: true} },
			[]string{"nomad.nomad.job_summary.running.web.g:3.000000|g", "nomad.nomad.plan.submit:"},
			"|#",
		},
		"Datadog": {
			func(address string) Config {
				return Config{Datadog: address, DisableHostname: true, DatadogTags: []string{"env:ci", "team:web"}}
			},
			[]string{"nomad.nomad.job_summary.running:3", "|g|#", "job:web", "task_group:g", "env:ci", "team:web", "nomad.nomad.plan.submit:"},
			"host:",
		},
	} {
		t.Run(name, func(t *testing.T) {
			address, heard := collector(t)
			conf := c.conf(address)
			conf.Interval = time.Millisecond
			measured, err := New(conf)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				measured.Run(ctx, gauges)
				close(ended)
			}()
			defer func() {
				cancel()
				<-ended
				measured.Close()
			}()
			measured.Measure(time.Now().Add(-time.Second), "nomad", "plan", "submit")
			all := ""
			for _, want := range c.want {
				for !strings.Contains(all, want) {
					all += heard()
				}
			}
			if strings.Contains(all, c.not) {
				t.Errorf("told %q, which holds %q", all, c.not)
			}
		})
	}
}

// TestNobodyIsTold holds that without a collector nothing runs.
func TestNobodyIsTold(t *testing.T) {
	measured, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer measured.Close()
	measured.Run(t.Context(), func() []Gauge {
		t.Error("the gauges are read for nobody")
		return nil
	})
}
