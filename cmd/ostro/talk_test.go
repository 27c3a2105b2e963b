package main

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// talk runs a command on a terminal and talks with it, as a file says: a line
// "< PATTERN" waits until that comes out, "> TEXT" types a line, and "^C" the key.
// All that came out is stdout: talk CODE FILE COMMAND...
func talk(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(ts.Exec("env", "-0"))
	command := exec.Command(args[2], args[3:]...)
	command.Dir, command.Env = ts.MkAbs("."), strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\x00"), "\x00")
	keyboard, err := pty.Start(command)
	ts.Check(err)
	screen, closed := &output{}, make(chan struct{})
	go func() {
		io.Copy(screen, keyboard) // ends with an error when the command does
		close(closed)
	}()
	ts.Defer(func() {
		command.Process.Kill() // it has ended, unless the test failed
		command.Wait()
		keyboard.Close()
	})
	seen := 0
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		switch text := strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(text, "< "):
			pattern := regexp.MustCompile(text[2:])
			awaitTrue(ts, text, func() bool {
				place := pattern.FindStringIndex(screen.String()[seen:])
				if place != nil {
					seen += place[1]
				}
				return place != nil
			})
		case strings.HasPrefix(text, "> "):
			_, err = io.WriteString(keyboard, text[2:]+"\n")
		case text == "^C":
			_, err = io.WriteString(keyboard, "\x03")
		default:
			ts.Fatalf("%s: %q is not to be understood", args[1], text)
		}
		ts.Check(err)
	}
	awaitTrue(ts, "the command ends", func() bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
	command.Wait()
	io.WriteString(ts.Stdout(), strings.ReplaceAll(screen.String(), "\r", ""))
	if got := command.ProcessState.ExitCode(); got != code {
		ts.Fatalf("exit code %d, not %d", got, code)
	}
}

// output takes what a process says while the test reads it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
