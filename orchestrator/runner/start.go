package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// start prepares and starts the task. Every error is in the task's events already.
func (t *task) start(ctx context.Context) error {
	alloc, _, spec := t.alloc.spec(t.name)
	if spec == nil {
		return errors.New("the job has no such task any more")
	}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	d, ok := t.alloc.runner.conf.Drivers.Get(spec.Driver)
	if !ok {
		err := fmt.Errorf("driver %q is not available on this node", spec.Driver)
		return t.fail(ctx, eventDriverFailure(err), err)
	}
	id, err := t.decideRun(ctx, alloc, spec.Driver)
	if err != nil {
		return t.fail(ctx, eventDriverFailure(err), driver.Recoverable(err))
	}
	run, err := t.driverTask(id)
	if err == nil {
		err = d.Start(ctx, run)
	}
	if err == nil {
		err = ctx.Err() // let go of: the next agent finds out whether it has started
	} else if undo(ctx, d, id) == nil {
		t.alloc.change(t, func(s *savedTask) { s.Run, s.Driver = "", "" })
		return t.fail(ctx, eventNotStarted(err), err)
	}
	if err == nil {
		t.alloc.change(t, t.setRunning)
	}
	return err
}

// driverTask is the task as a driver starts it, with everything interpolated. id names the start.
func (t *task) driverTask(id string) (driver.Task, error) {
	alloc, group, spec := t.alloc.spec(t.name)
	if spec == nil {
		return driver.Task{}, errors.New("the job has no such task any more")
	}
	env := newTaskEnv(alloc, group, spec, t.alloc.runner.conf.Node, foldersOf(spec, t.alloc.dir), t.cores())
	t.alloc.mu.Lock()
	templates := t.templates
	t.alloc.mu.Unlock()
	templates.addTo(env)
	config, err := env.driverConfig(spec.Config)
	if err != nil {
		return driver.Task{}, err
	}
	run := driver.Task{
		ID:       id,
		Dir:      t.dir(),
		Config:   config,
		Env:      env.list(),
		User:     userOf(spec, env),
		Logs:     logsOf(t.alloc.dir, spec),
		Name:     spec.Name + "-" + alloc.ID,
		AllocDir: filepath.Join(t.alloc.dir, "alloc"),
		Labels:   labelsOf(alloc, spec),
		Tell: func(message string) {
			t.alloc.change(t, func(s *savedTask) { addEvent(s.State, eventDriver(message)) })
		},
	}
	addAllocated(&run, alloc, spec.Name)
	run.Resources.Cores = t.cores()
	run.Resources.CoreMHz = int64(t.alloc.runner.megahertz())
	return run, nil
}

// userOf is the user that the task runs as; "" is the agent's own.
func userOf(spec *api.Task, env taskEnv) string {
	return driver.UserOf(spec.Driver, env.replace(spec.User))
}

// labelsOf says to people who look at a container what it is. (Nomad: the names.)
func labelsOf(alloc *api.Allocation, spec *api.Task) map[string]string {
	return map[string]string{
		"com.hashicorp.nomad.alloc_id":        alloc.ID,
		"com.hashicorp.nomad.job_id":          alloc.JobID,
		"com.hashicorp.nomad.namespace":       alloc.Namespace,
		"com.hashicorp.nomad.task_group_name": alloc.TaskGroup,
		"com.hashicorp.nomad.task_name":       spec.Name,
	}
}

// addAllocated adds the ports and resources that the task was given.
func addAllocated(run *driver.Task, alloc *api.Allocation, name string) {
	r := alloc.AllocatedResources
	if r == nil {
		return
	}
	for _, p := range r.Shared.Ports {
		run.Ports = append(run.Ports, driver.Port{Label: p.Label, HostIP: p.HostIP, Host: p.Value, To: p.To})
	}
	if own := r.Tasks[name]; own != nil {
		run.Resources = driver.Resources{CPU: own.Cpu.CpuShares, MemoryMB: own.Memory.MemoryMB, MemoryMaxMB: memoryMax(own.Memory.MemoryMaxMB)}
	}
}

// env is the task's environment as the host sees it, without what its templates add: what is prepared for the task is
// prepared there, also where the task itself sees its folders elsewhere.
func (t *task) env() taskEnv {
	alloc, group, spec := t.alloc.spec(t.name)
	return newTaskEnv(alloc, group, spec, t.alloc.runner.conf.Node, hostFolders(t.alloc.dir, t.name), t.cores())
}

