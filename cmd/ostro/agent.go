package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
	"github.com/urfave/cli/v2"

	"ostro/orchestrator"
	"ostro/orchestrator/driver"
)

const (
	defaultListen = "127.0.0.1:4646"
	// stopTimeout is how long the tasks may take to end.
	stopTimeout = time.Minute
)

func agentCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "agent", Usage: "run the built-in orchestrator", HideHelpCommand: true,
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "dev", Usage: "run with this machine as the only node"},
			&cli.StringFlag{Name: "listen", Usage: "the `HOST:PORT` of the API (default: " + defaultListen + ")"},
			&cli.StringFlag{Name: "data-dir", Usage: "the `FOLDER` of the state (default: a folder of this run)"},
			&cli.IntFlag{Name: "nodes", Value: 1, Usage: "the number of client nodes: `N`"},
			&cli.BoolFlag{Name: "service", Hidden: true, Usage: "run as the background service of deploy -standalone"},
		}, logFlags()),
		Subcommands: []*cli.Command{{
			Name: "stop", Usage: "end the agent that runs in the background, and all its tasks",
			Action: func(c *cli.Context) error { return stopAgent(c.Context, t) },
		}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usageError{fmt.Errorf("there is no command %q", "agent "+c.Args().First())}
			}
			if !c.Bool("dev") {
				return usageError{withHint(errors.New("say how the agent is to run"), "ostro agent -dev")}
			}
			return runAgent(c.Context, t, c)
		},
	}
}

// superviseCommand is the process that stands between the agent and its tasks.
func superviseCommand() *cli.Command {
	return &cli.Command{
		Name: "supervise", Hidden: true, HideHelpCommand: true,
		Action: func(c *cli.Context) error { return driver.Supervise(c.Context, c.Args().First()) },
	}
}

// runAgent runs until it is told to end; then it ends its tasks, too.
func runAgent(ctx context.Context, t *terminal, c *cli.Context) error {
	if err := t.configure(c.String("log-level"), c.String("log-format")); err != nil {
		return err
	}
	dir, err := stateDir()
	if err != nil {
		return err
	}
	lock, err := lockAgent(c, dir)
	if err != nil {
		return err
	}
	if lock != nil {
		// Last of all: who sees the lock free finds nothing half removed.
		defer lock.release()
	}
	conf, err := agentConfig(t, c, dir)
	if err != nil {
		return err
	}
	if c.String("data-dir") == "" && !c.Bool("service") {
		defer os.RemoveAll(conf.DataDir)
	}
	o, err := startOrchestrator(ctx, c, dir, conf)
	if err != nil {
		return err
	}
	if lock != nil {
		state := agentState{Address: o.Addr(), PID: os.Getpid(), DataDir: conf.DataDir, Token: conf.Token, S3: o.S3()}
		if err := writeAgentState(dir, state); err != nil {
			return errors.Join(err, o.Close())
		}
	}
	printAgent(t, o, conf.Token)
	served := o.Wait(ctx)
	// Nothing but the end of the tasks ends the agent now.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	t.info("ending the tasks")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(served, o.Stop(stopping))
}

func agentConfig(t *terminal, c *cli.Context, dir string) (orchestrator.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return orchestrator.Config{}, fmt.Errorf("find this program: %w", err)
	}
	conf := orchestrator.Config{
		Listen: c.String("listen"), DataDir: c.String("data-dir"), Nodes: c.Int("nodes"),
		Supervisor: []string{self, "supervise"}, Version: Version(),
		Log: slog.New(tint.NewTextHandler(t.err, &tint.Options{Level: t.level, NoColor: !t.tty})),
	}
	if conf.Nodes < 1 {
		return conf, usageError{fmt.Errorf("-nodes %d: there has to be at least one", conf.Nodes)}
	}
	if !onLoopback(conf.Listen) {
		// Whoever reaches the API can run programs here.
		conf.Token = rand.Text()
	}
	switch {
	case conf.DataDir != "":
		conf.DataDir, err = filepath.Abs(conf.DataDir)
	case c.Bool("service"):
		conf.DataDir = filepath.Join(dir, "agent")
	default:
		conf.DataDir, err = os.MkdirTemp("", "ostro-agent-")
	}
	if err != nil {
		return conf, fmt.Errorf("choose the folder of the state: %w", err)
	}
	return conf, os.MkdirAll(conf.DataDir, 0o700)
}

