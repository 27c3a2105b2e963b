package runner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Statuses of a check (Nomad).
const (
	checkPending = "pending"
	checkSuccess = "success"
	checkFailure = "failure"
)

// checkOutputSize is how much of an answer is kept (Nomad: 3 KiB).
const checkOutputSize = 3 << 10

// A check is one check of one service, ready to be done.
type check struct {
	id      string
	service string
	task    string // "" for a service of the group
	spec    api.ServiceCheck
	addr    string // HOST:PORT
	noAddr  error  // why there is no addr
}

// A checkState is what is known of a check. Guarded by alloc.mu.
type checkState struct {
	check
	status       api.AllocCheckStatus
	passingSince time.Time // zero unless it passes
	streak       int       // of equal results
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
				all = append(all, newCheck(alloc, s, spec, owner, env(task)))
			}
		}
	}
	add(&api.Task{}, "", group.Services)
	for _, t := range group.Tasks {
		add(t, t.Name, t.Services)
	}
	return all
}

func newCheck(alloc *api.Allocation, s *api.Service, spec api.ServiceCheck, task string, env taskEnv) check {
	c := check{service: env.replace(s.Name), task: task, spec: spec}
	c.spec.OnUpdate = cmp.Or(spec.OnUpdate, s.OnUpdate)
	c.spec.Path, c.spec.Body = env.replace(spec.Path), env.replace(spec.Body)
	c.spec.Name = env.replace(cmp.Or(spec.Name, fmt.Sprintf("service: %q check", s.Name)))
	c.spec.Header = map[string][]string{}
	for key, values := range spec.Header {
		for _, v := range values {
			c.spec.Header[key] = append(c.spec.Header[key], env.replace(v))
		}
	}
	label := env.replace(cmp.Or(spec.PortLabel, s.PortLabel))
	c.addr, c.noAddr = checkAddress(alloc, label, env.replace(s.Address))
	identity, err := json.Marshal([]any{alloc.ID, task, c.service, c.spec, c.addr})
	if err != nil {
		identity = []byte(alloc.ID + task + c.service + c.spec.Name)
	}
	sum := sha256.Sum256(identity)
	c.id = hex.EncodeToString(sum[:])
	return c
}

// checkAddress finds where a port is reached: a label of the group's ports, or a number.
func checkAddress(alloc *api.Allocation, label, host string) (string, error) {
	if r := alloc.AllocatedResources; r != nil {
		for _, p := range r.Shared.Ports {
			if p.Label == label {
				return net.JoinHostPort(cmp.Or(host, p.HostIP, "127.0.0.1"), strconv.Itoa(p.Value)), nil
			}
		}
	}
	if port, err := strconv.ParseUint(label, 10, 16); err == nil {
		return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), strconv.FormatUint(port, 10)), nil
	}
	return "", fmt.Errorf("invalid port %q: port label not found", label)
}

// do does the check once.
func (c check) do(ctx context.Context) (status string, code int, output string) {
	if c.noAddr != nil {
		return checkFailure, 0, c.noAddr.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.spec.Timeout, 5*time.Second))
	defer cancel()
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
	}
	return checkFailure, 0, fmt.Sprintf("checks of type %q are not supported on this node", c.spec.Type)
}

// get asks by HTTP. Anything below 400 is well; redirects are answers, they are not followed.
func (c check) get(ctx context.Context) (status string, code int, output string) {
	relative, err := url.Parse(c.spec.Path)
	if err != nil {
		return checkFailure, 0, err.Error()
	}
	base := url.URL{Scheme: cmp.Or(c.spec.Protocol, "http"), Host: c.addr}
	body := strings.NewReader(c.spec.Body)
	req, err := http.NewRequestWithContext(ctx, cmp.Or(c.spec.Method, http.MethodGet), base.ResolveReference(relative).String(), body)
	if err != nil {
		return checkFailure, 0, "nomad: " + err.Error()
	}
	for key, values := range c.spec.Header {
		for _, v := range values {
			req.Header.Add(key, v)
		}
	}
	req.Host = cmp.Or(req.Header.Get("Host"), req.Host)
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: c.spec.TLSSkipVerify, ServerName: c.spec.TLSServerName},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return checkFailure, 0, "nomad: " + err.Error()
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return checkSuccess, resp.StatusCode, "nomad: http ok"
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, checkOutputSize))
	if err != nil && len(text) == 0 {
		text = []byte("nomad: " + err.Error())
	}
	if resp.StatusCode < http.StatusBadRequest {
		return checkSuccess, resp.StatusCode, string(text)
	}
	return checkFailure, resp.StatusCode, string(text)
}

// take notes a result. Consul's thresholds count results in a row before the status changes.
func (s *checkState) take(status string, code int, output string, now time.Time) {
	passes := status == checkSuccess
	switch {
	case passes:
		s.streak = max(s.streak, 0) + 1
	default:
		s.streak = min(s.streak, 0) - 1
	}
	switch {
	case passes && s.status.Status != checkSuccess && s.streak < s.spec.SuccessBeforePassing,
		!passes && s.status.Status == checkSuccess && -s.streak < s.spec.FailuresBeforeCritical:
		status = s.status.Status
	}
	if status == checkSuccess && s.passingSince.IsZero() {
		s.passingSince = now
	} else if status != checkSuccess {
		s.passingSince = time.Time{}
	}
	s.status.Status, s.status.StatusCode, s.status.Output, s.status.Timestamp = status, code, output, now.Unix()
}

// reset is for a check whose task does not run.
func (s *checkState) reset() {
	mode := "healthiness"
	if !s.required() {
		mode = "readiness"
	}
	s.passingSince, s.streak = time.Time{}, 0
	s.status = api.AllocCheckStatus{
		ID: s.id, Check: s.spec.Name, Group: s.status.Group, Mode: mode, Service: s.service, Task: s.task, Status: checkPending,
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
			return newTaskEnv(a.want, group, t, a.runner.conf.Node, foldersOf(t, a.dir))
		}
		for _, c := range checksOf(a.want, group, env) {
			s, ok := a.checks[c.id]
			if !ok {
				s = &checkState{check: c, status: api.AllocCheckStatus{Group: a.want.Name}}
				s.reset()
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

// checkLoop does one check again and again until ctx ends.
func (a *alloc) checkLoop(ctx context.Context, s *checkState) {
	interval := cmp.Or(s.spec.Interval, 10*time.Second)
	for {
		status, code, output := s.do(ctx)
		if ctx.Err() != nil {
			return
		}
		a.mu.Lock()
		before := s.status.Status
		s.take(status, code, output, time.Now())
		changed := before != s.status.Status
		a.mu.Unlock()
		if changed {
			a.poke()
		}
		if sleep(ctx, interval) != nil {
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

// whyChecks says which services of a task are at fault, with what their checks have said.
func whyChecks(checks []*checkState, task string, main bool) string {
	var names, outputs []string
	for _, s := range checks {
		if s.required() && s.passingSince.IsZero() && (s.task == task || s.task == "" && main) {
			names = append(names, s.service)
			outputs = append(outputs, strings.TrimSpace(s.spec.Name+": "+cmp.Or(s.status.Output, s.status.Status)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("Services not healthy by deadline: %s (%s)", strings.Join(names, ", "), strings.Join(outputs, "; "))
}
