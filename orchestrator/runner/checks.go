package runner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/consul"
)

// Statuses of a check (Nomad).
const (
	checkPending = "pending"
	checkSuccess = "success"
	checkFailure = "failure"
	checkWarning = "warning" // of Consul; shown as failure
)

// checkOutputSize is how much of an answer is kept (Nomad: 3 KiB).
const checkOutputSize = 3 << 10

// A check is one check of one service, ready to be done.
type check struct {
	id      string
	service string
	owner   string // the task whose service it is; "" for a service of the group
	task    string // the task that it is about; "" for the group
	spec    api.ServiceCheck
	addr    string // HOST:PORT
	noAddr  error  // why there is no addr

	provider  string // of the service
	allocated bool   // the port was given to this allocation alone
}

// A checkState is what is known of a check. Guarded by alloc.mu.
type checkState struct {
	check
	status       api.AllocCheckStatus
	passingSince time.Time // zero unless it passes
	streak       int       // of equal results
	last         string    // the last result; "" while there is none
	passed       bool      // since its task started
	restart      checkRestart
}

// required reports whether a deployment waits for the check.
func (c check) required() bool { return c.spec.OnUpdate != api.OnUpdateIgnore }

// checksOf lists the checks of an allocation, with `${...}` replaced.
func checksOf(alloc *api.Allocation, group *api.TaskGroup, env func(*api.Task) taskEnv) []check {
	var all []check
	add := func(task *api.Task, name string, services []*api.Service) {
		for _, s := range services {
			for _, spec := range s.Checks {
				owner := cmp.Or(spec.TaskName, s.TaskName, name)
				all = append(all, newCheck(alloc, s, spec, name, owner, env(task)))
			}
		}
	}
	add(&api.Task{}, "", group.Services)
	for _, t := range group.Tasks {
		add(t, t.Name, t.Services)
	}
	return all
}

func newCheck(alloc *api.Allocation, s *api.Service, spec api.ServiceCheck, owner, task string, env taskEnv) check {
	c := check{service: env.replace(s.Name), owner: owner, task: task, spec: spec, provider: cmp.Or(s.Provider, providerConsul)}
	c.spec.OnUpdate = cmp.Or(spec.OnUpdate, s.OnUpdate)
	c.spec.Method, c.spec.Path, c.spec.Body = env.replace(spec.Method), env.replace(spec.Path), env.replace(spec.Body)
	c.spec.GRPCService, c.spec.InitialStatus = env.replace(spec.GRPCService), env.replace(spec.InitialStatus)
	c.spec.Name = env.replace(cmp.Or(spec.Name, fmt.Sprintf("service: %q check", s.Name)))
	c.spec.Header = map[string][]string{}
	for key, values := range spec.Header {
		c.spec.Header[env.replace(key)] = replaceList(env, values)
	}
	label := env.replace(cmp.Or(spec.PortLabel, s.PortLabel))
	if c.spec.Type == "script" {
		c.spec.Command, c.spec.Args = env.replace(spec.Command), replaceList(env, spec.Args)
	} else {
		c.addr, c.allocated, c.noAddr = checkAddress(alloc, label, env.replace(s.Address))
	}
	identity, err := json.Marshal([]any{alloc.ID, task, c.service, c.spec, c.addr})
	if err != nil {
		identity = []byte(alloc.ID + task + c.service + c.spec.Name)
	}
	sum := sha256.Sum256(identity)
	c.id = hex.EncodeToString(sum[:])
	return c
}

// do does a check once. A port that was given to this allocation has to be held by it: a stranger's answer is none.
func (a *alloc) do(ctx context.Context, c check) (status string, code int, output string) {
	if c.noAddr != nil {
		return checkFailure, 0, c.noAddr.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.spec.Timeout, 5*time.Second))
	defer cancel()
	if c.spec.Type == "script" {
		return a.runScript(ctx, c)
	}
	status, code, output = c.ask(ctx)
	if status != checkFailure && c.allocated {
		if stranger := a.stranger(ctx, c.addr); stranger != "" {
			return checkFailure, 0, fmt.Sprintf("%s is held by %s, which is no process of this allocation", c.addr, stranger)
		}
	}
	return status, code, output
}

// ask does a check over the network.
func (c check) ask(ctx context.Context) (status string, code int, output string) {
	switch c.spec.Type {
	case "tcp":
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.addr)
		if err != nil {
			return checkFailure, 0, err.Error()
		}
		conn.Close()
		return checkSuccess, 0, "nomad: tcp ok"
	case "http":
		return c.get(ctx)
	case "grpc":
		return c.askHealth(ctx)
	}
	return checkFailure, 0, fmt.Sprintf("checks of type %q are not supported on this node", c.spec.Type)
}

// take notes a result. Consul's thresholds count results in a row before the status changes.
func (s *checkState) take(status string, code int, output string, now time.Time) {
	s.last = status
	passes := status == checkSuccess || status == checkWarning && s.spec.OnUpdate == api.OnUpdateIgnoreWarn
	passed := !s.passingSince.IsZero()
	if passes {
		s.streak = max(s.streak, 0) + 1
	} else {
		s.streak = min(s.streak, 0) - 1
	}
	if passes && !passed && s.streak < s.spec.SuccessBeforePassing || !passes && passed && -s.streak < s.spec.FailuresBeforeCritical {
		status, passes = s.status.Status, passed
	}
	switch {
	case !passes:
		s.passingSince = time.Time{}
	case !passed:
		s.passingSince, s.passed = now, true
	}
	if status == checkWarning {
		status = checkFailure
	}
	s.status.Status, s.status.StatusCode, s.status.Output, s.status.Timestamp = status, code, output, now.Unix()
}

