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
	"strings"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
	"github.com/urfave/cli/v2"

	"ostro/orchestrator"
	"ostro/orchestrator/agentconfig"
	"ostro/orchestrator/driver"
	"ostro/orchestrator/telemetry"
)

const (
	defaultListen = "127.0.0.1:4646"
	// stopTimeout is how long the tasks may take to end.
	stopTimeout = time.Minute
	// configuredStopTimeout is the same where -config takes the place of a Nomad,
	// which is gone 5 s after SIGINT.
	configuredStopTimeout = 3 * time.Second
)

func agentCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "agent", Usage: "run the built-in orchestrator", HideHelpCommand: true,
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "dev", Usage: "run with this machine as the only node"},
			&cli.StringSliceFlag{Name: "config", Usage: "a `FILE` or folder of Nomad's agent configuration, HCL or JSON; may be repeated"},
			&cli.StringFlag{Name: "listen", Usage: "the `HOST:PORT` of the API (default: " + defaultListen + ")"},
			&cli.StringFlag{Name: "data-dir", Usage: "the `FOLDER` of the state (default: a folder of this run)"},
			&cli.IntFlag{Name: "nodes", Value: 1, Usage: "the number of client nodes: `N`"},
			&cli.BoolFlag{Name: "service", Hidden: true, Usage: "run as the background service of deploy -standalone"},
		}, logFlags()),
		Subcommands: []*cli.Command{
			{
				Name: "stop", Usage: "end the agent that runs in the background, and all its tasks",
				Action: func(c *cli.Context) error { return stopAgent(c.Context, t) },
			},
			reachCommand(t, "disconnect", "take a node out of reach, as a broken network does"),
			reachCommand(t, "reconnect", "bring a node back into reach"),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usageError{fmt.Errorf("there is no command %q", "agent "+c.Args().First())}
			}
			if !c.Bool("dev") && !c.IsSet("config") {
				return usageError{withHint(errors.New("say how the agent is to run"), "ostro agent -dev, or ostro agent -config FILE")}
			}
			return runAgent(c.Context, t, c)
		},
	}
}

// superviseCommand is the process that stands between the agent and its tasks.
func superviseCommand() *cli.Command {
	return &cli.Command{
		Name: "supervise", Hidden: true, HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			// Each node has one, as long as its tasks run; where this fails it is only larger.
			_ = leanMemory()
			return driver.Supervise(c.Context, c.Args().First())
		},
	}
}

// quietGit has git, which fetches artifacts, ask nobody for a password, and give up
// a server that is silent for two minutes.
func quietGit() error {
	for name, value := range map[string]string{"GIT_TERMINAL_PROMPT": "0", "GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "120"} {
		if _, set := os.LookupEnv(name); set {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("prepare for git: %w", err)
		}
	}
	return nil
}

// runAgent runs until it is told to end; -dev then ends its tasks, too.
func runAgent(ctx context.Context, t *terminal, c *cli.Context) error {
	if err := quietGit(); err != nil {
		return err
	}
	given, err := loadAgentConfig(t, c)
	if err != nil {
		return err
	}
	// A service of the machine has no home, and nobody looks for it there.
	var dir string
	var lock *agentLock
	if given == nil {
		if dir, err = stateDir(); err != nil {
			return err
		}
		if lock, err = lockAgent(c, dir); err != nil {
			return err
		}
	}
	if lock != nil {
		// Last of all: who sees the lock free finds nothing half removed.
		defer lock.release()
	}
	conf, err := agentConfig(t, c, dir, given)
	if err != nil {
		return err
	}
	if isTemporary(c, given) {
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
	printAgent(t, o, conf, c.Bool("dev"))
	if err := leanMemory(); err != nil {
		t.warn("%v", err)
	}
	return endOrchestrator(ctx, t, c, o, given)
}

// endOrchestrator waits for the end. Without -dev the tasks go on, and the next
// start takes them up.
func endOrchestrator(ctx context.Context, t *terminal, c *cli.Context, o *orchestrator.Orchestrator, given *agentconfig.Config) error {
	served := o.Wait(ctx)
	// Nothing but the end of the tasks ends the agent now.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if !c.Bool("dev") {
		return errors.Join(served, o.Close())
	}
	atMost := stopTimeout
	if given != nil {
		atMost = configuredStopTimeout
	}
	t.info("ending the tasks")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost)
	defer cancel()
	err := o.Stop(stopping)
	if given != nil && errors.Is(err, context.DeadlineExceeded) {
		t.warn("tasks that took longer than %s to end were killed", atMost)
		err = nil
	}
	return errors.Join(served, err)
}

