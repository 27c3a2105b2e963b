package driver

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"
)

// ErrUnknownTask is returned for a task ID that the driver has never started, or has forgotten.
var ErrUnknownTask = errors.New("unknown task")

// A Driver runs tasks of one kind. All methods are safe for concurrent use.
type Driver interface {
	// Start starts t and returns when it runs. Starting an ID that was started before changes nothing and is no
	// error, so a start whose answer was lost is simply repeated. Errors are final unless they are Recoverable.
	Start(ctx context.Context, t Task) error

	// Wait blocks until the task has ended, also if that was before the agent's own start.
	Wait(ctx context.Context, id string) (Exit, error)

	// Signal sends the named signal ("SIGHUP") to the task.
	Signal(ctx context.Context, id, signal string) error

	// Stop sends the named signal ("" is the driver's own), waits up to timeout, then kills every process of the
	// task. It returns when none is left. The stop goes on when ctx or the agent ends.
	Stop(ctx context.Context, id, signal string, timeout time.Duration) error

	// Forget drops what is known of an ended task.
	Forget(ctx context.Context, id string) error

	// List returns the IDs of the tasks that are known, running or ended, whose logs are somewhere below dir, an absolute
	// path: those of one node. They are in no order. dir "" is any.
	List(ctx context.Context, dir string) ([]string, error)
}

// A Task is all that a driver needs to know to start a task. Everything in it is interpolated.
type Task struct {
	ID     string         // names this one start of the task, for ever
	Dir    string         // absolute path of the task's folder, its working directory
	Config map[string]any // the task's config block
	Env    []string       // the whole environment, "KEY=value"
	User   string         // name or numeric ID; "" is the agent's own
	Logs   Logs

	Isolation *Isolation // nil for a task that sees the machine as it is

	// What follows is for drivers whose tasks have a root folder of their own (see OwnRoot).
	Name      string // what people may know it by: unique among all that runs
	AllocDir  string // absolute path of what the tasks of the allocation share
	Resources Resources
	Ports     []Port
	Labels    map[string]string // what the allocation is, for people who look at the container
	Tell      func(string)      `json:"-"` // hears of what takes time; may be nil
}

// Resources are what a task is held to. 0 is not said.
type Resources struct {
	CPU         int64 // MHz: its weight beside others
	MemoryMB    int64 // what it may always have
	MemoryMaxMB int64 // what it may have as long as there is some; 0 is MemoryMB
	CoreMHz     int64 // what one processor counts as
	Cores       []int // the processors that it has for itself; none is a share of all
}

// A Port is one of the allocation's.
type Port struct {
	Label  string
	HostIP string
	Host   int // the port of the host
	To     int // the port inside; 0 is the same
}

// The folders of a task as it sees them itself, where it has a root of its own (Nomad).
const (
	RootAlloc   = "/alloc"
	RootLocal   = "/local"
	RootSecrets = "/secrets"
)

// OwnRoot tells whether the tasks of a driver have a root folder of their own, and see theirs as the Root constants say.
func OwnRoot(driver string) bool { return driver == "docker" || driver == "exec" }

// OnHost tells whether the tasks of a driver are processes of this machine, which get its environment. (Nomad: those of
// exec, too.)
func OnHost(driver string) bool { return driver != "docker" }

// Logs says where a task's output goes: Dir/Name.stdout.0, Dir/Name.stderr.0, then .1 and so on.
type Logs struct {
	Dir         string // absolute path
	Name        string // the task's name
	MaxFiles    int    // per stream; the oldest beyond it are removed
	MaxFileSize int64  // bytes
	Disabled    bool   // the output is thrown away
}

// Exit tells how a task ended.
type Exit struct {
	Code      int       // exit code; 128 + Signal when a signal ended it
	Signal    int       // 0 when it ended by itself
	OOMKilled bool      // ended for lack of memory
	Message   string    // why there is no better answer, for example that nobody saw the exit code
	At        time.Time // when it ended, or was seen to have ended
}

// Successful reports whether the task ended by itself with exit code 0.
func (e Exit) Successful() bool { return e.Code == 0 && e.Signal == 0 && e.Message == "" }

// recoverable marks errors that another attempt may cure.
type recoverable struct{ error }

func (r recoverable) Unwrap() error { return r.error }

// Recoverable marks err as one that another attempt may cure, so that the restart policy decides.
func Recoverable(err error) error {
	if err == nil {
		return nil
	}
	return recoverable{err}
}

// IsRecoverable reports whether err, or one that it wraps, is marked by [Recoverable].
func IsRecoverable(err error) bool {
	_, ok := errors.AsType[recoverable](err)
	return ok
}

// below tells whether path is somewhere below dir; below "" is everything.
func below(path, dir string) bool {
	return dir == "" || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// pause waits for d unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
