// Package driver runs the processes of tasks. It is the only package of the orchestrator that starts processes.
//
// A [Driver] starts, watches, signals and stops one kind of task. [RawExec] hands plain commands to the supervising
// process ([Supervise]): one small process for all tasks of a node, in a session of its own, so that tasks, their
// exit codes and their logs outlive the agent. It comes with the first task, and at the agent's start only where an
// earlier one has left tasks or lives. [Mock] only pretends, for tests of everything above it.
//
// What the supervisor knows lies in a folder, one folder per task:
//
//	DIR/supervisor/lock          held by the one supervisor of DIR
//	DIR/supervisor/log           what the supervisor has to say
//	DIR/supervisor/s             the unix socket on which the agent talks to it (see socketPath)
//	DIR/supervisor/tasks/KEY/    record.json, task.json that stands in for it, and the named pipes stdout and stderr
//
// A task's output goes through the named pipes into rotated files. The task holds both ends of its pipes, so the death
// of the supervisor neither ends nor signals it: it waits for the next supervisor once the pipe is full. A new
// supervisor finds the processes by pid, start time and boot ID, never by pid alone.
//
// The package knows nothing of allocations, jobs, restart policies or interpolation: it gets finished values.
package driver