func (t *task) dir() string { return filepath.Join(t.alloc.dir, t.name) }

// prepare makes the task's folder with all that belongs into it.
func (t *task) prepare(ctx context.Context) error {
	_, _, spec := t.alloc.spec(t.name)
	env, dir := t.env(), t.dir()
	if err := driver.RefuseUser(spec.Driver, env.replace(spec.User)); err != nil {
		return t.fail(ctx, eventHookFailed("validate", err), err)
	}
	if !t.alloc.state(t).SetUp {
		t.alloc.change(t, func(s *savedTask) { s.SetUp = true; addEvent(s.State, eventSetup()) })
	}
	if what := unsupported(spec); what != "" {
		err := fmt.Errorf("this node does not do %s", what)
		return t.fail(ctx, eventSetupFailure(err), err)
	}
	var err error
	if driver.OnHost(spec.Driver) {
		err = makeTaskDir(dir, ownerOf(userOf(spec, env)))
	} else {
		err = makeContainerDir(dir)
	}
	if _, unknown := errors.AsType[errUnknownUser](err); unknown {
		return t.fail(ctx, eventDriverFailure(err), err)
	} else if err != nil {
		return t.fail(ctx, eventSetupFailure(err), err)
	}
	if err := t.writePayload(spec, dir); err != nil {
		return t.fail(ctx, eventHookFailed("dispatch_payload", err), err)
	}
	if err := t.fetch(ctx, spec, env, dir); err != nil {
		return t.fail(ctx, eventDownloadFailed(err), driver.Recoverable(err))
	}
	if err := t.renderFirst(ctx, spec, env, dir); err != nil {
		return err
	}
	return t.kill.Err()
}

// fail tells why the task does not start, unless it is because the task has to end or is let go of.
func (t *task) fail(ctx context.Context, e *api.TaskEvent, err error) error {
	if t.kill.Err() == nil && ctx.Err() == nil {
		t.alloc.change(t, func(s *savedTask) { addEvent(s.State, e) })
	}
	return err
}

// unsupported names what a task asks for and would not get. To run it without would be worse than not to run it.
func unsupported(spec *api.Task) string {
	switch {
	case spec.Vault != nil:
		return "vault blocks"
	case len(spec.VolumeMounts) > 0:
		return "volume_mount blocks"
	}
	return ""
}

// decideRun writes down the ID of the start that follows, so that it cannot happen twice. It refuses when somebody else
// holds a port of the allocation; once a task runs, it may be that one.
func (t *task) decideRun(ctx context.Context, alloc *api.Allocation, driverName string) (id string, err error) {
	t.alloc.starting.Lock()
	defer t.alloc.starting.Unlock()
	if t.alloc.idle() {
		if err := portsFree(ctx, alloc); err != nil {
			return "", err
		}
	}
	t.alloc.change(t, func(s *savedTask) {
		s.Starts++
		s.Run = runID(t.alloc.id, t.name, s.Starts)
		s.Driver = driverName
		id = s.Run
	})
	return id, nil
}

// undo makes sure that nothing is left of a start that failed, or whose answer was lost. It fails only with ctx.
func undo(ctx context.Context, d driver.Driver, id string) error {
	for {
		err := d.Stop(ctx, id, "", 0)
		if err == nil || errors.Is(err, driver.ErrUnknownTask) {
			err = d.Forget(ctx, id)
		}
		if err == nil {
			return nil
		}
		if err := sleep(ctx, driverRetry); err != nil {
			return err
		}
	}
}

// driverRetry is how long a driver that does not answer is left alone.
const driverRetry = time.Second

func logsOf(allocDir string, spec *api.Task) driver.Logs {
	l := driver.Logs{Dir: filepath.Join(allocDir, "alloc", "logs"), Name: spec.Name, MaxFiles: 10, MaxFileSize: 10 << 20}
	if c := spec.LogConfig; c != nil {
		l.MaxFiles = derefOr(c.MaxFiles, l.MaxFiles)
		l.MaxFileSize = int64(derefOr(c.MaxFileSizeMB, 10)) << 20
		l.Disabled = deref(c.Disabled)
	}
	return l
}

// unlimitedMB is more memory than there is.
const unlimitedMB = 1 << 30

// memoryMax tells a driver how much memory a task may use; -1 asks for all that
// there is.
func memoryMax(mb int64) int64 {
	if mb < 0 {
		return unlimitedMB
	}
	return mb
}
