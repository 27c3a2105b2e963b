package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"ostro/tunnel"
)

func tunnelCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "tunnel", Usage: "hold a local port that leads through SSH, or run a command that uses it", ArgsUsage: "[-- COMMAND]",
		Flags: join(sshFlags(), []cli.Flag{
			&cli.StringFlag{Name: "local", Value: "127.0.0.1:0", Usage: "the local `HOST:PORT` or PORT; 0 is a free one"},
		}, configFlags(), logFlags()),
		Action: func(c *cli.Context) error {
			p, err := openConfig(t, c, "")
			if err != nil {
				return err
			}
			return p.runTunnel(c.Context, c.Args().Slice())
		},
	}
}

// runTunnel holds the port until ctx ends, or as long as the command runs.
// Nothing is dialled before the command line has been understood.
func (p *project) runTunnel(ctx context.Context, argv []string) error {
	host := orDefault(p.c.String("ssh"), p.config.SSH.Host)
	if host == "" {
		return usageError{withHint(errors.New("there is no SSH server"), "name it with -ssh [USER@]HOST[:PORT], or in the environment of -env")}
	}
	local, err := localAddress(p.c.String("local"))
	if err != nil {
		return usageError{err}
	}
	var command *exec.Cmd
	if len(argv) > 0 {
		if command, err = p.tunnelledCommand(argv); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", local)
	if err != nil {
		return withHint(fmt.Errorf("open the local port: %w", err), "choose another one with -local, or none for a free one")
	}
	defer l.Close()
	t, err := openTunnel(ctx, p.tunnelConfig(host))
	if err != nil {
		return err
	}
	defer t.Close()
	p.t.info("%s leads to %s through %s", l.Addr(), p.sshRemote(), host)
	// Little lives here, and each packet that goes by is garbage: collected at its
	// usual pace it costs as much as the decryption.
	debug.SetGCPercent(800)
	if command == nil {
		p.t.result("export NOMAD_ADDR=%s", p.nomadAt(l.Addr()))
		p.t.flush()
		return t.Forward(ctx, l)
	}
	command.Env = append(os.Environ(), "NOMAD_ADDR="+p.nomadAt(l.Addr()))
	return runTunnelled(t, l, command)
}

// localAddress also takes a port alone, which is then for this machine only.
func localAddress(local string) (string, error) {
	if !strings.Contains(local, ":") {
		local = "127.0.0.1:" + local
	}
	_, port, err := net.SplitHostPort(local)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return "", fmt.Errorf("-local %q is neither HOST:PORT nor a port", local)
	}
	return local, nil
}

// nomadAt is the address of a Nomad behind the local port. It speaks TLS where
// the configured one does.
func (p *project) nomadAt(local net.Addr) string {
	scheme, _, _ := strings.Cut(p.clientConfig().Address, "://")
	if scheme != "https" {
		scheme = "http"
	}
	return scheme + "://" + local.String()
}

// tunnelledCommand is the command with the standard streams of this program,
// which it has to itself.
func (p *project) tunnelledCommand(argv []string) (*exec.Cmd, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, usageError{fmt.Errorf("find the command: %w", err)}
	}
	command := exec.Command(path, argv[1:]...)
	command.Args[0] = argv[0]
	command.Stdin, command.Stdout, command.Stderr = p.t.in, p.t.raw, os.Stderr
	return command, nil
}

// runTunnelled runs the command, which alone decides when it ends: a shell, for
// one, stays after Ctrl-C. Signals are passed on, save for what a terminal sends
// to the command itself.
func runTunnelled(t *tunnel.Tunnel, l net.Listener, command *exec.Cmd) error {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	signals := make(chan os.Signal, len(all))
	signal.Reset(all...) // those of main, which would end the program
	signal.Notify(signals, all...)
	defer signal.Stop(signals)
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the command: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	forwarded := make(chan error, 1)
	go func() { forwarded <- t.Forward(ctx, l) }()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case sig := <-signals:
			if sig != os.Interrupt || !isTerminal(command.Stdin) {
				_ = command.Process.Signal(sig) // it may have ended just now
			}
		case err := <-ended:
			cancel()
			err = errors.Join(err, <-forwarded)
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				return commandError{exit}
			}
			return err
		}
	}
}

// commandError is the end of a command that ran in our place: its exit code is
// ours, and what there is to say it has said.
type commandError struct{ exit *exec.ExitError }

func (e commandError) Error() string { return e.exit.Error() }

// code is 128 and the signal for a command that a signal ended, as a shell has it.
func (e commandError) code() int {
	if status, ok := e.exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return e.exit.ExitCode()
}
