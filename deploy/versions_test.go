package deploy_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
)

// version is one of a job's versions: a commit, and marks for stable (+), stopped
// (!) and tagged (#NAME).
func version(n uint64, text string) *api.Job {
	text, tag, tagged := strings.Cut(text, "#")
	commit := strings.TrimRight(text, "+!")
	job := &api.Job{
		ID: new("web"), Version: &n, Meta: map[string]string{"git_sha": commit}, JobModifyIndex: new(10 * n), SubmitTime: new(int64(n)),
		Stable: new(strings.Contains(text, "+")), Stop: new(strings.Contains(text, "!")),
	}
	if tagged {
		job.VersionTag = &api.JobVersionTag{Name: tag}
	}
	return job
}

// versions are numbered from 0; the last is the current one.
func versions(texts ...string) []*api.Job {
	var list []*api.Job
	for i, text := range texts {
		list = append([]*api.Job{version(uint64(i), text)}, list...)
	}
	return list
}

func TestLastStable(t *testing.T) {
	for _, tt := range []struct {
		name string
		have []string
		want int // -1 for none
	}{
		{"the one before", []string{"aaaa+", "bbbb+"}, 0},
		{"not one that failed", []string{"aaaa+", "bbbb", "cccc"}, 0},
		{"not one that says the same", []string{"aaaa+", "bbbb+", "bbbb+"}, 0},
		{"not a stopped one", []string{"aaaa+", "bbbb+!", "cccc"}, 0},
		{"the newest", []string{"aaaa+", "bbbb+", "cccc"}, 1},
		{"what ran before the stop", []string{"aaaa+", "aaaa+!"}, 0},
		{"none", []string{"aaaa", "bbbb"}, -1},
		{"none but itself", []string{"aaaa+"}, -1},
		{"after an automatic revert", []string{"aaaa+", "bbbb+", "cccc", "bbbb+"}, 0},
	} {
		have := versions(tt.have...)
		got := -1
		if job := deploy.LastStable(have, have[0]); job != nil {
			got = int(*job.Version)
		}
		if got != tt.want {
			t.Errorf("%s: of %v got %d, want %d", tt.name, tt.have, got, tt.want)
		}
	}
}

func TestFindVersion(t *testing.T) {
	have := []string{"1a2b3c4+", "bad2222", "1a2b3c4#good", "1a2b3c4!", "1a2b999+", "12345678+"}
	for _, tt := range []struct {
		wanted string
		want   int // -1 for an error
	}{
		{"good", 2},
		{"1", 1},
		{"3", 3},
		{"bad2222", 1},
		{"bad2222f00dbabe", 1},
		{"1a2b3c4", 0},
		{"1a2b3", 0},
		{"1a2b", -1},
		{"12345678", 5},
		{"9", -1},
		{"nosuch", -1},
		{"1a", -1},
	} {
		job, err := deploy.FindVersion(versions(have...), tt.wanted, deploy.CommitMeta)
		got := -1
		if err == nil {
			got = int(*job.Version)
		}
		if got != tt.want {
			t.Errorf("%s: got version %d (%v), want %d", tt.wanted, got, err, tt.want)
		}
	}
}
