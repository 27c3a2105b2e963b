package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// becomes is the environment variable that tells a process that it is to become an isolated task. The plan comes on file
// descriptor 3; the error, if there is one, goes to 4.
const (
	becomes  = "OSTRO_BECOMES_TASK"
	planFD   = 3
	answerFD = 4
)

// cannotIsolate tells why tasks cannot be isolated here, or "". The first reason is in Nomad's words.
func cannotIsolate() string {
	if os.Geteuid() != 0 {
		return "Driver must run as root"
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil || have[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0 {
		return "The agent has no CAP_SYS_ADMIN, without which there are no namespaces"
	}
	return ""
}

// A plan is what the process that becomes an isolated task has to know.
type plan struct {
	Isolation
	Dir, AllocDir string // on the machine
	Env           []string
	Credential    syscall.Credential
	Cgroup        cgroup
}

// An entrance leads into an isolated task: a process in new namespaces waits at it for its plan.
type entrance struct {
	plan         plan
	toIt, fromIt *os.File
	itsOwn       []*os.File // the other ends
}

// newEntrance prepares the process that will become t: this very program, in which [Supervise] finds out what it is.
func newEntrance(t Task, key string) (l *launch, err error) {
	t, who, err := asUser(t)
	if err != nil {
		return nil, err
	}
	e := &entrance{plan: plan{
		Isolation: *t.Isolation, Dir: t.Dir, AllocDir: t.AllocDir, Env: append(t.Env, marker(key)), Credential: who,
	}}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if err := e.open(); err != nil {
		return nil, fmt.Errorf("isolate the task: %w", err)
	}
	if t.Isolation.Limited {
		if e.plan.Cgroup, err = makeCgroup(key, t.Resources, t.Isolation.Processes); err != nil {
			return nil, err
		}
	}
	return &launch{
		cmd: &exec.Cmd{
			Path:        "/proc/self/exe",
			Args:        os.Args,
			Env:         []string{becomes + "=1", marker(key)},
			Dir:         "/",
			ExtraFiles:  e.itsOwn,
			SysProcAttr: &syscall.SysProcAttr{Setsid: true, Cloneflags: t.Isolation.namespaces()},
		},
		user: &who, begun: func(int) error { return nil }, begin: e.begin, close: e.close,
	}, nil
}

func (i Isolation) namespaces() uintptr {
	flags := uintptr(unix.CLONE_NEWNS)
	if !i.HostPIDs {
		flags |= unix.CLONE_NEWPID
	}
	if !i.HostIPC {
		flags |= unix.CLONE_NEWIPC
	}
	return flags
}

func (e *entrance) open() error {
	planEnd, toIt, err := os.Pipe()
	if err != nil {
		return err
	}
	e.toIt, e.itsOwn = toIt, []*os.File{planEnd}
	fromIt, answerEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	e.fromIt, e.itsOwn = fromIt, append(e.itsOwn, answerEnd)
	return nil
}

// begin sends the plan to the process, which runs, and returns when it has become the task.
func (e *entrance) begin() error {
	for _, f := range e.itsOwn {
		f.Close() // so that its end is seen
	}
	e.itsOwn = nil
	sendErr := errors.Join(json.NewEncoder(e.toIt).Encode(e.plan), e.toIt.Close())
	answer, err := io.ReadAll(e.fromIt)
	if len(answer) > 0 {
		return errors.New(string(answer))
	}
	if errors.Is(sendErr, syscall.EPIPE) {
		sendErr = nil // it was ended meanwhile, of which its exit tells
	}
	return errors.Join(sendErr, err)
}

func (e *entrance) close() {
	for _, f := range append(e.itsOwn, e.toIt, e.fromIt) {
		f.Close() // again, most of them; one that was not opened is nil, which Close knows
	}
}

// asUser completes a task that is isolated with what its user means: the environment, and the IDs.
func asUser(t Task) (Task, syscall.Credential, error) {
	t.User = UserOf("exec", t.User)
	u, err := user.Lookup(t.User)
	if err != nil {
		if u, err = user.LookupId(t.User); err != nil {
			return t, syscall.Credential{}, fmt.Errorf("user %q is not known on this machine", t.User)
		}
	}
	t.Env = slices.DeleteFunc(slices.Clone(t.Env), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return key == "USER" || key == "LOGNAME" || key == "HOME"
	})
	t.Env = append(t.Env, "USER="+u.Username, "LOGNAME="+u.Username, "HOME="+u.HomeDir)
	who, err := idsOf(u)
	return t, who, err
}

// becomeTask makes this process, which is alone in its namespaces, the task of the plan that it reads. It comes back only
// when that has failed.
func becomeTask() error {
	unix.CloseOnExec(planFD)
	unix.CloseOnExec(answerFD)
	answer := os.NewFile(answerFD, "answer")
	var p plan
	err := json.NewDecoder(os.NewFile(planFD, "plan")).Decode(&p)
	if err == nil {
		err = p.carryOut()
	}
	_, err = answer.WriteString(err.Error())
	return err
}

// carryOut ends in the task's own program, or with an error.
func (p plan) carryOut() error {
	runtime.LockOSThread()
	join, err := p.Cgroup.open()
	if err != nil {
		return err
	}
	if err := enterRoot(p.Dir, p.AllocDir); err != nil {
		return fmt.Errorf("make the task's root: %w", err)
	}
	if err := os.Chdir(path.Join("/", p.WorkDir)); err != nil {
		return launchError(err)
	}
	command, err := findInside(p.Command)
	if err != nil {
		return err
	}
	// As late as can be: what this program itself needs is not the task's.
	if err := join(); err != nil {
		return err
	}
	if err := p.giveUp(); err != nil {
		return fmt.Errorf("give up what the task must not do: %w", err)
	}
	return launchError(syscall.Exec(command, append([]string{command}, p.Args...), p.Env))
}

// giveUp leaves this thread with the task's user and capabilities only.
func (p plan) giveUp() error {
	if err := boundTo(p.Capabilities); err != nil {
		return err
	}
	who := p.Credential
	groups := make([]int, len(who.Groups))
	for i, id := range who.Groups {
		groups[i] = int(id)
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setresgid(int(who.Gid), int(who.Gid), int(who.Gid)),
		syscall.Setresuid(int(who.Uid), int(who.Uid), int(who.Uid))); err != nil {
		return err
	}
	if who.Uid == 0 {
		return nil // who has, after the start of a program, all that boundTo has left
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, number := range capabilityNumbers(p.Capabilities) {
		data[number/32].Permitted |= 1 << (number % 32)
	}
	for i := range data {
		data[i].Effective, data[i].Inheritable = data[i].Permitted, data[i].Permitted
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for _, number := range capabilityNumbers(p.Capabilities) {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, number, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// boundTo takes from this thread, and all that it starts, what is not among the capabilities.
func boundTo(capabilities []string) error {
	for number, name := range allCapabilities {
		if slices.Contains(capabilities, name) {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(number), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // this kernel does not know so many
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func capabilityNumbers(names []string) []uintptr {
	var numbers []uintptr
	for number, name := range allCapabilities {
		if slices.Contains(names, name) {
			numbers = append(numbers, uintptr(number))
		}
	}
	return numbers
}

// findInside looks for a command where an isolated task does: in its local folder, in its root, and in lookupDirs. A file
// of its own that came without the executable bit gets it.
func findInside(name string) (string, error) {
	candidates := []string{path.Join(RootLocal, name), path.Join("/", name)}
	if !strings.Contains(name, "/") {
		for _, dir := range lookupDirs {
			candidates = append(candidates, path.Join(dir, name))
		}
	}
	for _, file := range candidates {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if mode := info.Mode().Perm(); mode&0o111 == 0 {
			if err := os.Chmod(file, mode|0o555); err != nil {
				return "", launchError(err)
			}
		}
		return file, nil
	}
	return "", launchError(fmt.Errorf("file %s not found under path", name))
}
