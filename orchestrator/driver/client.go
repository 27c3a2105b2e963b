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
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// connectTime is how long a new supervisor may take until it answers.
const connectTime = time.Minute

// RawExec is the driver of plain commands. It talks to the supervising process of its folder, and starts it again when
// it has gone.
type RawExec struct {
	dir     string
	argv    []string
	http    *http.Client
	closing context.CancelFunc
	closed  context.Context
	attends sync.WaitGroup

	starting sync.Mutex // one start of a supervisor at a time
	started  []supervising
}

var _ Driver = (*RawExec)(nil)

// NewRawExec connects to the supervisor of dir, an absolute path; if none is there it runs argv, which must end up in
// [Supervise] of the same dir. Close leaves the supervisor and its tasks running.
func NewRawExec(ctx context.Context, dir string, argv []string) (*RawExec, error) {
	dialer := &net.Dialer{}
	d := &RawExec{dir: dir, argv: argv}
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
	if err := d.ensure(ctx); err != nil {
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

// End tells the supervisor to end once no task runs, and waits until it has.
func (d *RawExec) End(ctx context.Context) error {
	d.closing()
	d.attends.Wait()
	if _, err := d.post(ctx, "/end", request{}); err != nil {
		return fmt.Errorf("end the supervisor: %w", err)
	}
	d.http.CloseIdleConnections()
	for {
		lock, err := lockFile(filepath.Join(d.dir, "supervisor", "lock"))
		if err == nil {
			d.endLatecomers()
			return lock.Close()
		}
		if !errors.Is(err, errLocked) {
			return fmt.Errorf("end the supervisor: %w", err)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("end the supervisor: %w", err)
		}
	}
}

// A supervising process is one that this agent has started, until it has ended.
type supervising struct {
	process *os.Process
	ended   <-chan struct{}
}

// endLatecomers ends what was started beside another supervisor and has not come to see that yet. The caller has the
// lock, so none of them looks after a task.
func (d *RawExec) endLatecomers() {
	d.starting.Lock()
	defer d.starting.Unlock()
	for _, s := range d.started {
		s.process.Kill() // it may have ended
		<-s.ended
	}
	d.started = nil
}

// Start implements [Driver].
func (d *RawExec) Start(ctx context.Context, t Task) error {
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
	return err
}

// List implements [Driver].
func (d *RawExec) List(ctx context.Context, dir string) ([]string, error) {
	rep, err := d.call(ctx, "/list", request{Below: dir})
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

// ensure makes sure that a supervisor answers.
func (d *RawExec) ensure(ctx context.Context) error {
	d.starting.Lock()
	defer d.starting.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	for {
		_, err := d.post(ctx, "/list", request{})
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("start the supervisor: %w", ctx.Err())
		}
		ended, startErr := d.startSupervisor()
		if startErr != nil {
			return fmt.Errorf("start the supervisor: %w", startErr)
		}
		if err := d.awaitAnswer(ctx, ended); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("start the supervisor: no answer within %v (see %s): %w", connectTime, d.logPath(), err)
		}
		// Another supervisor was about to end and held the lock still, or the new one failed.
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("start the supervisor: it does not run (see %s): %w", d.logPath(), err)
		}
	}
}

var errSupervisorEnded = errors.New("the supervisor has ended")

func (d *RawExec) awaitAnswer(ctx context.Context, ended <-chan struct{}) error {
	for {
		if _, err := d.post(ctx, "/list", request{}); err == nil {
			return nil
		}
		select {
		case <-ended:
			return errSupervisorEnded
		default:
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func (d *RawExec) logPath() string { return filepath.Join(d.dir, "supervisor", "log") }

// startSupervisor runs the supervisor's command in a session of its own, with none of this process's streams.
func (d *RawExec) startSupervisor() (ended <-chan struct{}, err error) {
	if len(d.argv) == 0 {
		return nil, errors.New("no command line for it is configured")
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "supervisor"), 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(d.logPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(runnable(d.argv[0]), append(d.argv[1:len(d.argv):len(d.argv)], d.dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	// Tasks may run as the same user and could read the supervisor's environment: it gets none of the agent's secrets.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), startedBy + "=" + strconv.Itoa(os.Getpid())}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() // it tells in its log why it ended
	}()
	d.started = slices.DeleteFunc(d.started, func(s supervising) bool { return closed(s.ended) })
	d.started = append(d.started, supervising{cmd.Process, done})
	return done, nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// runnable returns what to run for name. The file of this very program may have been removed, as "go run" does: Linux
// still has it.
func runnable(name string) string {
	self, err := os.Executable()
	if err != nil || self != name {
		return name
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	return name
}
