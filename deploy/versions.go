package deploy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// CommitMeta is the name of a job's meta that holds the commit, where nobody
// names another.
const CommitMeta = "git_sha"

// SameSpec reports whether two versions of a job, as the server has them, say
// the same: all that the server itself notes about a version is left out.
func SameSpec(a, b *api.Job) bool { return reflect.DeepEqual(spec(a), spec(b)) }

func spec(job *api.Job) *api.Job {
	bare := *job
	bare.Status, bare.StatusDescription, bare.Stable = nil, nil, nil
	bare.Version, bare.CreateIndex, bare.ModifyIndex, bare.JobModifyIndex = nil, nil, nil, nil
	bare.SubmitTime, bare.VersionTag, bare.NomadTokenID = nil, nil, nil
	return &bare
}

// LastStable is the version that a rollback goes to: the newest one before the
// current that proved itself, is no stop, and says something else. It is nil
// where there is none.
func LastStable(versions []*api.Job, current *api.Job) *api.Job {
	for _, job := range newestFirst(versions) {
		if *job.Version < *current.Version && deref(job.Stable) && !deref(job.Stop) && !SameSpec(job, current) {
			return job
		}
	}
	return nil
}

// FindVersion is the kept version that somebody means by the name of its tag,
// its number, or its commit, which stands in the meta of that name. Commits may
// be shortened. Of several versions with the commit the newest stable one is
// meant, else the newest; those that are stops are no candidates.
func FindVersion(versions []*api.Job, wanted, meta string) (*api.Job, error) {
	versions = newestFirst(versions)
	if i := slices.IndexFunc(versions, func(job *api.Job) bool { return job.VersionTag != nil && job.VersionTag.Name == wanted }); i >= 0 {
		return versions[i], nil
	}
	if n, err := strconv.ParseUint(wanted, 10, 64); err == nil {
		if i := slices.IndexFunc(versions, func(job *api.Job) bool { return *job.Version == n }); i >= 0 {
			return versions[i], nil
		}
	}
	return findCommit(versions, wanted, meta)
}

func findCommit(versions []*api.Job, wanted, meta string) (*api.Job, error) {
	var found *api.Job
	for _, job := range versions {
		commit := job.Meta[meta]
		if deref(job.Stop) || !sameCommit(commit, wanted) {
			continue
		}
		if found != nil && !sameCommit(found.Meta[meta], commit) {
			return nil, fmt.Errorf("%q fits the commits %s and %s", wanted, found.Meta[meta], commit)
		}
		if found == nil || deref(job.Stable) && !deref(found.Stable) {
			found = job
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no kept version has the tag, the number or the commit (meta %s) %q", meta, wanted)
	}
	return found, nil
}

// shortCommit is how many characters of a commit tell it from others.
const shortCommit = 4

// sameCommit reports whether one is the other, shortened.
func sameCommit(a, b string) bool {
	if a == b {
		return a != ""
	}
	return min(len(a), len(b)) >= shortCommit && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

func newestFirst(versions []*api.Job) []*api.Job {
	return slices.SortedFunc(slices.Values(versions), func(a, b *api.Job) int { return int(*b.Version) - int(*a.Version) })
}