// onLoopback tells whether only this machine reaches an address; the default
// does.
func onLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return listen == "" || err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// lockAgent makes this agent the one that -standalone and `agent stop` find. A
// further one that is started by hand runs beside it, unknown to them.
func lockAgent(c *cli.Context, dir string) (*agentLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the agent's state: %w", err)
	}
	lock, err := takeAgentLock(dir)
	if err == nil && lock == nil && c.Bool("service") {
		return nil, errors.New("an agent of this user runs already")
	}
	if lock != nil {
		// What an earlier agent said of itself holds no more, but for where it
		// was to be found.
		before, err := readAgentState(dir)
		if err != nil {
			before = &agentState{}
		}
		if err := writeAgentState(dir, agentState{Address: before.Address, DataDir: before.DataDir}); err != nil {
			return nil, err
		}
	}
	return lock, err
}

// lastAddress is where this user's agent listened before, so that whoever
// watches a deployment there finds it again.
func lastAddress(dir string) string {
	s, err := readAgentState(dir)
	if err != nil || !onLoopback(s.Address) {
		return ""
	}
	return s.Address
}

// startOrchestrator takes the address that was asked for; the background
// service takes the one it had before, Nomad's port, or a free one.
func startOrchestrator(ctx context.Context, c *cli.Context, dir string, conf orchestrator.Config) (*orchestrator.Orchestrator, error) {
	if !c.Bool("service") {
		o, err := orchestrator.Start(ctx, conf)
		if err != nil && portTaken(orDefault(conf.Listen, defaultListen)) {
			return nil, withHint(err, "another program has the port; choose one with -listen 127.0.0.1:PORT")
		}
		return o, err
	}
	for _, listen := range []string{lastAddress(dir), defaultListen} {
		if listen != "" && !portTaken(listen) {
			conf.Listen = listen
			return orchestrator.Start(ctx, conf)
		}
	}
	conf.Listen = "127.0.0.1:0"
	return orchestrator.Start(ctx, conf)
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func portTaken(address string) bool {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	listener.Close()
	return false
}

func printAgent(t *terminal, o *orchestrator.Orchestrator, token string) {
	t.info("the agent runs at http://%s", o.Addr())
	s3 := o.S3()
	t.result("export NOMAD_ADDR=http://%s", o.Addr())
	if token != "" {
		t.result("export NOMAD_TOKEN=%s", token)
	}
	t.result("export AWS_ENDPOINT_URL_S3=%s", s3.Endpoint)
	t.result("export AWS_ACCESS_KEY_ID=%s", s3.AccessKey)
	t.result("export AWS_SECRET_ACCESS_KEY=%s", s3.SecretKey)
	t.result("export AWS_REGION=us-east-1")
	t.flush()
}

// stopAgent ends this user's agent with its tasks. Where the agent died and
// left tasks behind, they are ended, too.
func stopAgent(ctx context.Context, t *terminal) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	s, err := runningAgent(dir)
	if err != nil {
		return err
	}
	if s == nil {
		return stopLeftTasks(ctx, t, dir)
	}
	if err := endAgent(ctx, dir, s); err != nil {
		return err
	}
	return stopLeftTasks(ctx, t, dir)
}

// endAgent tells the agent to end, and waits until it has.
func endAgent(ctx context.Context, dir string, s *agentState) error {
	if err := terminate(s.PID); err != nil {
		return fmt.Errorf("end the agent (pid %s): %w", strconv.Itoa(s.PID), err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout+10*time.Second)
	defer cancel()
	tick := time.NewTicker(agentPoll)
	defer tick.Stop()
	for {
		holder, err := agentLockHolder(dir)
		if err != nil {
			return err
		}
		if holder == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return withHint(fmt.Errorf("the agent (pid %d) does not end: %w", s.PID, ctx.Err()), "its log is %s", filepath.Join(dir, "agent.log"))
		case <-tick.C:
		}
	}
}

// stopLeftTasks ends the tasks that no agent looks after any more: it takes them
// up, to end them in the usual way.
func stopLeftTasks(ctx context.Context, t *terminal, dir string) error {
	data := filepath.Join(dir, "agent")
	if s, err := readAgentState(dir); err == nil && s.DataDir != "" {
		data = s.DataDir
	}
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		t.info("no agent runs, and no task is left")
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o, err := orchestrator.Start(ctx, orchestrator.Config{
		Listen: "127.0.0.1:0", DataDir: data, Supervisor: []string{self, "supervise"}, Version: Version(),
	})
	if err != nil {
		return fmt.Errorf("take up what the last agent left: %w", err)
	}
	stopping, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := o.Stop(stopping); err != nil {
		return err
	}
	t.info("no agent runs, and no task is left")
	return nil
}
