package state

import (
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// TagVersion names a version of a job, which is then kept however many follow.
// A name can stand on one version only; the errors are Nomad's.
func (tx *Txn) TagVersion(namespace, id string, version uint64, tag *api.JobVersionTag) error {
	if other := tx.taggedVersion(namespace, id, tag.Name); other != nil && *other.Version != version {
		return fmt.Errorf("tag %q already exists on a different version of job %q", tag.Name, id)
	}
	row := tx.Version(nil, namespace, id, version)
	if row == nil {
		return fmt.Errorf("job %q version %d not found", id, version)
	}
	tx.setTag(row, tag)
	return nil
}

// UntagVersion takes a name away again. The version goes when it is older than
// those that are kept.
func (tx *Txn) UntagVersion(namespace, id, name string) error {
	row := tx.taggedVersion(namespace, id, name)
	if row == nil {
		return fmt.Errorf("tag %q not found on job %q", name, id)
	}
	tx.setTag(row, nil)
	tx.dropOldVersions(namespace, id)
	return nil
}

func (tx *Txn) taggedVersion(namespace, id, name string) *api.Job {
	for _, version := range tx.Versions(nil, namespace, id) {
		if version.VersionTag != nil && version.VersionTag.Name == name {
			return version
		}
	}
	return nil
}

func (tx *Txn) setTag(row *api.Job, tag *api.JobVersionTag) {
	job := *row
	job.VersionTag = tag
	tx.changeVersion(&job)
}

// changeVersion stores a changed copy of a version, which may be the current one.
func (tx *Txn) changeVersion(job *api.Job) {
	job.ModifyIndex = new(tx.Index)
	tx.insert(tableVersions, job)
	if current := tx.Job(nil, *job.Namespace, *job.ID); current != nil && *current.Version == *job.Version {
		tx.insert(tableJobs, job)
	}
}
