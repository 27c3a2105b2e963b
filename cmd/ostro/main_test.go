package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator"
)

func TestMain(m *testing.M) {
	// Scripts wait more than they work. (As a command of a script, this binary has
	// another name.)
	if strings.HasSuffix(os.Args[0], ".test") {
		os.Args = slices.Insert(os.Args, 1, "-test.parallel=5")
	}
	testscript.Main(m, map[string]func(){"ostro": main, "blob-store": blobStore, "http-get": httpGet})
}

// TestScripts runs the scripts of testdata: the specification of the command
// line. Each has an orchestrator of its own, which NOMAD_ADDR and AWS_* name, and
// a home of its own, in which -standalone starts a further one.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	runScripts(t, files, setup)
}

func runScripts(t *testing.T, files []string, setup func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Files: files, Setup: func(env *testscript.Env) error {
			withProxies(env, t)
			return setup(env)
		}, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"answers": answersWith, "asking": asking, "await": await, "drain": drain, "exits": exits, "fault": faultCommand, "get": get, "listen": listen, "serves": serves, "signal": signalCommand,
			"ssh-agent": sshAgent, "sshd": sshdCommand, "stranger": stranger, "talk": talk, "tasks": tasks, "wrote": wrote,
		},
		Condition: condition,
	})
}

// condition knows [has:PROGRAM], [docker], [root] and [freeport:PORT].
func condition(name string) (bool, error) {
	switch name {
	case "docker":
		return hasDocker(), nil
	case "root":
		return runtime.GOOS == "linux" && os.Geteuid() == 0, nil
	}
	if program, ok := strings.CutPrefix(name, "has:"); ok {
		if program == "sshd" {
			program = sshdPath
		}
		_, err := exec.LookPath(program)
		return err == nil, nil
	}
	if port, ok := strings.CutPrefix(name, "freeport:"); ok {
		return !portTaken("127.0.0.1:" + port), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

func setup(env *testscript.Env) error { return setupWith(env, orchestrator.Config{}) }

func setupWith(env *testscript.Env, conf orchestrator.Config) error {
	ostro, err := exec.LookPath("ostro")
	if err != nil {
		return err
	}
	conf.Listen, conf.DataDir, conf.Supervisor = "127.0.0.1:0", filepath.Join(env.WorkDir, ".agent"), []string{ostro, "supervise"}
	conf.Version = Version()
	o, err := orchestrator.Start(context.Background(), conf)
	if err != nil {
		return err
	}
	env.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := o.Stop(ctx); err != nil {
			env.T().Log("stop the orchestrator:", err)
			env.T().FailNow()
		}
	})
	if err := o.CreateBucket("artifacts"); err != nil {
		return err
	}
	home := filepath.Join(env.WorkDir, ".home")
	env.Defer(func() { stopStandalone(env, ostro, home) })
	repo, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	s3 := o.S3()
	for name, value := range map[string]string{
		"HOME": home, "XDG_STATE_HOME": "", "SSH_AUTH_SOCK": "", "REPO": repo, "REMOTE": o.Addr(), "NOMAD_ADDR": "http://" + o.Addr(), "PORT": strconv.Itoa(freeport.Take()),
		"AWS_ENDPOINT_URL_S3": s3.Endpoint, "AWS_ACCESS_KEY_ID": s3.AccessKey, "AWS_SECRET_ACCESS_KEY": s3.SecretKey,
		"AWS_REGION": "us-east-1", "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com",
		"GOCACHE": goEnv("GOCACHE"), "GOMODCACHE": goEnv("GOMODCACHE"), "GOFLAGS": "-mod=mod",
	} {
		env.Setenv(name, value)
	}
	return os.MkdirAll(home, 0o700)
}

func goEnv(name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// stopStandalone ends what -standalone started in the script's home.
func stopStandalone(env *testscript.Env, ostro, home string) {
	if _, err := os.Stat(filepath.Join(home, ".local", "state", "ostro")); err != nil {
		return
	}
	stop := exec.Command(ostro, "agent", "stop")
	stop.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	if out, err := stop.CombinedOutput(); err != nil {
		env.T().Log(fmt.Sprintf("ostro agent stop: %v\n%s", err, out))
		env.T().FailNow()
	}
}

// exits runs a command that has to end with a certain exit code:
// exits 4 ostro deploy web.nomad.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// get fetches a URL and prints the body: get http://localhost:$PORT/. With a
// "!" nothing may answer.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
	ts.Check(err)
	reply, err := http.DefaultClient.Do(req)
	if neg {
		if err == nil {
			reply.Body.Close()
			ts.Fatalf("%s answers", args[0])
		}
		return
	}
	ts.Check(err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s", body)
}

// listen holds a port until the script ends: listen PORT.
func listen(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+args[0])
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
}