// reset is for a check whose task does not run.
func (s *checkState) reset() {
	mode := "healthiness"
	if !s.required() {
		mode = "readiness"
	}
	s.passingSince, s.streak, s.last, s.passed = time.Time{}, 0, "", false
	s.status = api.AllocCheckStatus{
		ID: s.id, Check: s.spec.Name, Group: s.status.Group, Mode: mode, Service: s.service, Task: s.task, Status: checkPending,
	}
}

// begin is for a check whose task has just started. Its initial status counts until there is a result.
func (s *checkState) begin(now time.Time) {
	s.restart = newCheckRestart(s.spec, now)
	if s.spec.InitialStatus == consul.Passing {
		s.take(checkSuccess, 0, "", now)
	}
}

// watchChecks does the checks of those tasks that run, and of no others. Only the allocation's loop calls it.
func (a *alloc) watchChecks(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.checkedFor != a.want {
		a.renewChecks()
	}
	for id, s := range a.checks {
		stop, watched := a.checking[id]
		switch runs := a.serves(s.task); {
		case runs && !watched:
			ctx, cancel := context.WithCancel(ctx)
			a.checking[id] = cancel
			s.begin(a.now())
			a.runner.loops.Go(func() { a.checkLoop(ctx, s) })
		case !runs && watched:
			stop()
			delete(a.checking, id)
			s.reset()
		}
	}
}

// renewChecks takes over the checks of a new version of the job. Those that are the same go on. The caller holds mu.
func (a *alloc) renewChecks() {
	a.checkedFor = a.want
	fresh := map[string]*checkState{}
	if group := a.group(); group != nil {
		env := func(t *api.Task) taskEnv {
			return newTaskEnv(a.want, group, t, a.runner.conf.Node, foldersOf(t, a.dir), nil)
		}
		for _, c := range checksOf(a.want, group, env) {
			s, ok := a.checks[c.id]
			if !ok {
				s = &checkState{check: c, status: api.AllocCheckStatus{Group: a.want.Name}}
				s.reset()
				s.passed = a.restored && slices.Contains(a.passed, c.id)
			}
			fresh[c.id] = s
		}
	}
	for id, stop := range a.checking {
		if fresh[id] == nil {
			stop()
			delete(a.checking, id)
		}
	}
	a.checks = fresh
}

// serves reports whether the task of a check runs; for the group's own checks, whether any main task does. The caller
// holds mu.
func (a *alloc) serves(task string) bool {
	for _, m := range a.members() {
		if m.state == stateRunning && (m.name == task || task == "" && m.hook == "") {
			return true
		}
	}
	return false
}

// firstAgain is how soon a check that fails right after the start of its task is done again; then twice as late each time
// up to its interval. Nomad waits for the whole interval, and so does whoever waits for the task to be ready.
const firstAgain = 100 * time.Millisecond

// checkLoop does one check again and again until ctx ends.
func (a *alloc) checkLoop(ctx context.Context, s *checkState) {
	interval := cmp.Or(s.spec.Interval, 10*time.Second)
	for again := min(interval, firstAgain); ; again = min(interval, 2*again) {
		status, code, output := a.do(ctx, s.check)
		if ctx.Err() != nil {
			return
		}
		a.mu.Lock()
		before, passed := s.status.Status, s.passed
		s.take(status, code, output, a.now())
		if s.passed != passed {
			a.save()
		}
		changed := before != s.status.Status
		if s.passed {
			again = interval
		}
		restart := s.restart.due(s.spec, status, a.now())
		a.mu.Unlock()
		if changed {
			a.poke()
		}
		a.runner.tellConsul(s.check, status, output)
		if restart {
			a.restartFor(ctx, s.check)
		}
		if sleep(ctx, again) != nil {
			return
		}
	}
}

// Checks returns the results of the checks of an allocation by check ID, as Nomad's API shows them.
func (r *Runner) Checks(allocID string) (api.AllocCheckStatuses, error) {
	a, err := r.lookup(allocID)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.checks) == 0 {
		return nil, nil // and not an empty map (Nomad)
	}
	all := api.AllocCheckStatuses{}
	for id, s := range a.checks {
		all[id] = s.status
	}
	return all, nil
}

// sortedChecks are the checks in the order of their services' names. The caller holds mu.
func (a *alloc) sortedChecks() []*checkState {
	return slices.SortedFunc(maps.Values(a.checks), func(x, y *checkState) int {
		return cmp.Or(cmp.Compare(x.service, y.service), cmp.Compare(x.id, y.id))
	})
}

// judgeChecks reports whether all checks that count pass, and since when.
func judgeChecks(checks []*checkState) (passing bool, since time.Time) {
	for _, s := range checks {
		switch {
		case !s.required():
		case s.passingSince.IsZero():
			return false, time.Time{}
		case s.passingSince.After(since):
			since = s.passingSince
		}
	}
	return true, since
}

// shownOutput is how much of what a check has said stands in an event, in bytes.
const shownOutput = 200

// whyChecks says which services of a task are at fault, with what their checks have said.
func whyChecks(checks []*checkState, task string, main bool) string {
	var names, outputs []string
	for _, s := range checks {
		if s.required() && s.passingSince.IsZero() && (s.task == task || s.task == "" && main) {
			names = append(names, s.service)
			output := strings.Join(strings.Fields(cmp.Or(s.status.Output, s.status.Status)), " ")
			outputs = append(outputs, s.spec.Name+": "+output[:min(len(output), shownOutput)])
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("Services not healthy by deadline: %s (%s)", strings.Join(names, ", "), strings.Join(outputs, "; "))
}
