package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

func periodicJob(zone string, specs ...string) *api.Job {
	job := api.NewBatchJob("tick", "tick", "global", 50)
	job.Periodic = &api.PeriodicConfig{Specs: specs, TimeZone: &zone}
	job.Canonicalize()
	return job
}

// The clock of Berlin goes forward at 2026-03-29 02:00 and back at 2026-10-25 03:00.
func TestNextLaunch(t *testing.T) {
	for name, c := range map[string]struct {
		zone        string
		specs       string
		after, want string
	}{
		"every minute":             {"UTC", "* * * * *", "2026-01-01T10:00:30Z", "2026-01-01T10:01:00Z"},
		"not the moment itself":    {"UTC", "0 * * * *", "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"},
		"the earliest of several":  {"UTC", "0 12 * * *|30 11 * * *|0 13 * * *", "2026-01-01T10:00:00Z", "2026-01-01T11:30:00Z"},
		"one that never comes":     {"UTC", "0 12 * * *|0 0 30 2 *", "2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z"},
		"none that ever comes":     {"UTC", "0 0 1 1 * 2020", "2026-01-01T10:00:00Z", ""},
		"seconds":                  {"UTC", "*/10 * * * * * *", "2026-01-01T10:00:01Z", "2026-01-01T10:00:10Z"},
		"a zone":                   {"Europe/Berlin", "0 9 * * *", "2026-01-01T10:00:00Z", "2026-01-02T08:00:00Z"},
		"a zone in summer":         {"Europe/Berlin", "0 9 * * *", "2026-07-01T10:00:00Z", "2026-07-02T07:00:00Z"},
		"before the lost hour":     {"Europe/Berlin", "30 1 * * *", "2026-03-28T12:00:00Z", "2026-03-29T00:30:00Z"},
		"within the lost hour":     {"Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
		"after the lost hour":      {"Europe/Berlin", "30 3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"},
		"the hour that comes back": {"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		"comes twice":              {"Europe/Berlin", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			after, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			next, err := NextLaunch(periodicJob(c.zone, strings.Split(c.specs, "|")...), after)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if !next.IsZero() {
				got = next.UTC().Format(time.RFC3339)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if _, err := NextLaunch(periodicJob("Nowhere/Land", "* * * * *"), time.Unix(0, 0)); err == nil {
		t.Error("a zone that is none is no error")
	}
}
