package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/runner"
)

// execAlloc lets somebody run a program in a task and talk to it, over a
// websocket. Only what is wrong with the request is refused before that is opened.
// (Nomad.)
func (s *server) execAlloc(r *request) (any, error) {
	var args []string
	if err := json.Unmarshal([]byte(r.query.Get("command")), &args); err != nil || len(args) == 0 {
		return nil, badRequest("invalid command: %q", r.query.Get("command"))
	}
	return s.talk(r, r.id(), r.query.Get("task"), args)
}

// runAction runs an action that the job of an allocation names, in the same way. (Nomad: the texts.)
func (s *server) runAction(r *request) (any, error) {
	id, task, name := r.query.Get("allocID"), r.query.Get("task"), r.query.Get("action")
	alloc := s.Store.Snapshot().Alloc(nil, id)
	switch {
	case alloc == nil:
		return nil, fail(http.StatusNotFound, "Unknown allocation %q", id)
	case task == "":
		return nil, badRequest("must provide task name")
	case alloc.JobID != r.id():
		return nil, badRequest("job %s does not have allocation %s", r.id(), id)
	}
	found := lookupTask(alloc.Job.LookupTaskGroup(alloc.TaskGroup), task)
	if found == nil {
		return nil, badRequest("task %s not found in allocation %s", task, id)
	}
	for _, a := range found.Actions {
		if a.Name == name {
			return s.talk(r, id, task, append([]string{a.Command}, a.Args...))
		}
	}
	return nil, badRequest("action %s not found in task %s", name, task)
}

// talk opens the websocket to a program that is run in a task.
func (s *server) talk(r *request, alloc, task string, args []string) (any, error) {
	tty, err := r.flag("tty")
	if err != nil {
		return nil, badRequest("tty value is not a boolean: %v", err)
	}
	return stream(func(w http.ResponseWriter) error {
		upgrader := websocket.Upgrader{} // takes only our own pages for an Origin
		conn, err := upgrader.Upgrade(w, r.Request, nil)
		if err != nil {
			return nil // the upgrader has answered
		}
		defer conn.Close()
		c := &conversation{conn: conn, session: runner.Session{Args: args, TTY: tty}}
		node, err := s.allocRunner(alloc)
		if err != nil {
			c.close(websocket.ClosePolicyViolation, err.Error())
			return nil
		}
		c.run(r.Context(), node, alloc, task)
		return nil
	}), nil
}

// A conversation is what is said over one websocket.
type conversation struct {
	conn    *websocket.Conn
	session runner.Session

	writing sync.Mutex
}

// run answers what the program writes with frames, and ends with its exit code,
// or with the reason why it did not run. (Nomad: close codes 1000 and 1011.)
func (c *conversation) run(ctx context.Context, node *runner.Runner, alloc, task string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stdin, typed := io.Pipe()
	sizes := make(chan runner.Size, 1)
	c.session.Stdin, c.session.Sizes = stdin, sizes
	c.session.Stdout = outputs(func(data []byte) error { return c.send(api.ExecStreamingOutput{Stdout: piece(data)}) })
	c.session.Stderr = outputs(func(data []byte) error { return c.send(api.ExecStreamingOutput{Stderr: piece(data)}) })
	go func() {
		defer cancel() // whoever talks has gone
		typed.CloseWithError(c.listen(ctx, typed, sizes))
	}()
	code, err := node.Talk(ctx, alloc, task, c.session)
	stdin.Close()
	if err != nil {
		c.close(closeCode(err), err.Error())
		return
	}
	closed := &api.ExecStreamingIOOperation{Close: true}
	if c.send(api.ExecStreamingOutput{Stdout: closed}) == nil && c.send(api.ExecStreamingOutput{Stderr: closed}) == nil &&
		c.send(api.ExecStreamingOutput{Exited: true, Result: &api.ExecStreamingExitResult{ExitCode: code}}) == nil {
		c.close(websocket.CloseNormalClosure, "")
	}
}

// closeCode is 1011 for what would be status 500, and 1008 for the rest. (Nomad.)
func closeCode(err error) int {
	if _, ok := errors.AsType[*failure](clientError(err)); ok {
		return websocket.ClosePolicyViolation
	}
	return websocket.CloseInternalServerErr
}

// listen passes on what comes, until the other side hangs up.
func (c *conversation) listen(ctx context.Context, typed *io.PipeWriter, sizes chan<- runner.Size) error {
	for {
		var frame api.ExecStreamingInput
		if err := c.conn.ReadJSON(&frame); err != nil {
			return err
		}
		if size := frame.TTYSize; size != nil {
			select {
			case sizes <- runner.Size{Rows: uint16(size.Height), Columns: uint16(size.Width)}:
			case <-ctx.Done():
			}
		}
		if frame.Stdin == nil {
			continue
		}
		if len(frame.Stdin.Data) > 0 {
			// A program that reads no more is no reason to hang up.
			if _, err := typed.Write(frame.Stdin.Data); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				return err
			}
		}
		if frame.Stdin.Close {
			typed.Close()
		}
	}
}

// writeWithin is how long the other side may take for one frame.
const writeWithin = 30 * time.Second

func (c *conversation) send(frame api.ExecStreamingOutput) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return c.conn.WriteJSON(frame)
}

// maxReason is what fits into a close frame, in bytes. (RFC 6455.)
const maxReason = 123

func (c *conversation) close(code int, reason string) {
	message := websocket.FormatCloseMessage(code, reason[:min(len(reason), maxReason)])
	c.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(writeWithin)) // it ends one way or the other
}

func piece(data []byte) *api.ExecStreamingIOOperation {
	return &api.ExecStreamingIOOperation{Data: data}
}

// outputs is a writer that hands each piece on.
type outputs func([]byte) error

func (o outputs) Write(p []byte) (int, error) {
	if err := o(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
