package driver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A process is one line of the process table.
type process struct {
	pid, session int
	startTime    uint64
	zombie       bool
	status       syscall.WaitStatus // of a zombie
}

// readProcess reads /proc/PID/stat. The second field is in parentheses and may hold anything.
func readProcess(pid int) (process, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	_, rest, ok := strings.Cut(string(data[max(bytes.LastIndexByte(data, ')'), 0):]), " ")
	fields := strings.Fields(rest) // from the third field of proc(5) on
	if !ok || len(fields) < 50 {
		return process{}, fmt.Errorf("process %d: unexpected line in its stat file", pid)
	}
	p := process{pid: pid, zombie: fields[0] == "Z" || fields[0] == "X"}
	if p.session, err = strconv.Atoi(fields[3]); err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	if p.startTime, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	status, err := strconv.Atoi(fields[49])
	if err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	p.status = syscall.WaitStatus(status)
	return p, nil
}

var bootID = sync.OnceValues(func() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
})

// identify returns the identity of the process that has pid now.
func identify(pid int) (identity, error) {
	boot, err := bootID()
	if err != nil {
		return identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	p, err := readProcess(pid)
	if err != nil {
		return identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return identity{PID: pid, StartTime: p.startTime, BootID: boot}, nil
}

// alive reports whether the process itself, not another one with its pid, still runs.
func (i identity) alive() bool {
	boot, err := bootID()
	if err != nil || i.PID == 0 || boot != i.BootID {
		return false
	}
	p, err := readProcess(i.PID)
	return err == nil && p.startTime == i.StartTime && !p.zombie
}

// processesOf lists the living processes of a task: its cgroup, the session of its first process, and all
// that carry its marker.
func processesOf(i identity, key string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	// While a session has members its number is no other process's pid. So the session is ours unless its leader is
	// another process.
	session := i.PID
	if p, err := readProcess(i.PID); err == nil && i.StartTime != 0 && p.startTime != i.StartTime || i.BootID != "" && i.BootID != boot {
		session = 0
	}
	pids := cgroupOf(key).pids() // where it has one, also of those that gave up both session and marker
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || slices.Contains(pids, pid) {
			continue
		}
		p, err := readProcess(pid)
		if err != nil || p.zombie {
			continue // gone meanwhile
		}
		if session != 0 && p.session == session || hasMarker(pid, key) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func hasMarker(pid int, key string) bool {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false // another user's, so not our task's, or gone
	}
	for kv := range bytes.SplitSeq(environ, []byte{0}) {
		if string(kv) == marker(key) {
			return true
		}
	}
	return false
}

// killAll kills every process of a task, also those that it starts meanwhile, and returns when none lives. All are
// stopped before the first is killed: a fork bomb would fill its place faster than the next is found.
func killAll(i identity, key string) error {
	const patience = time.Minute
	deadline := time.Now().Add(patience)
	stopped := map[int]bool{}
	for {
		pids, err := processesOf(i, key)
		if err != nil {
			return fmt.Errorf("kill the processes of task %s: %w", key, err)
		}
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kill the processes of task %s: %d live on after %v, %d among them", key, len(pids), patience, pids[0])
		}
		signal := syscall.SIGKILL
		if slices.ContainsFunc(pids, func(pid int) bool { return !stopped[pid] }) {
			signal = syscall.SIGSTOP
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d of task %s: %w", pid, key, err)
			}
			stopped[pid] = true
		}
		if signal == syscall.SIGKILL {
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// setOOMScore says how gladly the kernel kills a process for lack of memory; 0 leaves it as it is.
func setOOMScore(pid int, score int64) error {
	if score == 0 {
		return nil
	}
	path := "/proc/" + strconv.Itoa(pid) + "/oom_score_adj"
	if err := os.WriteFile(path, []byte(strconv.FormatInt(score, 10)), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set oom_score_adj: %w", err)
	}
	return nil
}

// findStarted completes the record of a task whose supervisor died just after the start, or that is damaged: its first
// process is the oldest that leads a session. It reports whether there is a process.
func findStarted(r *record, key string) bool {
	pids, err := processesOf(identity{}, key)
	if err != nil {
		return false
	}
	var oldest process
	for _, pid := range pids {
		p, err := readProcess(pid)
		if err == nil && p.session == pid && (oldest.pid == 0 || p.startTime < oldest.startTime) {
			oldest = p
		}
	}
	if oldest.pid == 0 {
		return false
	}
	r.Process, err = identify(oldest.pid)
	return err == nil
}

// waitAdopted waits for the end of a process that is not a child of this one.
func waitAdopted(i identity) Exit {
	fd, err := unix.PidfdOpen(i.PID, 0)
	if err == nil {
		defer unix.Close(fd)
	}
	if err != nil || !i.alive() { // looked at after the open: from here on fd is that process and no other
		return unseenExit()
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if status, ok := endStatus(i, fd); ok {
		return statusExit(status, time.Now())
	}
	return unseenExit()
}

func unseenExit() Exit {
	return Exit{Code: -1, Message: "the task ended while its supervisor was not running, so its exit code is not known", At: time.Now()}
}

// endStatus finds out how a process that is not a child has ended: from the process table until its parent has taken
// note, then from the kernel (Linux 6.15 and later).
func endStatus(i identity, fd int) (syscall.WaitStatus, bool) {
	for range 100 {
		p, err := readProcess(i.PID)
		if err == nil && p.startTime == i.StartTime && p.zombie {
			return p.status, true
		}
		status, errno := pidfdStatus(fd)
		if errno == 0 {
			return status, true
		}
		if errno != unix.EAGAIN && errno != unix.ESRCH {
			return 0, false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0, false
}

// pidfdStatus asks the kernel for the wait status of a process that has been reaped.
func pidfdStatus(fd int) (syscall.WaitStatus, syscall.Errno) {
	const (
		getInfo  = 0xC040FF0B // _IOWR(0xFF, 11, 64 bytes)
		infoExit = 1 << 3
	)
	info := struct {
		mask, cgroup uint64
		ids          [11]uint32
		exitCode     int32
	}{mask: infoExit}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), getInfo, uintptr(unsafe.Pointer(&info)))
	if errno == 0 && info.mask&infoExit == 0 {
		errno = unix.EAGAIN
	}
	return syscall.WaitStatus(info.exitCode), errno
}
