package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// The tables. Their names are those under which X-Nomad-Index is kept, and the
// names of the buckets on disk.
const (
	tableJobs        = "jobs"
	tableVersions    = "job_versions"
	tableSubmissions = "job_submissions"
	tableSpecs       = "alloc_jobs"
	tableAllocs      = "allocs"
	tableEvals       = "evals"
	tableDeployments = "deployments"
	tableNodes       = "nodes"
	tableIndex       = "index"
)

const (
	byID         = "id"
	byJob        = "job"
	byNode       = "node"
	byDeployment = "deployment"
	byOpen       = "open"
)

// tableRow is one row of the index table: the last index that touched a table.
type tableRow struct {
	Table string
	Index uint64
}

// submissionRow is the source text of one version of a job.
type submissionRow struct {
	Namespace, JobID string
	Version          uint64
	Submission       *api.JobSubmission
}

// keys is a memdb indexer made of a function that gives the parts of a row's
// key. Parts are terminated by NUL, so that a prefix of parts is a prefix of
// the key.
type keys func(row any) []string

func (k keys) FromObject(row any) (bool, []byte, error) {
	parts := k(row)
	return parts != nil, joinKey(parts), nil
}

func (k keys) FromArgs(args ...any) ([]byte, error) {
	parts, err := stringArgs(args)
	return joinKey(parts), err
}

// PrefixFromArgs takes whole parts followed by the beginning of the next one.
func (k keys) PrefixFromArgs(args ...any) ([]byte, error) {
	parts, err := stringArgs(args)
	key := joinKey(parts)
	return bytes.TrimSuffix(key, []byte{0}), err
}

func stringArgs(args []any) ([]string, error) {
	parts := make([]string, len(args))
	for i, arg := range args {
		part, ok := arg.(string)
		if !ok {
			return nil, errors.New("a key is made of strings")
		}
		parts[i] = part
	}
	return parts, nil
}

func joinKey(parts []string) []byte {
	var key []byte
	for _, part := range parts {
		key = append(append(key, part...), 0)
	}
	return key
}

// versionKey sorts like the number does.
func versionKey(version uint64) string { return fmt.Sprintf("%020d", version) }

func indexes(id keys, more ...*memdb.IndexSchema) map[string]*memdb.IndexSchema {
	all := map[string]*memdb.IndexSchema{byID: {Name: byID, Unique: true, Indexer: id}}
	for _, index := range more {
		all[index.Name] = index
	}
	return all
}

func secondary(name string, k keys) *memdb.IndexSchema {
	return &memdb.IndexSchema{Name: name, Indexer: k, AllowMissing: true}
}

// schema names each table's indexes. byOpen holds only rows that still want
// work: evaluations not yet ended, deployments not yet terminal.
func schema() *memdb.DBSchema {
	tables := historyTables()
	maps.Copy(tables, map[string]map[string]*memdb.IndexSchema{
		tableIndex: indexes(func(row any) []string { return []string{row.(*tableRow).Table} }),
		tableJobs:  indexes(func(row any) []string { return jobKey(row.(*api.Job)) }),
		tableVersions: indexes(func(row any) []string {
			job := row.(*api.Job)
			return append(jobKey(job), versionKey(*job.Version))
		}),
		tableSubmissions: indexes(func(row any) []string {
			s := row.(*submissionRow)
			return []string{s.Namespace, s.JobID, versionKey(s.Version)}
		}),
		tableSpecs: indexes(func(row any) []string { return specKey(row.(*api.Job)) }),
		tableAllocs: indexes(func(row any) []string { return []string{row.(*api.Allocation).ID} },
			secondary(byJob, func(row any) []string {
				alloc := row.(*api.Allocation)
				return []string{alloc.Namespace, alloc.JobID}
			}),
			secondary(byNode, func(row any) []string { return []string{row.(*api.Allocation).NodeID} }),
			secondary(byDeployment, func(row any) []string {
				if id := row.(*api.Allocation).DeploymentID; id != "" {
					return []string{id}
				}
				return nil
			})),
		tableEvals: indexes(func(row any) []string { return []string{row.(*api.Evaluation).ID} },
			secondary(byJob, func(row any) []string {
				eval := row.(*api.Evaluation)
				return []string{eval.Namespace, eval.JobID}
			}),
			secondary(byOpen, func(row any) []string {
				eval := row.(*api.Evaluation)
				if !openEval(eval) {
					return nil
				}
				return []string{eval.Status, eval.Namespace, eval.JobID}
			})),
		tableDeployments: indexes(func(row any) []string { return []string{row.(*api.Deployment).ID} },
			secondary(byJob, func(row any) []string {
				d := row.(*api.Deployment)
				return []string{d.Namespace, d.JobID}
			}),
			secondary(byOpen, func(row any) []string {
				if d := row.(*api.Deployment); Active(d) {
					return []string{d.Status}
				}
				return nil
			})),
		tableNodes: indexes(func(row any) []string { return []string{row.(*api.Node).ID} }),
	})
	s := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{}}
	for name, idx := range withCatalogue(tables) {
		s.Tables[name] = &memdb.TableSchema{Name: name, Indexes: idx}
	}
	return s
}

func jobKey(job *api.Job) []string { return []string{*job.Namespace, *job.ID} }

// specKey names one version of one life of a job: a job that was purged and
// registered again counts its versions from 0, with another CreateIndex.
func specKey(job *api.Job) []string {
	return append(jobKey(job), versionKey(*job.CreateIndex), versionKey(*job.Version))
}

// Active tells whether a deployment is still under way. (Nomad: running,
// paused, blocked, unblocking, initializing and pending are active.)
func Active(d *api.Deployment) bool {
	switch d.Status {
	case api.DeploymentStatusRunning, api.DeploymentStatusPaused, api.DeploymentStatusBlocked,
		api.DeploymentStatusUnblocking, api.DeploymentStatusPending, "initializing":
		return true
	}
	return false
}
