package state

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// The tables of what is remembered of a job beside its versions.
const (
	tableLaunches  = "periodic_launch"
	tableScalings  = "scaling_event"
	tableCollected = "job_summary"
)

// trackedScalings is how many scaling events of a group are kept. (Nomad: R12.)
const trackedScalings = 20

// launchRow is when a periodic job was last launched.
type launchRow struct {
	Namespace, JobID string
	At               time.Time
}

// scalingRow holds the scaling events of a job by group, newest first.
type scalingRow struct {
	Namespace, JobID string
	Groups           map[string][]api.ScalingEvent
	ModifyIndex      uint64
}

// collectedRow counts the allocations of a job that were collected as garbage, by
// group and client status. (Nomad: R15.)
type collectedRow struct {
	Namespace, JobID string
	Groups           map[string]map[string]int
}

// historyTables names the indexes of these tables.
func historyTables() map[string]map[string]*memdb.IndexSchema {
	return map[string]map[string]*memdb.IndexSchema{
		tableLaunches: indexes(func(row any) []string {
			launch := row.(*launchRow)
			return []string{launch.Namespace, launch.JobID}
		}),
		tableScalings: indexes(func(row any) []string {
			scaling := row.(*scalingRow)
			return []string{scaling.Namespace, scaling.JobID}
		}),
		tableCollected: indexes(func(row any) []string {
			collected := row.(*collectedRow)
			return []string{collected.Namespace, collected.JobID}
		}),
	}
}

// historyOrder says how rows of these tables are read from disk.
func historyOrder() []diskTable {
	return []diskTable{
		{tableLaunches, plain[launchRow]}, {tableScalings, plain[scalingRow]}, {tableCollected, plain[collectedRow]},
	}
}

// LastLaunch is when a periodic job was last launched; zero when it never was.
func (s *Snapshot) LastLaunch(ws memdb.WatchSet, namespace, jobID string) time.Time {
	if row := first[launchRow](s, ws, tableLaunches, byID, namespace, jobID); row != nil {
		return row.At
	}
	return time.Time{}
}

// PutLaunch remembers when a periodic job was launched.
func (tx *Txn) PutLaunch(namespace, jobID string, at time.Time) {
	tx.insert(tableLaunches, &launchRow{namespace, jobID, at.UTC()})
}

// ScalingEvents are the scaling events of a job by group, newest first, and the
// index of the newest.
func (s *Snapshot) ScalingEvents(ws memdb.WatchSet, namespace, jobID string) (map[string][]api.ScalingEvent, uint64) {
	row := first[scalingRow](s, ws, tableScalings, byID, namespace, jobID)
	if row == nil {
		return nil, 0
	}
	return row.Groups, row.ModifyIndex
}

// PutScalingEvent adds a scaling event to those of a group, and forgets the
// oldest ones.
func (tx *Txn) PutScalingEvent(namespace, jobID, group string, event api.ScalingEvent) {
	event.CreateIndex = tx.Index
	groups, _ := tx.ScalingEvents(nil, namespace, jobID)
	groups = maps.Clone(groups)
	if groups == nil {
		groups = map[string][]api.ScalingEvent{}
	}
	events := slices.Insert(slices.Clone(groups[group]), 0, event)
	groups[group] = events[:min(len(events), trackedScalings)]
	tx.insert(tableScalings, &scalingRow{namespace, jobID, groups, tx.Index})
}

// Collected counts the allocations of a job that were collected as garbage, by
// group and client status.
func (s *Snapshot) Collected(ws memdb.WatchSet, namespace, jobID string) map[string]map[string]int {
	if row := first[collectedRow](s, ws, tableCollected, byID, namespace, jobID); row != nil {
		return row.Groups
	}
	return nil
}

// countCollected counts an allocation that is collected, as long as its job lives.
func (tx *Txn) countCollected(a *api.Allocation) {
	if job := tx.Job(nil, a.Namespace, a.JobID); job == nil || *job.CreateIndex != *a.Job.CreateIndex {
		return
	}
	groups := map[string]map[string]int{}
	for name, counts := range tx.Collected(nil, a.Namespace, a.JobID) {
		groups[name] = maps.Clone(counts)
	}
	if groups[a.TaskGroup] == nil {
		groups[a.TaskGroup] = map[string]int{}
	}
	groups[a.TaskGroup][a.ClientStatus]++
	tx.insert(tableCollected, &collectedRow{a.Namespace, a.JobID, groups})
}

// ForgetCollected lets the summaries of all jobs count only what is there.
func (tx *Txn) ForgetCollected() {
	for _, row := range all[collectedRow](&tx.Snapshot, nil, tableCollected, byID+"_prefix", "") {
		tx.delete(tableCollected, row)
	}
}

// forgetHistory removes what is remembered of a job.
func (tx *Txn) forgetHistory(namespace, jobID string) {
	if row := first[launchRow](&tx.Snapshot, nil, tableLaunches, byID, namespace, jobID); row != nil {
		tx.delete(tableLaunches, row)
	}
	if row := first[scalingRow](&tx.Snapshot, nil, tableScalings, byID, namespace, jobID); row != nil {
		tx.delete(tableScalings, row)
	}
	if row := first[collectedRow](&tx.Snapshot, nil, tableCollected, byID, namespace, jobID); row != nil {
		tx.delete(tableCollected, row)
	}
}
