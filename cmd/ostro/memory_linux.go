package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// leanMemory gives back what only the start of the program needed. The code and the
// tables of all its packages are read once, to be initialized, and count as its memory
// as long as they are mapped, though most of them are not used again. What is comes
// back from the page cache when it is touched.
func leanMemory() error {
	debug.FreeOSMemory()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("read what is in memory: %w", err)
	}
	defer smaps.Close()
	for _, m := range unwritten(smaps, program) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give memory back: %w", errno)
		}
	}
	return nil
}

// A mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// unwritten are the mappings of the file program in smaps that are as the file is, and
// stay so: one that may be written, or was (as when a loader has put in addresses),
// would lose that.
func unwritten(smaps io.Reader, program string) (found []mapping) {
	var m mapping
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		var from, to uintptr
		var access string
		line := lines.Text()
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err == nil {
			m = mapping{}
			if strings.HasSuffix(line, " "+program) && (access == "r-xp" || access == "r--p") {
				m = mapping{from, to}
			}
			continue
		}
		if name, size, _ := strings.Cut(line, ":"); name == "Anonymous" && m.to > 0 && strings.TrimSpace(size) == "0 kB" {
			found = append(found, m)
		}
	}
	return found
}
