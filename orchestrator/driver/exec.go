package driver

import "context"

// An Execer is a driver that can run another program where a task runs.
type Execer interface {
	// Exec runs args in the surroundings of the running task t: its environment, folder and user. It kills the
	// program when ctx ends. The error is about a program that could not be run.
	Exec(ctx context.Context, t Task, args []string) (Output, error)
}

// Output is what came of a program that was run in a task.
type Output struct {
	Code int    // exit code
	Text []byte // standard output and error together, of which the first 4 KiB are kept
}

// maxExecOutput is how much of a program's output is kept.
const maxExecOutput = 4 << 10

// head keeps the beginning of what is written to it.
type head []byte

func (h *head) Write(p []byte) (int, error) {
	*h = append(*h, p[:min(len(p), maxExecOutput-len(*h))]...)
	return len(p), nil
}

// An Owner is a driver whose tasks are processes of this machine.
type Owner interface {
	// Owns reports whether a process is one of the task's. Where that is not known it is true.
	Owns(id string, pid int) bool
}
