package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/process"
)

func TestUnwritten(t *testing.T) {
	const smaps = `00400000-01516000 r-xp 00000000 fe:00 11100914                           /opt/ostro
Size:              17496 kB
Private_Dirty:     12120 kB
Anonymous:             0 kB
01516000-025a0000 r--p 01116000 fe:00 11100914                           /opt/ostro
Anonymous:             4 kB
025a0000-02673000 rw-p 021a0000 fe:00 11100914                           /opt/ostro
Anonymous:             0 kB
02673000-02680000 r--p 021a0000 fe:00 11100914                           /opt/ostro
Anonymous:             0 kB
18cc82c00000-18cc83400000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f2e986eb000-7f2e987bb000 r-xp 00000000 fe:00 12                         /lib/another/opt/ostro
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x1516000}, {0x2673000, 0x2680000}}
	if got := unwritten(strings.NewReader(smaps), "/opt/ostro"); !slices.Equal(got, want) {
		t.Errorf("unwritten are %x, not %x", got, want)
	}
}

func TestLeanMemory(t *testing.T) {
	resident := func() uint64 {
		self, err := process.NewProcess(int32(os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		memory, err := self.MemoryInfo()
		if err != nil {
			t.Fatal(err)
		}
		return memory.RSS
	}
	before := resident()
	if err := leanMemory(); err != nil {
		t.Fatal(err)
	}
	if after := resident(); after >= before {
		t.Errorf("%d bytes are in memory, %d were before", after, before)
	}
}
