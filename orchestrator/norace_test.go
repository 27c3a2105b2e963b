//go:build !race

package orchestrator

import "testing"

func oneProcessor(*testing.T) {}
