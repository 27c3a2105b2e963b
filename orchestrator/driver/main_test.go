//go:build unix

package driver_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"ostro/orchestrator/driver"
)

// TestMain makes the test binary its own supervisor: "TEST-BINARY supervise DIR".
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		if err := driver.Supervise(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
