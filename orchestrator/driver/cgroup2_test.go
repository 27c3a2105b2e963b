//go:build linux && amd64

package driver

import (
	"os"
	"testing"

	"ostro/machinetest"
)

// TestExecOnCgroup2 runs the tests of the driver exec once more where the only cgroups are those of version 2.
func TestExecOnCgroup2(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full")
	}
	machinetest.Run(t, "TestIsolatedTaskSeesItsOwnRoot", "TestMachineSeesNothingOfTheRoot", "TestMemoryIsLimited", "TestLimitsOfATask",
		"TestIsolatedTaskOutlivesItsSupervisor", "TestProgramInIsolatedTask", "TestIsolatedTaskThatCannotStart",
		"TestForkBombWithLimits")
}
