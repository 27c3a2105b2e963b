//go:build linux && amd64

// Package machinetest runs tests on a machine of their own, for what no test may do
// to the machine of others: the clock is set there, and the kernel has what another
// one has not.
package machinetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machineInit is the first program of the machine. The initial root cannot be left by
// pivot_root, so it moves to another one first.
const machineInit = `#!/bin/busybox sh
/bin/busybox mkdir -p /usr/bin /usr/sbin /sbin /etc /new
/bin/busybox --install -s /bin
ln -s /bin/busybox /usr/bin/env
mount -t tmpfs -o size=500m new /new
cp -a /bin /sbin /usr /etc /package.test /machine /new
mkdir -p /new/proc /new/sys /new/dev /new/tmp /new/lib
exec switch_root /new /machine
`

// machineMain runs the tests that the command line of the kernel names.
const machineMain = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts -o ptmxmode=666 pts /dev/pts
ln -sf pts/ptmx /dev/ptmx
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmp /tmp
ifconfig lo up
cd /tmp
OSTRO_TEST=machine /package.test -test.v -test.timeout 20m -test.run "$(sed -n 's/.*tests=//p' /proc/cmdline)"
reboot -f
`

// Inside tells a test that it runs on such a machine.
func Inside() bool { return os.Getenv("OSTRO_TEST") == "machine" }

// Run boots a machine and has it run tests of the package in the current folder, as
// root; all have to pass. The machine is a kernel that is at hand, with the binary of the
// tests as its only file but for busybox, and cgroups of version 2 alone. Where there is no
// emulator the test is skipped. .ci/run gets all that it needs.
func Run(t *testing.T, tests ...string) {
	t.Helper()
	qemu, kernel, busybox := machineParts(t)
	dir := t.TempDir()
	binary := filepath.Join(dir, "package.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	disk := filepath.Join(dir, "initrd")
	writeDisk(t, disk, []diskFile{
		{"bin", 0o040755, ""}, {"etc", 0o040755, ""},
		{"bin/busybox", 0o100755, readFile(t, busybox)}, {"package.test", 0o100755, readFile(t, binary)},
		{"init", 0o100755, machineInit}, {"machine", 0o100755, machineMain},
		{"etc/passwd", 0o100644, "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
		{"etc/group", 0o100644, "root:x:0:\nnogroup:x:65534:\n"},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	// Without KVM, which a machine that is virtual itself often has not, or has wrongly.
	machine := exec.CommandContext(ctx, qemu, "-accel", "tcg", "-cpu", "max", "-m", "1200", "-smp", "2", "-nographic", "-nodefaults", "-serial", "stdio",
		"-no-reboot", "-kernel", kernel, "-initrd", disk, "-append", "console=ttyS0 quiet panic=-1 tests=^("+strings.Join(tests, "|")+")$")
	out, err := machine.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range tests {
		if !bytes.Contains(out, []byte("--- PASS: "+name+" ")) {
			t.Errorf("%s has not passed", name)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// machineParts finds an emulator, a kernel and a busybox that needs no libraries.
func machineParts(t *testing.T) (qemu, kernel, busybox string) {
	t.Helper()
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("there is no qemu-system-x86_64")
	}
	if kernel = os.Getenv("OSTRO_TEST_KERNEL"); kernel == "" {
		kernels, _ := filepath.Glob("/boot/vmlinuz-*")
		if len(kernels) == 0 {
			t.Skip("there is no kernel in /boot, and OSTRO_TEST_KERNEL names none")
		}
		kernel = kernels[len(kernels)-1]
	}
	if busybox, err = exec.LookPath("busybox"); err != nil {
		t.Skip("there is no busybox")
	}
	return qemu, kernel, busybox
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A diskFile is one entry of an initial root.
type diskFile struct {
	name string
	mode uint32 // with its kind, as cpio(5) has it
	data string
}

// writeDisk writes a compressed cpio archive in the form that the kernel reads.
func writeDisk(t *testing.T, path string, files []diskFile) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range append(files, diskFile{name: "TRAILER!!!"}) {
		head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", i+1, file.mode, 0, 0, 1, 0, len(file.data), 0, 0, 0, 0, len(file.name)+1, 0)
		for _, part := range []string{head + file.name + "\x00", file.data} {
			if _, err := io.WriteString(zip, part+strings.Repeat("\x00", -len(part)&3)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
}
