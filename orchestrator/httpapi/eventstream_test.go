package httpapi

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/events"
	"ostro/orchestrator/state"
)

// streamed follows the stream with the real client; the frames that come stop
// with the test.
func streamed(t *testing.T, client *api.Client, topics map[api.Topic][]string, index uint64, q *api.QueryOptions) <-chan *api.Events {
	t.Helper()
	frames, err := client.EventStream().Stream(t.Context(), topics, index, q)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// next gives the next frame that is no heartbeat.
func next(t *testing.T, frames <-chan *api.Events) *api.Events {
	t.Helper()
	for frame := range frames {
		switch {
		case frame.Err != nil:
			t.Fatal(frame.Err)
		case !frame.IsHeartbeat():
			return frame
		}
	}
	t.Fatal("the stream ended")
	return nil
}

func TestEventStream(t *testing.T) {
	client, c := withServices(t)
	all := streamed(t, client, nil, 0, nil)
	registered := next(t, all)
	if len(registered.Events) != 2 || registered.Events[0].Type != "JobRegistered" || registered.Events[1].Type != "JobRegistered" {
		t.Errorf("the registration is %+v", registered.Events)
	}
	kinds := map[api.Topic]string{}
	for _, event := range next(t, all).Events {
		kinds[event.Topic] = event.Type
		if event.Topic == api.TopicAllocation {
			if alloc, err := event.Allocation(); err != nil || alloc.Job != nil || event.FilterKeys[0] != "web" {
				t.Errorf("the allocation is %+v, %v", alloc, err)
			}
		}
	}
	if kinds[api.TopicAllocation] == "" || kinds[api.TopicService] != "ServiceRegistration" || kinds[api.TopicNode] == "" {
		t.Errorf("the placement has %v", kinds)
	}

	// Only what is asked for, from the index that is asked for.
	index := c.Store.Snapshot().Index()
	mine := streamed(t, client, map[api.Topic][]string{api.TopicJob: {"other"}, api.TopicAllocation: {"web"}}, index, nil)
	if got := next(t, mine); got.Index != index {
		t.Errorf("asked for what is from index %d, and got %d", index, got.Index)
	}
	register(t, client, testJob("nobodys"))
	register(t, client, testJob("other"))
	got := next(t, mine)
	if job, err := got.Events[0].Job(); err != nil || *job.ID != "other" || len(got.Events) != 1 || got.Index <= index {
		t.Errorf("followed one job, and got %+v, %v", got, err)
	}
	update(t, c, func(tx *state.Txn) {
		alloc := *tx.Alloc(nil, allocOne)
		alloc.ClientStatus = "complete"
		tx.PutClientAlloc(&alloc)
	})
	if got := next(t, mine); len(got.Events) != 1 || got.Events[0].Type != "AllocationUpdated" || got.Events[0].Key != allocOne {
		t.Errorf("the end of the allocation is %+v", got.Events)
	}
}

func TestEventStreamKnowsNamespaces(t *testing.T) {
	client, _ := newAgent(t)
	if _, err := client.Namespaces().Register(&api.Namespace{Name: "team"}, nil); err != nil {
		t.Fatal(err)
	}
	topics := map[api.Topic][]string{"Variable": {"*"}}
	team := &api.QueryOptions{Namespace: "team"}
	theirs, everybodys := streamed(t, client, topics, 0, team), streamed(t, client, topics, 0, &api.QueryOptions{Namespace: "*"})
	for _, namespace := range []string{"default", "team"} {
		if _, _, err := client.Variables().Create(testVariable("a", "secret"), &api.WriteOptions{Namespace: namespace}); err != nil {
			t.Fatal(err)
		}
	}
	frame := next(t, theirs)
	first := frame.Events[0]
	if namespaceOf(frame) != "team" || first.Type != "VariableUpdated" || first.Payload["Metadata"].(map[string]any)["Items"] != nil {
		t.Errorf("the namespace got %+v", first)
	}
	if one, two := next(t, everybodys), next(t, everybodys); namespaceOf(one) != "default" || namespaceOf(two) != "team" {
		t.Errorf("all namespaces got %+v and %+v", one.Events, two.Events)
	}
}

// TestEventStreamServesManyClients has each of them see every write, in order.
func TestEventStreamServesManyClients(t *testing.T) {
	const clients, writes = 200, 20
	client, c := newAgent(t)
	var streams []<-chan *api.Events
	for range clients {
		streams = append(streams, streamed(t, client, map[api.Topic][]string{"Variable": {"*"}}, 0, nil))
	}
	var readers sync.WaitGroup
	wrong := make(chan error, clients)
	for _, frames := range streams {
		readers.Go(func() {
			seen := 0
			for frame := range frames {
				if frame.Err != nil {
					wrong <- frame.Err
					return
				}
				for _, event := range frame.Events {
					if want := fmt.Sprintf("v%02d", seen); event.Key != want {
						wrong <- fmt.Errorf("got %s, want %s", event.Key, want)
					}
					seen++
				}
				if seen == writes {
					return
				}
			}
			wrong <- errors.New("the stream ended")
		})
	}
	for i := range writes {
		update(t, c, func(tx *state.Txn) {
			tx.PutVariable(&api.Variable{Namespace: "default", Path: fmt.Sprintf("v%02d", i)})
		})
	}
	readers.Wait()
	close(wrong)
	for err := range wrong {
		t.Error(err)
	}
}

// TestSlowReaderIsClosed has readers fall behind. One that has just begun with the
// oldest write may do so; one that is far behind is told.
func TestSlowReaderIsClosed(t *testing.T) {
	_, c := newAgent(t)
	everything := events.Filter{Namespace: "*", Topics: map[string][]string{"*": {"*"}}}
	written := 0
	writes := func(n int) {
		for range n {
			update(t, c, func(tx *state.Txn) {
				tx.PutEval(&api.Evaluation{ID: fmt.Sprint(written), Namespace: "default", Status: "complete"})
			})
			written++
		}
	}
	slow := c.Events.Subscribe(0, everything)
	writes(600)
	if _, err := slow.Next(t.Context()); !errors.Is(err, events.ErrClosed) || !slow.Ready() {
		t.Errorf("a reader that fell behind got %v", err)
	}
	fresh := c.Events.Subscribe(0, everything)
	writes(100)
	if found, err := fresh.Next(t.Context()); err != nil || found.Events[0].Key != "472" {
		t.Errorf("who began with the oldest of 128 writes got %+v, %v", found, err)
	}
	kept := c.Events.Subscribe(1, events.Filter{Namespace: "*", Topics: map[string][]string{"Evaluation": {"650"}}})
	if found, err := kept.Next(t.Context()); err != nil || found.Events[0].Type != "EvaluationUpdated" || found.Events[0].Key != "650" {
		t.Errorf("from the buffer came %+v, %v", found, err)
	}
	if kept.Ready() || !fresh.Ready() {
		t.Error("who has all that it follows waits for more, or who has not does not")
	}
}

func namespaceOf(frame *api.Events) any {
	return frame.Events[0].Payload["Metadata"].(map[string]any)["Namespace"]
}

// TestEventIsSentAtOnce has a write follow that the reader does not ask for: what it
// asks for does not wait for more.
func TestEventIsSentAtOnce(t *testing.T) {
	client, c := newAgent(t)
	frames := streamed(t, client, map[api.Topic][]string{"Variable": {"wanted"}}, 0, nil)
	for i := range 50 {
		update(t, c, func(tx *state.Txn) {
			tx.PutVariable(&api.Variable{Namespace: "default", Path: "wanted"})
		})
		update(t, c, func(tx *state.Txn) {
			tx.PutVariable(&api.Variable{Namespace: "default", Path: fmt.Sprint("other", i)})
		})
		if frame := next(t, frames); frame.Events[0].Key != "wanted" {
			t.Fatalf("%s is not what was asked for", frame.Events[0].Key)
		}
	}
}
