package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/events"
	"ostro/orchestrator/monitor"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
	"ostro/orchestrator/telemetry"
)

// newAgent serves an agent without runners, and gives the real client of it.
func newAgent(t *testing.T, change ...func(*Config)) (*api.Client, Config) {
	t.Helper()
	config := testConfig(t)
	for _, c := range change {
		c(&config)
	}
	web := httptest.NewServer(New(config))
	t.Cleanup(func() {
		web.CloseClientConnections() // A stream that a failed test left open would wait for ever.
		web.Close()
	})
	client, err := api.NewClient(&api.Config{Address: web.URL, SecretID: config.Token})
	if err != nil {
		t.Fatal(err)
	}
	return client, config
}

// testJob is the smallest job that is valid.
func testJob(id string) *api.Job {
	task := api.NewTask("t", "raw_exec").SetConfig("command", "/bin/true")
	return api.NewServiceJob(id, id, "global", 50).AddDatacenter("*").AddTaskGroup(api.NewTaskGroup("g", 1).AddTask(task))
}

func register(t *testing.T, client *api.Client, job *api.Job) *api.JobRegisterResponse {
	t.Helper()
	reply, _, err := client.Jobs().Register(job, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// update writes to the store as the loop would.
func update(t *testing.T, c Config, fn func(*state.Txn)) {
	t.Helper()
	_, err := c.Store.Update(func(tx *state.Txn) error {
		fn(tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// refused demands an error of the API with a status and a text.
func refused(t *testing.T, err error, status int, text string) {
	t.Helper()
	unexpected, ok := errors.AsType[api.UnexpectedResponseError](err)
	if !ok {
		t.Fatalf("got %v, want status %d", err, status)
	}
	if unexpected.StatusCode() != status || unexpected.Body() != text {
		t.Errorf("got %d %q, want %d %q", unexpected.StatusCode(), unexpected.Body(), status, text)
	}
}

// testConfig is an agent without nodes, whose IDs count up.
func testConfig(t *testing.T) Config {
	t.Helper()
	broker := &events.Broker{}
	store, err := state.Open(state.Config{Committed: broker.Publish})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	measured, err := telemetry.New(telemetry.Config{Allocations: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(measured.Close)
	var n atomic.Int64
	clock := decide.Clock{
		Now:   func() time.Time { return time.Unix(1700000000, 0) },
		NewID: func() string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n.Add(1)) },
	}
	return Config{
		Store: store, Events: broker, Telemetry: measured, Monitor: &monitor.Hub{}, Runner: func(string) *runner.Runner { return nil },
		Gauges: func(context.Context) []telemetry.Gauge { return measured.Gauges(store.Snapshot(), telemetry.Use{}) },
		Region: "global", Datacenter: "dc1", Version: "0.1.0", Address: "127.0.0.1:4646",
		Clock: clock, Planner: decide.NewPlanner(clock),
	}
}
