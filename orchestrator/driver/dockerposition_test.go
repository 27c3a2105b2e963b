package driver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An agent that is killed between writing what a container says and noting how far it came gets the same again, and
// writes it once, whatever files it is in.
func TestContainerLogsAreWrittenOnce(t *testing.T) {
	for name, size := range map[string]int64{"one file": 1 << 20, "several files": 40} {
		t.Run(name, func(t *testing.T) {
			logs := Logs{Dir: t.TempDir(), Name: "web", MaxFiles: 100, MaxFileSize: size}
			before := "of an earlier run\n"
			if err := os.WriteFile(filepath.Join(logs.Dir, "web.stdout.0"), []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			d := &Docker{dir: t.TempDir()}
			read := func(from, to int) {
				t.Helper()
				out, errs := newRotator(logs, "stdout"), newRotator(logs, "stderr")
				if err := d.readLogs("a1", said(from, to), false, d.position("a1", out, errs), out, errs); err != nil {
					t.Fatal(err)
				}
			}
			noted := func() []byte {
				t.Helper()
				text, err := os.ReadFile(d.positionPath("a1"))
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			out, errs := newRotator(logs, "stdout"), newRotator(logs, "stderr")
			d.position("a1", out, errs)
			for _, from := range []int{0, 5} {
				old := noted()
				read(from, from+4)
				if err := os.WriteFile(d.positionPath("a1"), old, 0o600); err != nil { // as if it had been killed
					t.Fatal(err)
				}
				read(from, from+5)
			}
			want := map[string]string{"stdout": before}
			for i := range 10 {
				want[stream(i)] += fmt.Sprintf("line %d\n", i)
			}
			for name, want := range want {
				if got := whole(t, logs.Dir, "web."+name+"."); got != want {
					t.Errorf("%s is %q, not %q", name, got, want)
				}
			}
			if at := d.position("a1", out, errs).since(); at != "9.000000001" {
				t.Errorf("Docker is asked for what came since %q", at)
			}
		})
	}
}

func stream(line int) string {
	if line%3 == 0 {
		return "stderr"
	}
	return "stdout"
}

// said are lines as Docker sends them, one a second.
func said(from, to int) *bytes.Buffer {
	var b bytes.Buffer
	for i := from; i < to; i++ {
		text := fmt.Sprintf("%s line %d\n", time.Unix(int64(i), 0).UTC().Format(time.RFC3339Nano), i)
		header := [8]byte{0: 1}
		if stream(i) == "stderr" {
			header[0] = 2
		}
		binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
		b.Write(header[:])
		b.WriteString(text)
	}
	return &b
}

// whole is what the files of a stream hold together.
func whole(t *testing.T, dir, prefix string) string {
	t.Helper()
	var all strings.Builder
	for _, index := range LogIndexes(dir, prefix) {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(prefix, index)))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
