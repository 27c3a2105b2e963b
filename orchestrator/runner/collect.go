package runner

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
)

// When the folders of allocations that have ended are removed (Nomad: gc_max_allocs 50, gc_interval 1m; it begins at 80 %
// of the disk, and then takes the logs of what has just failed, too).
const (
	collectInterval = time.Minute
	keptFolders     = 50
	shortOfDisk     = 90 // percent used, of bytes or inodes
	shortAge        = 10 * time.Minute
)

// collectLoop removes old folders until the Runner lets go.
func (r *Runner) collectLoop() {
	for sleep(r.ctx, collectInterval) == nil {
		r.collect(r.conf.Now(), shortDisk(r.ctx, r.conf.Dir))
	}
}

func shortDisk(ctx context.Context, dir string) bool {
	usage, err := disk.UsageWithContext(ctx, dir)
	return err == nil && (usage.UsedPercent >= shortOfDisk || usage.InodesUsedPercent >= shortOfDisk)
}

// collect removes the folders of allocations that have ended, the oldest first: those beyond the number that is kept, and
// when the disk is short all that are not quite new.
func (r *Runner) collect(now time.Time, short bool) {
	ended := r.collectable()
	slices.SortFunc(ended, func(a, b *alloc) int { return cmp.Compare(a.endedAt().UnixNano(), b.endedAt().UnixNano()) })
	for i, a := range ended {
		if len(ended)-i > keptFolders || short && now.Sub(a.endedAt()) > shortAge {
			a.removeFolder()
		}
	}
}

// collectable are the allocations whose folders may go.
func (r *Runner) collectable() (ended []*alloc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.allocs {
		if a.collectable() {
			ended = append(ended, a)
		}
	}
	return ended
}

// Collect removes the folder of an allocation, which must have ended. (Nomad: the text.)
func (r *Runner) Collect(allocID string) error {
	a, err := r.lookup(allocID)
	if err != nil || !a.collectable() {
		//lint:ignore ST1005 Nomad's words
		return errors.New("No such allocation on client, or allocation not eligible for GC")
	}
	a.removeFolder()
	return nil
}

// CollectAll removes the folders of all allocations that have ended.
func (r *Runner) CollectAll() {
	for _, a := range r.collectable() {
		a.removeFolder()
	}
}

// collectable reports whether nothing of the allocation is needed any more: it has ended, and the server knows it.
func (a *alloc) collectable() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return isClosed(a.ended) && terminal(a.want.ClientStatus) && !a.collected
}

// endedAt is when the last task has ended.
func (a *alloc) endedAt() (last time.Time) {
	for _, t := range a.tasks {
		if at := a.state(t).State.FinishedAt; at.After(last) {
			last = at
		}
	}
	return last
}

func (a *alloc) removeFolder() {
	a.mu.Lock()
	a.collected = true
	a.mu.Unlock()
	if err := removeAlloc(a.runner.conf.Dir, a.id); err != nil {
		a.log.Error("the folder of an old allocation is left", "error", err)
	}
}
