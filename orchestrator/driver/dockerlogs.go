package driver

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

// follow has the container's output written into the task's log files, once; after the agent's death it goes on where
// that one stopped.
func (d *Docker) follow(ctx context.Context, id, container string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.readers[id] != nil {
		return nil
	}
	seen, err := d.api.ContainerInspect(ctx, container, client.ContainerInspectOptions{})
	if err != nil {
		return Recoverable(fmt.Errorf("look at container %s: %w", container, err))
	}
	var logs Logs
	if err := json.Unmarshal([]byte(seen.Container.Config.Labels[labelLogs]), &logs); err != nil {
		return fmt.Errorf("read the labels of container %s: %w", container, err)
	}
	done := make(chan struct{})
	d.readers[id] = done
	d.logs.Go(func() {
		defer close(done)
		if !logs.Disabled {
			d.copyLogs(id, container, logs, seen.Container.Config.Tty)
		}
	})
	return nil
}

// reader is closed when the logs of a task are whole.
func (d *Docker) reader(id string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.readers[id]
}

// forgetLogs drops what is known of the logs of a task.
func (d *Docker) forgetLogs(id string) error {
	d.mu.Lock()
	delete(d.readers, id)
	d.mu.Unlock()
	if err := os.Remove(d.positionPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// logRetry is how long a daemon that stopped sending is left alone.
const logRetry = time.Second

// copyLogs reads until the container has ended. A daemon that restarts meanwhile is asked again.
func (d *Docker) copyLogs(id, container string, logs Logs, tty bool) {
	out, errs := newRotator(logs, "stdout"), newRotator(logs, "stderr")
	defer out.Close()
	defer errs.Close()
	for d.following.Err() == nil {
		at := d.position(id, out, errs)
		body, err := d.api.ContainerLogs(d.following, container, client.ContainerLogsOptions{
			ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true, Since: at.since(),
		})
		if err == nil {
			err = d.readLogs(id, body, tty, at, out, errs)
			body.Close()
		}
		if err == nil || errors.Is(err, ErrUnknownTask) || !d.alive(container) {
			return
		}
		if pause(d.following, logRetry) != nil {
			return
		}
	}
}

// alive tells whether the container may write more.
func (d *Docker) alive(container string) bool {
	seen, err := d.api.ContainerInspect(d.following, container, client.ContainerInspectOptions{})
	return err == nil && seen.Container.State.Running
}

// readLogs writes what comes to the two streams, and notes how far it came whenever nothing more is there. What was
// written after the last note, by an agent that was killed, comes again and is passed over.
func (d *Docker) readLogs(id string, from io.Reader, tty bool, at position, out, errs *rotator) error {
	in := bufio.NewReaderSize(from, 64<<10)
	streams := map[bool]io.Writer{false: &passOver{out, out.behind(at.Stdout)}, true: &passOver{errs, errs.behind(at.Stderr)}}
	news := false
	note := func() {
		if news {
			at.Stdout, at.Stderr, news = out.mark(), errs.mark(), false
			d.note(id, at) // what cannot be noted is passed over after a restart
		}
	}
	defer note()
	for {
		if in.Buffered() == 0 {
			note()
		}
		entry, toStderr, err := nextEntry(in, tty)
		if len(entry) > 0 {
			written, text, _ := strings.Cut(string(entry), " ")
			io.WriteString(streams[toStderr], text)
			at.Read, news = written, true
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxEntry is more than Docker puts into one entry of a log.
const maxEntry = 16 << 20

// nextEntry reads one entry: TIME, a blank, and what was written. Without a terminal each comes with a header that
// names stream and length. (Docker Engine API: ContainerAttach.)
func nextEntry(in *bufio.Reader, tty bool) (entry []byte, toStderr bool, err error) {
	if tty {
		entry, err = in.ReadBytes('\n')
		return entry, false, err
	}
	var header [8]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return nil, false, err
	}
	size := binary.BigEndian.Uint32(header[4:])
	if size > maxEntry {
		return nil, false, fmt.Errorf("an entry of %d bytes in a log of Docker", size)
	}
	entry = make([]byte, size)
	_, err = io.ReadFull(in, entry)
	return entry, header[0] == 2, err
}
