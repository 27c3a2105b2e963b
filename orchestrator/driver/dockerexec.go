package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

var (
	_ Execer = (*Docker)(nil)
	_ Talker = (*Docker)(nil)
)

// Exec implements [Execer].
func (d *Docker) Exec(ctx context.Context, t Task, args []string) (Output, error) {
	var out head
	code, err := d.Talk(ctx, t, Session{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	return Output{Code: code, Text: out}, err
}

// Talk implements [Talker].
func (d *Docker) Talk(ctx context.Context, t Task, s Session) (int, error) {
	container, err := d.container(ctx, t.ID)
	if err != nil {
		return 0, err
	}
	created, err := d.api.ExecCreate(ctx, container, client.ExecCreateOptions{
		Cmd: s.Args, TTY: s.TTY, AttachStdin: true, AttachStdout: true, AttachStderr: true, Env: t.Env,
	})
	if err != nil {
		return 0, fmt.Errorf("run %s in container %s: %w", s.Args[0], container, err)
	}
	attached, err := d.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{TTY: s.TTY})
	if err != nil {
		return 0, fmt.Errorf("run %s in container %s: %w", s.Args[0], container, err)
	}
	defer attached.Close()
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	go func() {
		io.Copy(attached.Conn, s.Stdin)
		attached.CloseWrite()
	}()
	if s.Sizes != nil {
		talking, done := context.WithCancel(ctx)
		defer done()
		go d.resize(talking, created.ID, s.Sizes)
	}
	if s.TTY {
		_, err = io.Copy(s.Stdout, attached.Reader)
	} else {
		_, err = stdcopy.StdCopy(s.Stdout, s.Stderr, attached.Reader)
	}
	if err != nil {
		return 0, fmt.Errorf("talk to %s in container %s: %w", s.Args[0], container, errors.Join(ctx.Err(), err))
	}
	ended, err := d.api.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
	if err != nil {
		return 0, fmt.Errorf("ask how %s ended in container %s: %w", s.Args[0], container, err)
	}
	return ended.ExitCode, nil
}

// resize tells the terminal its sizes until ctx ends.
func (d *Docker) resize(ctx context.Context, exec string, sizes <-chan Size) {
	for {
		select {
		case size, ok := <-sizes:
			if !ok {
				return
			}
			// A program that has just ended has no terminal any more, which is no news.
			d.api.ExecResize(ctx, exec, client.ExecResizeOptions{Height: uint(size.Rows), Width: uint(size.Columns)})
		case <-ctx.Done():
			return
		}
	}
}