// stranger serves the orchestrator of the script at the address at which the agent
// of -standalone, which has died, was found.
func stranger(ts *testscript.TestScript, _ bool, _ []string) {
	s, err := readAgentState(filepath.Join(ts.Getenv("HOME"), ".local", "state", "ostro"))
	ts.Check(err)
	listener, err := net.Listen("tcp", s.Address)
	ts.Check(err)
	other, err := url.Parse(ts.Getenv("NOMAD_ADDR"))
	ts.Check(err)
	server := &http.Server{Handler: httputil.NewSingleHostReverseProxy(other)}
	go server.Serve(listener)
	ts.Defer(func() { server.Close() })
}

// signalCommand sends a signal to the agent that -standalone started, or to its
// whole process group: signal KILL group.
func signalCommand(ts *testscript.TestScript, _ bool, args []string) {
	dir := filepath.Join(ts.Getenv("HOME"), ".local", "state", "ostro")
	s, err := readAgentState(dir)
	ts.Check(err)
	target := strconv.Itoa(s.PID)
	if len(args) > 1 && args[1] == "group" {
		target = "-" + target
	}
	ts.Check(ts.Exec("kill", "-"+args[0], "--", target))
	if args[0] == "KILL" { // its connections last as long as it does
		awaitTrue(ts, "the agent is dead", func() bool { return !runs(s.PID) })
	}
}

// runs reports whether a process is more than an entry in the table of processes.
// One whose first thread is gone still has its files open until the last one is.
func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, found := strings.Cut(string(text), ") ")
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && found && (state[0] != 'Z' && state[0] != 'X' || len(threads) > 1)
}

// tasks counts the processes whose command line ends with a text: tasks 1 TEXT.
func tasks(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, err := countTasks(ts, args[1])
	ts.Check(err)
	if got != want {
		ts.Fatalf("%d processes with %q, not %d", got, args[1], want)
	}
}

// countTasks counts the processes of this script's tasks: another run on the
// machine may have its own.
func countTasks(ts *testscript.TestScript, text string) (int, error) {
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	n := 0
	for _, path := range entries {
		line, err := os.ReadFile(path)
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		if err == nil && bytes.Contains(environ, []byte(ts.Getenv("WORK"))) && strings.HasSuffix(strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")), text) {
			n++
		}
	}
	return n, nil
}

// await waits for something to come true: await tasks 1 TEXT, await file PATH,
// await line PATH TEXT, await answer URL, await running-deployment [FLAGS] JOB.
func await(ts *testscript.TestScript, _ bool, args []string) {
	check := map[string]func() bool{
		"tasks": func() bool {
			n, err := countTasks(ts, args[2])
			return err == nil && strconv.Itoa(n) == args[1]
		},
		"file": func() bool {
			info, err := os.Stat(args[1])
			return err == nil && info.Size() > 0
		},
		"line": func() bool {
			text, err := os.ReadFile(args[1])
			return err == nil && strings.Contains(string(text), args[2])
		},
		"answer":  func() bool { return statusOf(args[1]) == http.StatusOK },
		"refused": func() bool { return statusOf(args[1]) == http.StatusForbidden },
		"running-deployment": func() bool {
			flags := append([]string{"status"}, args[1:]...)
			return ts.Exec("ostro", flags...) == nil &&
				strings.Contains(ts.ReadFile("stdout"), " running: Deployment is running")
		},
	}[args[0]]
	awaitTrue(ts, strings.Join(args, " "), check)
}

// statusOf is the status that a URL answers with, or 0.
func statusOf(url string) int {
	reply, err := http.Get(url)
	if err != nil {
		return 0
	}
	reply.Body.Close()
	return reply.StatusCode
}

// awaitTrue gives something three minutes to come true: on a busy machine a drain
// takes its time.
func awaitTrue(ts *testscript.TestScript, what string, check func() bool) {
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-deadline:
			ts.Fatalf("%s: did not come true", what)
		case <-tick.C:
		}
	}
}
