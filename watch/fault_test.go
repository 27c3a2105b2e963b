package watch_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest"
	"ostro/watch"
)

// Whatever happens on the way to the server, the verdict is the right one, the
// loss of contact is told once, and so is its return.
func TestVerdictFaults(t *testing.T) { nomadtest.Each(t, verdictFaults) }

func verdictFaults(t *testing.T, c *api.Client) {
	for name, test := range map[string]struct {
		fault nomadtest.Fault
		lost  int // how often contact is lost and comes back
		long  bool
	}{
		"reset":      {nomadtest.Fault{Reset: true}, 1, false},
		"no leader":  {nomadtest.Fault{Status: 500}, 1, false},
		"gateway":    {nomadtest.Fault{Status: 502}, 1, false},
		"latency":    {nomadtest.Fault{Latency: 300 * time.Millisecond}, 0, false},
		"slow reads": {nomadtest.Fault{Rate: 20 << 10}, 0, false},
		"black hole": {nomadtest.Fault{Hole: true}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.long && os.Getenv("OSTRO_TEST") != "full" {
				t.Skip("OSTRO_TEST is not full: it takes as long as a connection takes to be given up")
			}
			proxy := nomadtest.NewProxy(t, c.Address())
			behind, err := api.NewClient(&api.Config{Address: "http://" + proxy.Addr})
			if err != nil {
				t.Fatal(err)
			}
			id := "fault-" + strings.ReplaceAll(name, " ", "-")
			j := job(id, "service", serves)
			j.TaskGroups[0].Update.MinHealthyTime = new(3 * time.Second)
			target := register(t, c, j)
			told := map[string]int{}
			var once sync.Once
			o := watch.Options{Timeout: 4 * time.Minute, Notify: func(e watch.Event) {
				t.Logf("%s: %s", e.Kind, e.Text)
				for _, word := range []string{"contact lost", "contact is back"} {
					told[word] += strings.Count(e.Text, word)
				}
				once.Do(func() { proxy.Set(test.fault) })
				if strings.Contains(e.Text, "contact lost") { // and nothing is seen for a while
					time.AfterFunc(2*time.Second, func() { proxy.Set(nomadtest.Fault{}) })
				}
			}}
			v, err := run(t.Context(), t, behind, target, o)
			if err != nil {
				t.Fatal(err)
			}
			wantOutcome(t, v, watch.Successful)
			if told["contact lost"] != test.lost || told["contact is back"] != test.lost {
				t.Errorf("lost and back are told %v, want %d each", told, test.lost)
			}
		})
	}
}

// A server that does not come back leaves the outcome unknown, when the time is
// up and not before.
func TestVerdictFaultForGood(t *testing.T) { nomadtest.Each(t, verdictFaultForGood) }

func verdictFaultForGood(t *testing.T, c *api.Client) {
	proxy := nomadtest.NewProxy(t, c.Address())
	behind, err := api.NewClient(&api.Config{Address: "http://" + proxy.Addr})
	if err != nil {
		t.Fatal(err)
	}
	target := register(t, c, slowly(job("fault-for-good", "service", serves)))
	begun := time.Now()
	o := watch.Options{Timeout: 4 * time.Second, Notify: func(watch.Event) { proxy.Set(nomadtest.Fault{Hole: true}) }}
	v, err := run(t.Context(), t, behind, target, o)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, v, watch.Unknown, "unknown")
	if took := time.Since(begun); took < 4*time.Second || took > time.Minute {
		t.Errorf("given up after %s, want 4s", took)
	}
}
