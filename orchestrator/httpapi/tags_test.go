package httpapi

import (
	"fmt"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// withPriorities registers versions of a job that differ in their priority.
func withPriorities(t *testing.T, client *api.Client, id string, priorities ...int) {
	t.Helper()
	for _, priority := range priorities {
		job := testJob(id)
		job.Priority = &priority
		register(t, client, job)
	}
}

func TestTaggedVersionsAreKept(t *testing.T) {
	client, _ := newAgent(t)
	withPriorities(t, client, "web", 1, 2)
	if _, err := client.Jobs().TagVersion("web", 0, "golden", "the first", nil); err != nil {
		t.Fatal(err)
	}
	_, err := client.Jobs().TagVersion("web", 1, "golden", "", nil)
	refused(t, err, 500, `tag "golden" already exists on a different version of job "web"`)
	_, err = client.Jobs().TagVersion("web", 9, "other", "", nil)
	refused(t, err, 500, `job "web" version 9 not found`)
	_, err = client.Jobs().UntagVersion("web", "nope", nil)
	refused(t, err, 500, `tag "nope" not found on job "web"`)
	_, err = client.Jobs().TagVersionOpts("web", "x", &api.TagVersionRequest{Latest: true, Version: 1}, nil)
	refused(t, err, 500, "version must be zero when tagging latest, got: 1")
	withPriorities(t, client, "web", 3, 4, 5, 6, 7, 8, 9)
	if got := versionNumbers(t, client, ""); got != "[8 7 6 5 4 3 0]" {
		t.Errorf("kept %s", got)
	}
	reply, _, err := client.Jobs().Revert("web", 0, nil, nil, "", "")
	if err != nil || reply.EvalID == "" {
		t.Fatalf("got %+v, %v", reply, err)
	}
	job, _, err := client.Jobs().Info("web", nil)
	if err != nil || *job.Priority != 1 || job.VersionTag != nil {
		t.Errorf("got %+v, %v", job, err)
	}
	if _, err := client.Jobs().UntagVersion("web", "golden", nil); err != nil {
		t.Fatal(err)
	}
	if got := versionNumbers(t, client, ""); got != "[9 8 7 6 5 4]" {
		t.Errorf("kept %s without the tag", got)
	}
	if _, err := client.Jobs().TagVersionOpts("web", "now", &api.TagVersionRequest{Latest: true}, nil); err != nil {
		t.Fatal(err)
	}
	if job, _, err := client.Jobs().Info("web", nil); err != nil || job.VersionTag.Name != "now" || job.VersionTag.TaggedTime == 0 {
		t.Errorf("got %+v, %v", job, err)
	}
	// The tag is none of the author's.
	before := *register(t, client, job)
	if now, _, err := client.Jobs().Info("web", nil); err != nil || *now.Version != 9 || *now.JobModifyIndex != before.JobModifyIndex {
		t.Errorf("registering the same again made %+v, %v", now, err)
	}
}

func versionNumbers(t *testing.T, client *api.Client, tag string) string {
	t.Helper()
	versions, _, _, err := client.Jobs().VersionsOpts("web", &api.VersionsOptions{DiffTag: tag}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []uint64
	for _, version := range versions {
		numbers = append(numbers, *version.Version)
	}
	return fmt.Sprint(numbers)
}

func TestVersionsAgainstOneOfThem(t *testing.T) {
	client, _ := newAgent(t)
	withPriorities(t, client, "web", 1, 2, 3)
	if _, err := client.Jobs().TagVersion("web", 1, "golden", "", nil); err != nil {
		t.Fatal(err)
	}
	types := func(opts api.VersionsOptions) (types []string) {
		_, diffs, _, err := client.Jobs().VersionsOpts("web", &opts, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, diff := range diffs {
			types = append(types, diff.Type)
			for _, field := range diff.Fields {
				types = append(types, field.Old+">"+field.New)
			}
		}
		return types
	}
	for want, opts := range map[string]api.VersionsOptions{
		"Edited 2>3 Edited 1>2":      {Diffs: true},
		"Edited 1>3 Edited 1>2 None": {Diffs: true, DiffVersion: new(uint64(0))},
		"Edited 2>3 None Edited 2>1": {Diffs: true, DiffTag: "golden"},
		"":                           {DiffTag: "golden"},
	} {
		if got := join(types(opts)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for query, text := range map[string]string{
		"diffs=true&diff_tag=zz":     `tag "zz" not found`,
		"diffs=true&diff_version=44": "version 44 not found",
		"diffs=true&diff_version=x":  `Failed to parse value of "diff_version" (x) as a uint64: strconv.ParseUint: parsing "x": invalid syntax`,
		"diffs=maybe":                `Failed to parse value of "diffs" (maybe) as a bool: strconv.ParseBool: parsing "maybe": invalid syntax`,
	} {
		status, got, _ := do(t, client.Address(), "GET", "/v1/job/web/versions?"+query, "", nil)
		if status != 500 || got != text {
			t.Errorf("%s: got %d %q", query, status, got)
		}
	}
}
