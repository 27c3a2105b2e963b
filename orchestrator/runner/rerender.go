package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// missingDelay is how long data of a template may be missing before an event tells so; missingShown is how much of it is
// named (Nomad).
const (
	missingDelay = 3 * time.Second
	missingShown = 3
)

// first renders all blocks. It waits for what is missing, and returns when every file is in place, or with the event
// that fails the task.
func (m *templates) first(ctx context.Context) (*api.TaskEvent, error) {
	told, due := "", time.Time{}
	for {
		r, err := m.render(m.blocks)
		if err != nil {
			return eventKillReason("Template failed: " + err.Error()), err
		}
		if len(r.missing) == 0 {
			return m.place(r)
		}
		wait, cancel := context.WithCancel(ctx)
		switch text, now := missingText(r.missing), time.Now(); {
		case text == told:
		case due.IsZero():
			due = now.Add(missingDelay)
			wait, cancel = context.WithDeadline(ctx, due)
		case now.Before(due):
			wait, cancel = context.WithDeadline(ctx, due)
		default:
			told, due = text, time.Time{}
			m.tell("Template", text)
		}
		err = r.changed(wait)
		cancel()
		if ctx.Err() != nil {
			return nil, err
		}
	}
}

func missingText(missing []string) string {
	if n := len(missing); n > missingShown {
		missing = append(slices.Clone(missing[:missingShown]), fmt.Sprintf("and %d more", n-missingShown))
	}
	return "Missing: " + strings.Join(missing, ", ")
}

// place writes the first rendering of all blocks and reads what it adds to the environment.
func (m *templates) place(r rendering) (*api.TaskEvent, error) {
	for i, b := range m.blocks {
		if _, err := m.write(b, r.results[i].Text); err != nil {
			err = fmt.Errorf("%s: %w", b.name(), err)
			return eventKillReason("Template failed: " + err.Error()), err
		}
		b.last = r.results[i].Text
	}
	if err := m.loadEnv(); err != nil {
		return eventKillReason("Template failed to read environment variables: " + err.Error()), err
	}
	return nil, nil
}

// watched are the blocks that are rendered again.
func (m *templates) watched() []*templateBlock {
	return slices.DeleteFunc(slices.Clone(m.blocks), func(b *templateBlock) bool { return deref(b.spec.Once) })
}

// keep renders again what changes, and tells the task in the way that its blocks ask for. It begins with a look, for what
// has changed while no agent ran. It ends with ctx.
func (m *templates) keep(ctx context.Context) {
	blocks := m.watched()
	if len(blocks) == 0 {
		return
	}
	for ctx.Err() == nil {
		r, err := m.render(blocks)
		if err != nil {
			m.task.killWith(eventKillReason("Template failed: " + err.Error()))
			return
		}
		if len(r.missing) == 0 {
			if err := m.renew(ctx, blocks, r); err != nil {
				m.task.killWith(eventKillReason("Template failed: " + err.Error()))
				return
			}
		}
		if r.changed(ctx) != nil || m.settle(ctx, blocks) != nil {
			return
		}
	}
}

// settle waits as long as the wait blocks ask for, so that changes in a row are one.
func (m *templates) settle(ctx context.Context, blocks []*templateBlock) error {
	var longest time.Duration
	for _, b := range blocks {
		if w := b.spec.Wait; w != nil {
			longest = max(longest, deref(w.Min))
		}
	}
	return sleep(ctx, longest)
}

// renew puts the files in place that have changed, and carries out their change modes together.
func (m *templates) renew(ctx context.Context, blocks []*templateBlock, r rendering) error {
	var changed []*templateBlock
	for i, b := range blocks {
		text := r.results[i].Text
		if b.last != nil && bytes.Equal(b.last, text) {
			continue // also when the task has changed the file: that is its own affair
		}
		wrote, err := m.write(b, text)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name(), err)
		}
		b.last = text
		if wrote {
			changed = append(changed, b)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := m.loadEnv(); err != nil {
		return err
	}
	return m.react(ctx, changed)
}

// react tells the task of changed files: a restart, or signals and scripts, after a random part of the longest splay.
func (m *templates) react(ctx context.Context, changed []*templateBlock) error {
	restart, signals := false, map[string]bool{}
	var scripts []*api.ChangeScript
	var splay time.Duration
	for _, b := range changed {
		switch mode := derefOr(b.spec.ChangeMode, "restart"); {
		case mode == "restart":
			restart = true
		case mode == "signal":
			signals[deref(b.spec.ChangeSignal)] = true
		case mode == "script" && b.spec.ChangeScript != nil:
			scripts = append(scripts, b.spec.ChangeScript)
		default:
			continue
		}
		splay = max(splay, derefOr(b.spec.Splay, 5*time.Second))
	}
	if !restart && len(signals) == 0 && len(scripts) == 0 {
		return nil
	}
	if err := sleep(ctx, time.Duration(rand.Float64()*float64(splay))); err != nil {
		return nil
	}
	if restart {
		err := m.task.restart(ctx, newEvent(api.TaskRestartSignal, "Template with change_mode restart re-rendered"), false)
		if err != nil && !errors.Is(err, errNotRunning) && ctx.Err() == nil {
			return err
		}
		return nil // one that does not run now starts with the new files
	}
	for _, signal := range slices.Sorted(maps.Keys(signals)) {
		m.sendSignal(ctx, signal)
	}
	m.runScripts(ctx, scripts)
	return nil
}

