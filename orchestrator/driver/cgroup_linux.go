package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Where the kernel's control groups are, and the one of ours that holds those of all tasks.
const (
	cgroupRoot   = "/sys/fs/cgroup"
	cgroupParent = "ostro"
)

// A cgroup is what holds one task to its resources: a folder per hierarchy in version 1, one in version 2.
type cgroup struct{ Dirs []string }

// cgroupVersion is 2, 1, or 0 where there is neither. Of both it is the one that knows memory.
func cgroupVersion() int {
	if controllers, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		if strings.Contains(" "+string(controllers), " memory") {
			return 2
		}
		return 0
	}
	if _, err := os.Stat(filepath.Join(cgroupRoot, "memory", "cgroup.procs")); err == nil {
		return 1
	}
	return 0
}

// cannotLimit tells why tasks cannot be held to their resources here, or "".
func cannotLimit() string {
	if cgroupVersion() == 0 {
		return "no cgroup with a memory controller is mounted at " + cgroupRoot
	}
	if err := makeParent(); err != nil {
		return err.Error()
	}
	return ""
}

// cgroupHomes are the folders in which those of the tasks are.
func cgroupHomes() []string {
	switch cgroupVersion() {
	case 1:
		homes := []string{filepath.Join(cgroupRoot, "memory", cgroupParent)}
		for _, controller := range []string{"cpu", "pids"} {
			if _, err := os.Stat(filepath.Join(cgroupRoot, controller, "cgroup.procs")); err == nil {
				homes = append(homes, filepath.Join(cgroupRoot, controller, cgroupParent))
			}
		}
		return homes
	case 2:
		return []string{filepath.Join(cgroupRoot, cgroupParent)}
	}
	return nil
}

// makeParent makes the group of all tasks, in which their groups can have limits.
func makeParent() error {
	for _, home := range cgroupHomes() {
		if err := os.Mkdir(home, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the cgroup of all tasks: %w", err)
		}
	}
	if cgroupVersion() != 2 {
		return nil
	}
	for _, dir := range []string{cgroupRoot, filepath.Join(cgroupRoot, cgroupParent)} {
		if err := control(dir, "cgroup.subtree_control", "+cpu +memory"); err != nil {
			return err
		}
		_ = control(dir, "cgroup.subtree_control", "+pids") // one that need not be there
	}
	return nil
}

// makeCgroup makes the group of a task of at most so many processes. (Nomad: cpu is a weight; memory is a limit, or
// memory_max is.)
func makeCgroup(key string, r Resources, processes int64) (cgroup, error) {
	if err := makeParent(); err != nil {
		return cgroup{}, err
	}
	g := cgroupOf(key)
	for _, dir := range g.Dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return g, fmt.Errorf("make the cgroup of the task: %w", err)
		}
	}
	err := optional(writeNumber(g.dir("pids"), "pids.max", processes))
	if cgroupVersion() == 2 {
		return g, errors.Join(err, g.limit2(r))
	}
	return g, errors.Join(err, g.limit1(r))
}

// cgroupOf is where the group of a task is, if it has one.
func cgroupOf(key string) cgroup {
	var g cgroup
	for _, home := range cgroupHomes() {
		g.Dirs = append(g.Dirs, filepath.Join(home, key))
	}
	return g
}

// dir is the folder of a controller: in version 2 that of all.
func (g cgroup) dir(controller string) string {
	for _, dir := range g.Dirs {
		if strings.HasPrefix(dir, filepath.Join(cgroupRoot, controller)+"/") {
			return dir
		}
	}
	return g.Dirs[0]
}

