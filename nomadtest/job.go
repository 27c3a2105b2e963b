//go:build unix

package nomadtest

import (
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Scripts for [Job].
const (
	Serves = "exec sleep 600"
	Breaks = "echo starting; echo 'no config file' >&2; exit 7"
)

// Job is a shell script as a job with short times, whose name is not its ID. It
// neither restarts nor reschedules, and goes back to the last stable version.
// Only what begins with [Serves] is healthy soon: what ends by itself must not
// pass for healthy on a machine that takes its time to end it.
func Job(id, kind, script string) *api.Job {
	minHealthy := 500 * time.Millisecond
	if !strings.HasPrefix(script, Serves) {
		minHealthy = 10 * time.Minute
	}
	j := &api.Job{
		ID: &id, Name: new(id + "-name"), Type: &kind, Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{{
			Name: new("web"),
			Update: &api.UpdateStrategy{
				MaxParallel: new(1), HealthCheck: new("task_states"), AutoRevert: new(true),
				MinHealthyTime: &minHealthy, HealthyDeadline: new(minHealthy + time.Minute), ProgressDeadline: new(minHealthy + 2*time.Minute),
			},
			RestartPolicy:    &api.RestartPolicy{Attempts: new(0), Mode: new("fail"), Interval: new(time.Minute), Delay: new(time.Second)},
			ReschedulePolicy: &api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false), Interval: new(time.Minute), Delay: new(5 * time.Second), DelayFunction: new("constant"), MaxDelay: new(time.Minute)},
			Tasks:            []*api.Task{Task("server", script)},
		}},
	}
	switch kind {
	case api.JobTypeSystem:
		j.TaskGroups[0].ReschedulePolicy = nil
	case api.JobTypeBatch:
		j.TaskGroups[0].Update = nil
	case api.JobTypeSysbatch:
		j.TaskGroups[0].Update, j.TaskGroups[0].ReschedulePolicy = nil, nil
	}
	return j
}

// Task is a shell script as a small task.
func Task(name, script string) *api.Task {
	return &api.Task{
		Name: name, Driver: "raw_exec",
		Config:      map[string]any{"command": "/bin/sh", "args": []string{"-c", script}},
		Resources:   &api.Resources{CPU: new(10), MemoryMB: new(10)},
		KillTimeout: new(time.Second),
	}
}
