//go:build unix

package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// RawExec is the driver of plain commands. It talks to the supervising process of its folder, which it starts with the
// first task, and again when it has gone.
type RawExec struct {
	dir     string
	argv    []string
	http    *http.Client
	closing context.CancelFunc
	closed  context.Context
	attends sync.WaitGroup

	starting sync.Mutex // one start of a supervisor at a time
	started  []*supervising
	need     func()          // closes needed
	needed   <-chan struct{} // closed once a supervisor has answered: until then there are no tasks
}

var _ Driver = (*RawExec)(nil)

// NewRawExec connects to the supervisor of dir, an absolute path. If none is there it runs argv, which must end up in
// [Supervise] of the same dir, at once when an earlier one has left tasks, else with the first task. Close leaves the
// supervisor and its tasks running.
func NewRawExec(ctx context.Context, dir string, argv []string) (*RawExec, error) {
	dialer := &net.Dialer{}
	needed := make(chan struct{})
	d := &RawExec{dir: dir, argv: argv, needed: needed, need: sync.OnceFunc(func() { close(needed) })}
	d.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			path := socketPath(dir)
			if err := checkSocketDir(filepath.Dir(path)); err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, "unix", path)
		},
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     2 * time.Second,
	}}
	d.closed, d.closing = context.WithCancel(context.WithoutCancel(ctx))
	left, err := leftTasks(dir)
	if err == nil && left {
		err = d.ensure(ctx)
	}
	if err != nil {
		d.closing()
		return nil, err
	}
	d.attends.Go(d.attend)
	return d, nil
}

// Close leaves the supervisor and all tasks running.
func (d *RawExec) Close() error {
	d.closing()
	d.attends.Wait()
	d.http.CloseIdleConnections()
	return nil
}

// End tells the supervisor, if there is one, to end once no task runs, and waits until it has.
func (d *RawExec) End(ctx context.Context) error {
	d.closing()
	d.attends.Wait()
	defer d.http.CloseIdleConnections()
	for {
		lock, err := lockFile(filepath.Join(d.dir, "supervisor", "lock"))
		switch {
		case err == nil:
			d.endLatecomers()
			return lock.Close()
		case errors.Is(err, fs.ErrNotExist) && !closed(d.needed):
			return nil // there was never one
		case !errors.Is(err, errLocked):
			return fmt.Errorf("end the supervisor: %w", err)
		}
		// One that comes up does not hear it yet, one that ends does not hear it any more.
		_, told := d.post(ctx, "/end", request{})
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("end the supervisor: %w", errors.Join(err, told))
		}
	}
}

// Start implements [Driver].
func (d *RawExec) Start(ctx context.Context, t Task) error {
	if t.Isolation == nil {
		if _, err := decodeRawExec(t.Config); err != nil {
			return err // as it is: from the supervisor come only words
		}
	}
	_, err := d.call(ctx, "/start", request{Task: &t})
	return err
}

// Wait implements [Driver].
func (d *RawExec) Wait(ctx context.Context, id string) (Exit, error) {
	rep, err := d.call(ctx, "/wait", request{ID: id})
	if err != nil {
		return Exit{}, err
	}
	if rep.Exit == nil {
		return Exit{}, fmt.Errorf("wait for task %s: the supervisor's answer has no exit", id)
	}
	return *rep.Exit, nil
}

// Signal implements [Driver].
func (d *RawExec) Signal(ctx context.Context, id, signal string) error {
	_, err := d.call(ctx, "/signal", request{ID: id, Signal: signal})
	return err
}

// Stop implements [Driver].
func (d *RawExec) Stop(ctx context.Context, id, signal string, timeout time.Duration) error {
	_, err := d.call(ctx, "/stop", request{ID: id, Signal: signal, Timeout: timeout})
	return err
}

// Forget implements [Driver].
func (d *RawExec) Forget(ctx context.Context, id string) error {
	_, err := d.call(ctx, "/forget", request{ID: id})
	if errors.Is(err, ErrUnknownTask) {
		return nil // there is no supervisor
	}
	return err
}

// List implements [Driver].
func (d *RawExec) List(ctx context.Context, dir string) ([]string, error) {
	rep, err := d.call(ctx, "/list", request{Below: dir})
	if errors.Is(err, ErrUnknownTask) {
		return nil, nil // there is no supervisor
	}
	return rep.IDs, err
}

// processes returns the PIDs of a task's living processes.
func (d *RawExec) processes(ctx context.Context, id string) ([]int, error) {
	rep, err := d.call(ctx, "/processes", request{ID: id})
	return rep.PIDs, err
}

// attend holds one call open, so that the supervisor knows that its agent lives, and starts a new supervisor when the
// old one has gone.
func (d *RawExec) attend() {
	select {
	case <-d.needed:
	case <-d.closed.Done():
	}
	for d.closed.Err() == nil {
		if _, err := d.post(d.closed, "/attend", request{}); err == nil || d.closed.Err() != nil {
			continue
		}
		if err := d.ensure(d.closed); err != nil {
			pause(d.closed, time.Second)
		}
	}
}

// call asks the supervisor. All calls may be repeated, so one that met the end of a supervisor goes to its successor.
func (d *RawExec) call(ctx context.Context, path string, req request) (reply, error) {
	const attempts = 5
	if !closed(d.needed) {
		if req.Task == nil {
			return reply{}, ErrUnknownTask
		}
		if err := d.ensure(ctx); err != nil {
			return reply{}, Recoverable(err)
		}
	}
	for n := 1; ; n++ {
		rep, err := d.post(ctx, path, req)
		if err == nil {
			switch {
			case rep.Unknown:
				return rep, ErrUnknownTask
			case rep.Error != "":
				return rep, errors.New(rep.Error)
			}
			return rep, nil
		}
		if ctx.Err() != nil {
			return reply{}, ctx.Err()
		}
		if n == attempts || d.closed.Err() != nil {
			return reply{}, Recoverable(fmt.Errorf("ask the supervisor: %w", err))
		}
		if err := d.ensure(ctx); err != nil {
			return reply{}, Recoverable(err)
		}
	}
}

func (d *RawExec) post(ctx context.Context, path string, req request) (reply, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return reply{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://supervisor"+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	resp, err := d.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return reply{}, fmt.Errorf("%s answered %s", path, resp.Status)
	}
	var rep reply
	if err := json.NewDecoder(resp.Body).Decode(&rep); err != nil {
		return reply{}, err
	}
	return rep, nil
}