func (m *templates) sendSignal(ctx context.Context, signal string) {
	err := m.task.signal(ctx, signal, eventTemplateSignal(signal))
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, errNotRunning):
		m.tell("Task hook message", fmt.Sprintf("Template skipped signal %s: task is not running", driver.SignalText(signal)))
	default:
		m.task.killWith(eventKillReason(fmt.Sprintf("Template failed to send signals [%s]: %v", driver.SignalText(signal), err)))
	}
}

func (m *templates) tell(kind, text string) {
	m.task.alloc.change(m.task, func(s *savedTask) { addEvent(s.State, newEvent(kind, text)) })
}

func (m *templates) runScripts(ctx context.Context, scripts []*api.ChangeScript) {
	var running sync.WaitGroup
	for _, script := range scripts {
		running.Go(func() { m.runScript(ctx, script) })
	}
	running.Wait()
}

// runFirst runs the scripts that want to run after the first rendering, too.
func (m *templates) runFirst(ctx context.Context) {
	var scripts []*api.ChangeScript
	for _, b := range m.blocks {
		if s := b.spec.ChangeScript; s != nil && deref(b.spec.ChangeMode) == "script" && deref(s.RunOnFirstRender) {
			scripts = append(scripts, s)
		}
	}
	m.runScripts(ctx, scripts)
}

func (m *templates) runScript(ctx context.Context, script *api.ChangeScript) {
	limited, cancel := context.WithTimeout(ctx, derefOr(script.Timeout, 5*time.Second))
	defer cancel()
	command, args := deref(script.Command), script.Args
	result, err := m.task.exec(limited, append([]string{command}, args...))
	text := ""
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		text = fmt.Sprintf("Template failed to run script %v with arguments %v on change: %v. Exit code: %v", command, args, err, result.Code)
	case result.Code != 0:
		text = fmt.Sprintf("Template ran script %v with arguments %v on change but it exited with code: %v", command, args, result.Code)
	default:
		m.tell("Task hook message", fmt.Sprintf("Template successfully ran script %v with arguments: %v. Exit code: 0", command, args))
		return
	}
	m.tell("Task hook failed", text)
	if deref(script.FailOnError) {
		m.task.killWith(eventKillReason("Template script failed, task is being killed"))
	}
}

// renderFirst renders the templates of a task before it starts, unless they are kept up to date anyway. Every error is in
// the task's events already.
func (t *task) renderFirst(ctx context.Context, spec *api.Task, env taskEnv, dir string) error {
	if len(spec.Templates) == 0 || t.keeping {
		return nil
	}
	m, err := newTemplates(t, spec, env, dir)
	if err != nil {
		return t.fail(ctx, eventHookFailed("template", err), err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.kill, cancel)()
	if e, err := m.first(ctx); e != nil {
		t.killWith(e)
		return err
	} else if err != nil {
		return err
	}
	t.setTemplates(m)
	return nil
}

func (t *task) setTemplates(m *templates) {
	t.alloc.mu.Lock()
	defer t.alloc.mu.Unlock()
	t.templates = m
}

// keepTemplates has the templates of the running task rendered again when something changes, until its end. Those of a
// task from before this agent are read anew.
func (t *task) keepTemplates(ctx context.Context) {
	_, _, spec := t.alloc.spec(t.name)
	if t.keeping || spec == nil || len(spec.Templates) == 0 {
		return
	}
	restored := t.templates == nil
	if restored {
		m, err := newTemplates(t, spec, t.env(), t.dir())
		if err == nil {
			err = m.loadEnv()
		}
		if err != nil {
			t.alloc.log.Error("the templates of a running task are not kept up to date", "task", t.name, "error", err)
			return
		}
		t.setTemplates(m)
	}
	t.keeping = true
	ctx, t.letGo = context.WithCancel(ctx)
	context.AfterFunc(t.kill, t.letGo)
	t.alloc.running.Go(func() {
		if !restored {
			t.templates.runFirst(ctx)
		}
		t.templates.keep(ctx)
	})
}

// killWith ends the task for good. e says why.
func (t *task) killWith(e *api.TaskEvent) {
	t.alloc.change(t, func(s *savedTask) { addEvent(s.State, e) })
	t.end()
}

// exec runs a program beside the task, with the task's environment, folder and user.
func (t *task) exec(ctx context.Context, args []string) (driver.Output, error) {
	s := t.alloc.state(t)
	if s.State.State != stateRunning || s.Run == "" {
		return driver.Output{}, errNotRunning
	}
	spec, err := t.driverTask(s.Run)
	if err != nil {
		return driver.Output{}, err
	}
	e, ok := t.alloc.driver(s.Driver).(driver.Execer)
	if !ok {
		return driver.Output{}, fmt.Errorf("the driver %s cannot run a program in a task", s.Driver)
	}
	return e.Exec(ctx, spec, args)
}
