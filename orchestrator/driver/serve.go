//go:build unix

package driver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A request is the body of all calls to the supervisor. The fields that a call does not need are empty.
type request struct {
	ID      string
	Task    *Task
	Signal  string
	Timeout time.Duration
	Below   string // of a list: the folder of the logs; "" is any
}

// A reply is the answer to all calls.
type reply struct {
	IDs     []string
	PIDs    []int
	Exit    *Exit
	Error   string
	Unknown bool // Error is ErrUnknownTask
}

// socketPath returns where the supervisor of dir listens. The address of a unix socket has room for 104 bytes at least
// (108 on Linux), so one with a long path lives in a folder of this user below /tmp.
func socketPath(dir string) string {
	path := filepath.Join(dir, "supervisor", "s")
	if len(path) < 100 {
		return path
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join("/tmp", "ostro-"+strconv.Itoa(os.Getuid()), hex.EncodeToString(sum[:8]))
}

// checkSocketDir refuses a folder that another user could put a socket of his own into.
func checkSocketDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder that only this user can write to", dir)
	}
	return nil
}

// listen opens the socket. The caller holds the lock, so a socket that is there belongs to nobody.
func listen(dir string) (net.Listener, error) {
	path := socketPath(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := checkSocketDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	unix := listener.(*net.UnixListener)
	unix.SetUnlinkOnClose(false) // another's may be there by then
	info, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(err, unix.Close())
	}
	return ownSocket{unix, info}, nil
}

// An ownSocket knows its file.
type ownSocket struct {
	*net.UnixListener
	file os.FileInfo
}

// removeSocket removes the file of a socket, unless it is another's: of a supervisor that came after the folder of this
// one was removed.
func removeSocket(l net.Listener) {
	own, ok := l.(ownSocket)
	if !ok {
		return
	}
	path := own.Addr().String()
	if info, err := os.Lstat(path); err == nil && os.SameFile(info, own.file) {
		os.Remove(path)
	}
}

// httpServer answers the calls of [RawExec].
func (s *supervisor) httpServer() *http.Server {
	mux := http.NewServeMux()
	for path, call := range map[string]func(context.Context, request) (reply, error){
		"/start": func(_ context.Context, r request) (reply, error) {
			if r.Task == nil {
				return reply{}, errors.New("no task is given")
			}
			return reply{}, s.start(*r.Task)
		},
		"/wait": func(ctx context.Context, r request) (reply, error) {
			c, err := s.child(r.ID)
			if err != nil {
				return reply{}, err
			}
			exit, err := c.wait(ctx)
			return reply{Exit: &exit}, err
		},
		"/signal": func(_ context.Context, r request) (reply, error) { return reply{}, s.signal(r) },
		"/stop":   func(_ context.Context, r request) (reply, error) { return reply{}, s.stop(r) },
		"/forget": func(_ context.Context, r request) (reply, error) { return reply{}, s.forget(r.ID) },
		"/list":   func(_ context.Context, r request) (reply, error) { return reply{IDs: s.list(r.Below)}, nil },
		"/processes": func(_ context.Context, r request) (reply, error) {
			c, err := s.child(r.ID)
			if err != nil || c.ended() {
				return reply{}, err
			}
			pids, err := processesOf(c.rec.Process, c.key())
			return reply{PIDs: pids}, err
		},
		"/end": func(context.Context, request) (reply, error) { s.end(); return reply{}, nil },
		// An agent keeps this call open all its life: so each side sees the end of the other at once.
		"/attend": func(ctx context.Context, _ request) (reply, error) { <-ctx.Done(); return reply{}, nil },
	} {
		mux.HandleFunc("POST "+path, answer(call))
	}
	return &http.Server{
		Handler: mux,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.connState(+1)
			case http.StateClosed, http.StateHijacked:
				s.connState(-1)
			}
		},
	}
}

func answer(call func(context.Context, request) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req request
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rep, err := call(r.Context(), req)
		if err != nil {
			rep.Error, rep.Unknown = err.Error(), errors.Is(err, ErrUnknownTask)
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(rep) // the caller may be gone
	}
}

func (s *supervisor) signal(r request) error {
	c, err := s.child(r.ID)
	if err != nil {
		return err
	}
	sig, err := signalNumber(r.Signal)
	if err != nil {
		return err
	}
	return c.signal(sig)
}

// stop goes on when the caller has gone: a task that was told to end is ended.
func (s *supervisor) stop(r request) error {
	c, err := s.child(r.ID)
	if err != nil {
		return err
	}
	sig, err := signalNumber(r.Signal)
	if err != nil {
		return err
	}
	return c.stop(sig, r.Timeout)
}