func (g cgroup) limit1(r Resources) error {
	memory := g.dir("memory")
	err := optional(writeNumber(g.dir("cpu"), "cpu.shares", min(max(r.CPU, 2), 262144)))
	if r.MemoryMB <= 0 {
		return err
	}
	hard := max(r.MemoryMB, r.MemoryMaxMB) << 20
	if hard > r.MemoryMB<<20 {
		err = errors.Join(err, writeNumber(memory, "memory.soft_limit_in_bytes", r.MemoryMB<<20))
	}
	return errors.Join(err, writeNumber(memory, "memory.limit_in_bytes", hard), optional(writeNumber(memory, "memory.memsw.limit_in_bytes", hard)))
}

func (g cgroup) limit2(r Resources) error {
	dir := g.Dirs[0]
	shares := min(max(r.CPU, 2), 262144)
	err := writeNumber(dir, "cpu.weight", 1+(shares-2)*9999/262142) // the shares of version 1 on the scale of version 2
	if r.MemoryMB <= 0 {
		return err
	}
	hard := max(r.MemoryMB, r.MemoryMaxMB) << 20
	if hard > r.MemoryMB<<20 {
		err = errors.Join(err, writeNumber(dir, "memory.low", r.MemoryMB<<20))
	}
	return errors.Join(err, writeNumber(dir, "memory.max", hard), optional(writeNumber(dir, "memory.swap.max", 0)))
}

// optional is for limits that a kernel may be built without.
func optional(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func writeNumber(dir, name string, value int64) error {
	return control(dir, name, strconv.FormatInt(value, 10))
}

// control writes to a file of the kernel's.
func control(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("limit tasks by cgroups: %w", err)
	}
	_, err = f.WriteString(value)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("limit tasks by cgroups: %w", err)
	}
	return nil
}

// open gives a function that puts this process into the group, also when it does not see the group any more.
func (g cgroup) open() (join func() error, err error) {
	var files []*os.File
	for _, dir := range g.Dirs {
		f, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("enter the cgroup of the task: %w", err)
		}
		files = append(files, f)
	}
	return func() error {
		for _, f := range files {
			if _, err := f.WriteString("0"); err != nil {
				return fmt.Errorf("enter the cgroup of the task: %w", err)
			}
			f.Close()
		}
		return nil
	}, nil
}

// add puts another process into the group. Without a group, or when the process has ended, it does nothing.
func (g cgroup) add(pid int) error {
	for _, dir := range g.Dirs {
		err := optional(writeNumber(dir, "cgroup.procs", int64(pid)))
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// pids are the processes of the group.
func (g cgroup) pids() (pids []int) {
	if len(g.Dirs) == 0 {
		return nil
	}
	list, err := os.ReadFile(filepath.Join(g.Dirs[0], "cgroup.procs"))
	if err != nil {
		return nil // there is no such group
	}
	for field := range strings.FieldsSeq(string(list)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// oomKilled reports whether the kernel has killed one of a task's processes for lack of memory.
func oomKilled(key string) bool {
	return happened(key, "memory.events", "oom_kill") || happened(key, "memory.oom_control", "oom_kill")
}

// forksRefused reports whether the kernel has refused a task a further process.
func forksRefused(key string) bool { return happened(key, "pids.events", "max") }

// happened reports whether the kernel has counted what in a file of a task's group.
func happened(key, file, what string) bool {
	for _, dir := range cgroupOf(key).Dirs {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if count, ok := strings.CutPrefix(strings.TrimSpace(line), what+" "); ok && count != "0" {
				return true
			}
		}
	}
	return false
}

// mostProcesses is how many processes and threads one task may have: half of those that the machine can have, so that a
// task that never stops to fork leaves the others enough. (Nomad has no limit.)
func mostProcesses() int64 {
	most := int64(32768)
	for i, file := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && (i == 0 || n < most) {
			most = n
		}
	}
	return most / 2
}

// removeCgroup removes the group of a task whose processes have gone, which the kernel notes a little later than their
// parent.
func removeCgroup(key string) error {
	deadline := time.Now().Add(5 * time.Second)
	for _, dir := range cgroupOf(key).Dirs {
		for {
			err := os.Remove(dir)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("remove the cgroup of the task: %w", err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}