func agentConfig(t *terminal, c *cli.Context, dir string, given *agentconfig.Config) (orchestrator.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return orchestrator.Config{}, fmt.Errorf("find this program: %w", err)
	}
	conf := orchestrator.Config{
		Listen: c.String("listen"), DataDir: c.String("data-dir"), Nodes: c.Int("nodes"),
		Supervisor: []string{self, "supervise"}, Version: Version(),
		Telemetry: telemetry.Config{Allocations: true, Nodes: true},
		Log:       slog.New(tint.NewTextHandler(t.err, &tint.Options{Level: t.level, NoColor: !t.tty})),
	}
	if t.log != nil {
		conf.Log = t.log
	}
	if conf.Nodes < 1 {
		return conf, usageError{fmt.Errorf("-nodes %d: there has to be at least one", conf.Nodes)}
	}
	if given != nil {
		if err := configure(&conf, given, c.Bool("dev")); err != nil {
			return conf, err
		}
	}
	switch {
	case conf.DataDir != "":
		conf.DataDir, err = filepath.Abs(conf.DataDir)
	case c.Bool("service"):
		conf.DataDir = filepath.Join(dir, "agent")
	default:
		conf.DataDir, err = os.MkdirTemp("", "ostro-agent-")
		if err == nil {
			err = os.Chmod(conf.DataDir, dataMode)
		}
	}
	if err != nil {
		return conf, fmt.Errorf("choose the folder of the state: %w", err)
	}
	if err := os.MkdirAll(conf.DataDir, dataMode); err != nil {
		return conf, fmt.Errorf("make the folder of the state: %w", err)
	}
	if !onLoopback(conf.Listen) {
		// Whoever reaches the API can run programs here.
		conf.Token, err = agentToken(conf.DataDir)
	}
	return conf, err
}

// dataMode lets tasks of other users through to their folders. What else is in the
// folder of the state is closed to them.
const dataMode = 0o711

// isTemporary tells whether the folder of the state is of this run only.
func isTemporary(c *cli.Context, given *agentconfig.Config) bool {
	return c.String("data-dir") == "" && !c.Bool("service") && (given == nil || given.DataDir == "")
}

// agentToken is what requests have to bear, the same at each start.
func agentToken(dataDir string) (string, error) {
	path := filepath.Join(dataDir, "api.token")
	text, err := os.ReadFile(path)
	if token := strings.TrimSpace(string(text)); err == nil && token != "" {
		return token, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the token of the API: %w", err)
	}
	token := rand.Text()
	if err := replaceFile(path, []byte(token+"\n")); err != nil {
		return "", fmt.Errorf("keep the token of the API: %w", err)
	}
	return token, nil
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

// printAgent prints what leads a shell to the agent. One of -dev was started by the
// reader. The output of another goes into a journal, where secrets do not belong: it
// says in which files they are.
func printAgent(t *terminal, o *orchestrator.Orchestrator, conf orchestrator.Config, dev bool) {
	scheme := "http"
	if conf.TLS != nil {
		scheme = "https"
	}
	t.info("the agent runs at %s://%s", scheme, o.Addr())
	s3 := o.S3()
	t.result("export NOMAD_ADDR=%s://%s", scheme, o.Addr())
	if conf.Token != "" && dev {
		t.result("export NOMAD_TOKEN=%s", conf.Token)
	}
	t.result("export AWS_ENDPOINT_URL_S3=%s", s3.Endpoint)
	if dev {
		t.result("export AWS_ACCESS_KEY_ID=%s", s3.AccessKey)
		t.result("export AWS_SECRET_ACCESS_KEY=%s", s3.SecretKey)
	}
	t.result("export AWS_REGION=us-east-1")
	t.flush()
	if !dev {
		t.info("the keys of its store are in %s", filepath.Join(conf.DataDir, "s3.keys"))
	}
	if !dev && conf.Token != "" {
		t.info("the token of its API is in %s", filepath.Join(conf.DataDir, "api.token"))
	}
}
