// Package runner runs the allocations of one node: it makes their folders, fetches artifacts, starts the tasks in the
// order of their lifecycle, restarts them by the job's policy, watches their health for deployments, keeps their logs
// and files readable, and reports what happens.
//
// One goroutine per allocation decides (alloc.go), one per task carries out (task.go). What they decide by are pure
// functions of states and the time: restart.go, lifecycle.go and health.go.
//
// A restart of the agent, by kill -9 too, loses nothing: the decision to start a task is on disk before the task is
// (persist.go), under an ID which the driver starts at most once, and the driver remembers how it ended. The order is:
// write the ID, start, write "running"; write the exit and clear the ID, forget it in the driver.
//
// The package knows neither the scheduler nor the API: it gets the allocations of its node by [Runner.Sync] and hands
// back changes by Config.Report. It changes none of the objects that it is given.
package runner
