package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Mock is a driver that only pretends, with the config of Nomad's mock_driver: run_for, exit_code, exit_signal,
// exit_err_msg, start_error, start_error_recoverable, start_block_for, kill_after, signal_error, stdout_string,
// stdout_repeat, stdout_repeat_duration and the same for stderr. A task without run_for ends at once. It forgets its
// tasks when the agent ends.
type Mock struct {
	mu    sync.Mutex
	tasks map[string]*mockTask
}

var _ Driver = (*Mock)(nil)

type mockConfig struct {
	runFor, startBlock, killAfter time.Duration
	exitCode, exitSignal          int
	exitMessage                   string
	startError                    string
	recoverable                   bool
	signalError                   string
	out                           map[string]*mockOutput // by stream
}

type mockOutput struct {
	text   string
	repeat int
	every  time.Duration
}

type mockTask struct {
	conf mockConfig
	logs string   // their folder
	stop chan int // gets the signal that ends the task
	done chan struct{}
	exit Exit
}

// NewMock returns a Mock without tasks.
func NewMock() *Mock { return &Mock{tasks: map[string]*mockTask{}} }

// Start implements [Driver].
func (m *Mock) Start(ctx context.Context, t Task) error {
	conf, err := decodeMock(t.Config)
	if err != nil {
		return err
	}
	if conf.startBlock > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(conf.startBlock):
		}
	}
	if conf.startError != "" {
		if conf.recoverable {
			return Recoverable(errors.New(conf.startError))
		}
		return errors.New(conf.startError)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.tasks[t.ID]; known {
		return nil
	}
	task := &mockTask{conf: conf, logs: t.Logs.Dir, stop: make(chan int, 1), done: make(chan struct{})}
	m.tasks[t.ID] = task
	go task.run(t.Logs)
	return nil
}

func (t *mockTask) run(logs Logs) {
	defer close(t.done)
	end := time.NewTimer(t.conf.runFor)
	defer end.Stop()
	var writers sync.WaitGroup
	for stream, out := range t.conf.out {
		writers.Go(func() { out.write(filepath.Join(logs.Dir, logs.Name+"."+stream+".0"), t.done) })
	}
	t.exit = Exit{Code: t.conf.exitCode, Signal: t.conf.exitSignal, Message: t.conf.exitMessage}
	select {
	case <-end.C:
		writers.Wait()
	case signal := <-t.stop:
		select {
		case <-end.C:
		case <-time.After(t.conf.killAfter):
		}
		t.exit = Exit{Code: 128 + signal, Signal: signal}
	}
	t.exit.At = time.Now()
}

func (o *mockOutput) write(path string, ended <-chan struct{}) {
	for range o.repeat + 1 {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return // the folder is gone: nobody reads
		}
		f.WriteString(o.text)
		f.Close()
		select {
		case <-ended:
			return
		case <-time.After(o.every):
		}
	}
}

// Wait implements [Driver].
func (m *Mock) Wait(ctx context.Context, id string) (Exit, error) {
	t, err := m.task(id)
	if err != nil {
		return Exit{}, err
	}
	select {
	case <-t.done:
		return t.exit, nil
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
}

// Signal implements [Driver].
func (m *Mock) Signal(_ context.Context, id, signal string) error {
	t, err := m.task(id)
	if err == nil && t.conf.signalError != "" {
		err = errors.New(t.conf.signalError)
	}
	return err
}

// Stop implements [Driver]. The pretended signal is SIGINT, or SIGKILL when kill_after is longer than timeout.
func (m *Mock) Stop(ctx context.Context, id, _ string, timeout time.Duration) error {
	t, err := m.task(id)
	if err != nil {
		return err
	}
	signal := 2
	if t.conf.killAfter > timeout {
		signal = 9
	}
	select {
	case t.stop <- signal:
	default: // repeated
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Forget implements [Driver].
func (m *Mock) Forget(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tasks, id)
	return nil
}

// List implements [Driver].
func (m *Mock) List(_ context.Context, dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, 0, len(m.tasks))
	for id, t := range m.tasks {
		if below(t.logs, dir) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (m *Mock) task(id string) (*mockTask, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tasks[id]
	if !ok {
		return nil, ErrUnknownTask
	}
	return t, nil
}

// decodeMock reads a mock_driver config block.
func decodeMock(config map[string]any) (mockConfig, error) {
	c := mockConfig{out: map[string]*mockOutput{}}
	for key, value := range config {
		if err := c.set(key, value); err != nil {
			return c, fmt.Errorf("%s in the config of mock_driver: %w", key, err)
		}
	}
	return c, nil
}

func (c *mockConfig) set(key string, value any) error {
	s, err := text(value)
	if err != nil {
		return err
	}
	switch key {
	case "run_for":
		c.runFor, err = time.ParseDuration(s)
	case "start_block_for":
		c.startBlock, err = time.ParseDuration(s)
	case "kill_after":
		c.killAfter, err = time.ParseDuration(s)
	case "exit_code":
		_, err = fmt.Sscan(s, &c.exitCode)
	case "exit_signal":
		_, err = fmt.Sscan(s, &c.exitSignal)
	case "exit_err_msg":
		c.exitMessage = s
	case "start_error":
		c.startError = s
	case "start_error_recoverable":
		_, err = fmt.Sscan(s, &c.recoverable)
	case "signal_error":
		c.signalError = s
	default:
		return c.setOutput(key, s)
	}
	return err
}

func (c *mockConfig) setOutput(key, s string) (err error) {
	stream, rest, _ := strings.Cut(key, "_")
	if stream != "stdout" && stream != "stderr" {
		return errors.New("there is no such setting")
	}
	if c.out[stream] == nil {
		c.out[stream] = &mockOutput{}
	}
	switch o := c.out[stream]; rest {
	case "string":
		o.text = s
	case "repeat":
		_, err = fmt.Sscan(s, &o.repeat)
	case "repeat_duration":
		o.every, err = time.ParseDuration(s)
	default:
		return errors.New("there is no such setting")
	}
	return err
}
