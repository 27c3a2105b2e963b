// Command http-echo answers a text over HTTP. It is what the example deploys.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// commit is set by the build, so that the answer comes from the program that
// runs and not from what its job says about it.
var commit = "unknown"

func main() {
	text := flag.String("text", "hello from http-echo", "what to answer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, address(), *text); err != nil {
		log.Fatal(err)
	}
}

// address is the port that Nomad gave to the task, or one for a run by hand.
func address() string {
	host := cmp.Or(os.Getenv("NOMAD_IP_http"), "localhost")
	return net.JoinHostPort(host, cmp.Or(os.Getenv("NOMAD_PORT_http"), "9595"))
}

// serve answers until ctx ends, and then finishes the requests under way.
func serve(ctx context.Context, address, text string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(text), ReadHeaderTimeout: 5 * time.Second}
	log.Printf("http-echo %s listens on %s", commit, listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// Shorter than Nomad's kill_timeout of 5 s.
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}

func handler(text string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s, commit %s", text, commit)
		if instance := os.Getenv("NOMAD_ALLOC_INDEX"); instance != "" {
			fmt.Fprintf(w, ", instance %s", instance)
		}
		fmt.Fprintln(w)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	return mux
}
