//go:build unix

package runner

import (
	"context"
	"fmt"
	"os"
	"testing"

	"ostro/orchestrator/driver"
)

// TestMain makes the test binary its own supervisor ("TEST-BINARY supervise DIR") its own agent (see agentMain), and a task that answers (see
// serveMain).
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		if err := driver.Supervise(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 3 && os.Args[1] == "agent" {
		fmt.Fprintln(os.Stderr, agentMain(os.Args[2]))
		os.Exit(1)
	}
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, serveMain(os.Args[2]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}
