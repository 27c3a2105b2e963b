package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// A Measurer is a driver that tells what its tasks use.
type Measurer interface {
	// Usage is what a running task uses now. What belongs to processes that have ended is not in it.
	Usage(ctx context.Context, id string) (Usage, error)
}

// Usage is what a task uses: all its processes together.
type Usage struct {
	User, System time.Duration // of the processors, since the start of each process
	RSS, Swap    uint64        // bytes of memory

	Processes map[int]Usage // what each one uses, by PID, where the driver knows
}

var (
	_ Measurer = (*RawExec)(nil)
	_ Measurer = (*Docker)(nil)
)

// Usage implements [Measurer].
func (d *RawExec) Usage(ctx context.Context, id string) (Usage, error) {
	pids, err := d.processes(ctx, id)
	if err != nil {
		return Usage{}, err
	}
	sum := Usage{Processes: map[int]Usage{}}
	for _, pid := range pids {
		p, err := gopsutil.NewProcessWithContext(ctx, int32(pid))
		if err != nil {
			continue // gone meanwhile
		}
		own := usageOf(ctx, p)
		sum.Processes[pid] = own
		sum.User, sum.System, sum.RSS, sum.Swap = sum.User+own.User, sum.System+own.System, sum.RSS+own.RSS, sum.Swap+own.Swap
	}
	return sum, nil
}

// usageOf is what a process uses; of one that has gone it is nothing.
func usageOf(ctx context.Context, p *gopsutil.Process) (u Usage) {
	if times, err := p.TimesWithContext(ctx); err == nil {
		u.User = time.Duration(times.User * float64(time.Second))
		u.System = time.Duration(times.System * float64(time.Second))
	}
	if memory, err := p.MemoryInfoWithContext(ctx); err == nil {
		u.RSS, u.Swap = memory.RSS, memory.Swap
	}
	return u
}

// Usage implements [Measurer].
func (d *Docker) Usage(ctx context.Context, id string) (Usage, error) {
	name, err := d.container(ctx, id)
	if err != nil {
		return Usage{}, err
	}
	got, err := d.api.ContainerStats(ctx, name, client.ContainerStatsOptions{})
	if err != nil {
		return Usage{}, fmt.Errorf("measure container %s: %w", name, err)
	}
	defer got.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(got.Body).Decode(&stats); err != nil {
		return Usage{}, fmt.Errorf("measure container %s: %w", name, err)
	}
	cpu, memory := stats.CPUStats.CPUUsage, stats.MemoryStats
	user := cpu.UsageInUsermode
	if user == 0 && cpu.UsageInKernelmode == 0 {
		user = cpu.TotalUsage
	}
	// What is cached of files is not the task's. (docker stats does the same.)
	cached := memory.Stats["total_inactive_file"] + memory.Stats["inactive_file"]
	return Usage{
		User: time.Duration(user), System: time.Duration(cpu.UsageInKernelmode), RSS: memory.Usage - min(cached, memory.Usage),
	}, nil
}
