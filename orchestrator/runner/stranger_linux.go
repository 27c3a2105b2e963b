package runner

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ostro/orchestrator/driver"
)

// stranger names a process that listens on addr although it is not of this allocation; "" when none is known to. Only
// drivers whose tasks are processes of this machine can tell.
func (a *alloc) stranger(ctx context.Context, addr string) string {
	inodes := listeners(addr)
	a.mu.Lock()
	inodes = slices.DeleteFunc(inodes, func(i string) bool { return a.ownSockets[i] })
	runs := map[string]driver.Owner{}
	for _, t := range a.tasks {
		if t.saved.Run == "" {
			continue
		}
		owner, ok := a.driver(t.saved.Driver).(driver.Owner)
		if !ok {
			a.mu.Unlock()
			return ""
		}
		runs[t.saved.Run] = owner
	}
	a.mu.Unlock()
	for _, inode := range inodes {
		pids := holders(inode)
		own := len(pids) == 0 // another user's, whom nobody may look at
		for _, pid := range pids {
			for run, owner := range runs {
				own = own || owner.Owns(run, pid)
			}
		}
		switch {
		case ctx.Err() != nil:
			return ""
		case !own:
			return processName(pids[0])
		case len(pids) > 0:
			a.mu.Lock()
			a.ownSockets[inode] = true
			a.mu.Unlock()
		}
	}
	return ""
}

func processName(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
}

// listeners are the inodes of the sockets that listen on addr, or on its port at any address.
func listeners(addr string) (inodes []string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	want := net.ParseIP(host)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != "0A" {
				continue
			}
			ip, hexPort, _ := strings.Cut(fields[1], ":")
			if p, err := strconv.ParseUint(hexPort, 16, 16); err != nil || p != number {
				continue
			}
			if bound := tableIP(ip); bound == nil || bound.IsUnspecified() || want == nil || bound.Equal(want) {
				inodes = append(inodes, fields[9])
			}
		}
		f.Close()
	}
	return inodes
}

// tableIP reads an address of /proc/net/tcp: words of four bytes in the machine's order, little-endian on all that run
// this.
func tableIP(text string) net.IP {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return nil
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	return raw
}

// holders are the processes that have a socket open.
func holders(inode string) (pids []int) {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	target := "socket:[" + inode + "]"
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != target {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
