package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"ostro/orchestrator/driver"
)

// A sample is what a task had used by a time.
type sample struct {
	at    time.Time
	usage driver.Usage
}

// Usage measures the running tasks of an allocation. The share of the processors is that since the last measurement, or
// since the start of the task.
func (r *Runner) Usage(ctx context.Context, allocID string) (*api.AllocResourceUsage, error) {
	a, err := r.lookup(allocID)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	sum := &api.AllocResourceUsage{ResourceUsage: noUsage(), Tasks: map[string]*api.TaskResourceUsage{}, Timestamp: now.UnixNano()}
	for name, t := range a.tasks {
		if t.alloc.state(t).State.State != stateRunning {
			continue
		}
		sum.Tasks[name] = t.usage(ctx, now)
		used := sum.Tasks[name].ResourceUsage
		sum.ResourceUsage.MemoryStats.RSS += used.MemoryStats.RSS
		sum.ResourceUsage.MemoryStats.Swap += used.MemoryStats.Swap
		sum.ResourceUsage.MemoryStats.Usage += used.MemoryStats.Usage
		sum.ResourceUsage.CpuStats.Percent += used.CpuStats.Percent
		sum.ResourceUsage.CpuStats.TotalTicks += used.CpuStats.TotalTicks
	}
	return sum, nil
}

func noUsage() *api.ResourceUsage {
	return &api.ResourceUsage{
		MemoryStats: &api.MemoryStats{Measured: []string{"RSS", "Swap", "Usage"}},
		CpuStats:    &api.CpuStats{Measured: []string{"System Mode", "User Mode", "Percent"}},
		DeviceStats: []*api.DeviceGroupStats{},
	}
}

// usage measures one task; one that does not run uses nothing.
func (t *task) usage(ctx context.Context, now time.Time) *api.TaskResourceUsage {
	used := &api.TaskResourceUsage{ResourceUsage: noUsage(), Timestamp: now.UnixNano()}
	s := t.alloc.state(t)
	measurer, ok := t.alloc.driver(s.Driver).(driver.Measurer)
	if !ok || s.Run == "" || s.State.State != stateRunning {
		return used
	}
	measured, err := measurer.Usage(ctx, s.Run)
	if err != nil {
		t.alloc.log.Debug("a task cannot be measured", "task", t.name, "error", err)
		return used
	}
	t.alloc.mu.Lock()
	before := t.measured
	t.measured = sample{now, measured}
	t.alloc.mu.Unlock()
	if before.at.Before(s.State.StartedAt) {
		before = sample{at: s.State.StartedAt}
	}
	r, started := t.alloc.runner, s.State.StartedAt
	used.ResourceUsage = r.between(before, sample{now, measured}, started)
	if len(measured.Processes) > 0 {
		used.Pids = map[string]*api.ResourceUsage{}
	}
	for pid, own := range measured.Processes {
		used.Pids[strconv.Itoa(pid)] = r.between(sample{before.at, before.usage.Processes[pid]}, sample{now, own}, started)
	}
	return used
}

// between is what was used from one sample to the next. What has used less at the second one is another process: all of
// it counts since the task has started.
func (r *Runner) between(from, to sample, started time.Time) *api.ResourceUsage {
	if to.usage.User < from.usage.User {
		from = sample{at: started}
	}
	used := noUsage()
	used.MemoryStats.RSS, used.MemoryStats.Swap, used.MemoryStats.Usage = to.usage.RSS, to.usage.Swap, to.usage.RSS
	if elapsed := to.at.Sub(from.at); elapsed > 0 {
		used.CpuStats.UserMode = 100 * float64(to.usage.User-from.usage.User) / float64(elapsed)
		used.CpuStats.SystemMode = 100 * max(float64(to.usage.System-from.usage.System), 0) / float64(elapsed)
		used.CpuStats.Percent = used.CpuStats.UserMode + used.CpuStats.SystemMode
		used.CpuStats.TotalTicks = used.CpuStats.Percent / 100 * r.megahertz()
	}
	return used
}

// megahertz is what one processor of the node counts as.
func (r *Runner) megahertz() float64 {
	n := r.conf.Node.NodeResources
	if n == nil || n.Cpu.TotalCpuCores == 0 {
		return guessedMHz
	}
	return float64(n.Cpu.CpuShares) / float64(n.Cpu.TotalCpuCores)
}

// HostUsage measures this machine: its memory, processors, and the disk of the node's folder.
func (r *Runner) HostUsage(ctx context.Context) (*api.HostStats, error) {
	memory, memoryErr := mem.VirtualMemoryWithContext(ctx)
	space, diskErr := disk.UsageWithContext(ctx, r.conf.Dir)
	uptime, uptimeErr := host.UptimeWithContext(ctx)
	times, timesErr := cpu.TimesWithContext(ctx, true)
	if err := errors.Join(memoryErr, diskErr, uptimeErr, timesErr); err != nil {
		return nil, fmt.Errorf("measure this machine: %w", err)
	}
	stats := &api.HostStats{
		Memory:      &api.HostMemoryStats{Total: memory.Total, Available: memory.Available, Used: memory.Used, Free: memory.Free},
		Uptime:      uptime,
		DeviceStats: []*api.DeviceGroupStats{},
	}
	device, mountpoint := volumeOf(ctx, r.conf.Dir)
	of := &api.HostDiskStats{
		Device: device, Mountpoint: mountpoint, Size: space.Total, Used: space.Used, Available: space.Free,
		UsedPercent: space.UsedPercent, InodesUsedPercent: space.InodesUsedPercent,
	}
	stats.DiskStats, stats.AllocDirStats = []*api.HostDiskStats{of}, of
	for _, t := range times {
		total := t.User + t.System + t.Idle + t.Nice + t.Iowait + t.Irq + t.Softirq + t.Steal
		if total == 0 {
			continue
		}
		busy := 100 * (total - t.Idle - t.Iowait) / total
		stats.CPU = append(stats.CPU, &api.HostCPUStats{
			CPU: t.CPU, User: 100 * t.User / total, System: 100 * t.System / total, Idle: 100 * t.Idle / total,
		})
		stats.CPUTicksConsumed += busy / 100 * r.megahertz()
	}
	return stats, nil
}

// volumeOf is the device that a folder is on, and where that is mounted; the folder itself where the system does not tell.
// (Nomad: the attribute unique.storage.volume is the device of the disk that its commands show.)
func volumeOf(ctx context.Context, dir string) (device, mountpoint string) {
	device, mountpoint = existing(dir), ""
	mounted, err := disk.PartitionsWithContext(ctx, true)
	if err != nil {
		return device, device
	}
	path := device
	for _, m := range mounted {
		root := strings.TrimSuffix(m.Mountpoint, "/")
		if (path == m.Mountpoint || strings.HasPrefix(path, root+"/")) && len(m.Mountpoint) >= len(mountpoint) {
			device, mountpoint = m.Device, m.Mountpoint
		}
	}
	return device, cmp.Or(mountpoint, path)
}
