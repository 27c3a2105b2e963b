package runner

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// maxEvents is how many events a task keeps (Nomad: 10, the oldest are dropped).
const maxEvents = 10

// newEvent makes an event whose text is display. Old clients read the flat fields, newer ones Details and
// DisplayMessage: the functions below fill all of them.
func newEvent(kind, display string) *api.TaskEvent {
	return &api.TaskEvent{Type: kind, Time: time.Now().UnixNano(), DisplayMessage: display, Details: map[string]string{}}
}

func eventReceived() *api.TaskEvent { return newEvent(api.TaskReceived, "Task received by client") }

func eventReconnected() *api.TaskEvent {
	return newEvent(api.TaskClientReconnected, "Client reconnected")
}

func eventSetup() *api.TaskEvent { return eventMessage(api.TaskSetup, "Building Task Directory") }

// eventMessage is an event that says nothing but a message.
func eventMessage(kind, message string) *api.TaskEvent {
	e := newEvent(kind, message)
	e.Message, e.Details["message"] = message, message
	return e
}

func eventSetupFailure(err error) *api.TaskEvent {
	e := newEvent(api.TaskSetupFailure, err.Error())
	e.SetupError, e.Details["setup_error"] = err.Error(), err.Error()
	return failsTask(e)
}

// eventHookFailed tells that a step before the start of a task has failed.
func eventHookFailed(step string, err error) *api.TaskEvent {
	return eventMessage("Task hook failed", step+": "+err.Error())
}

func eventDownloading() *api.TaskEvent {
	return newEvent(api.TaskDownloadingArtifacts, "Client is downloading artifacts")
}

func eventDownloadFailed(err error) *api.TaskEvent {
	e := newEvent(api.TaskArtifactDownloadFailed, err.Error())
	e.DownloadError, e.Details["download_error"] = err.Error(), err.Error()
	return e
}

// eventNotStarted tells why a task could not be started.
func eventNotStarted(err error) *api.TaskEvent {
	if _, invalid := errors.AsType[driver.InvalidConfig](err); !invalid {
		return eventDriverFailure(err)
	}
	e := newEvent(api.TaskFailedValidation, err.Error())
	e.ValidationError, e.Details["validation_error"] = err.Error(), err.Error()
	return e
}

func eventDriverFailure(err error) *api.TaskEvent {
	e := newEvent(api.TaskDriverFailure, err.Error())
	e.DriverError, e.Details["driver_error"] = err.Error(), err.Error()
	return e
}

// eventDriver passes on what the driver says while it starts a task.
func eventDriver(message string) *api.TaskEvent {
	e := newEvent(api.TaskDriverMessage, message)
	e.DriverMessage, e.Details["driver_message"] = message, message
	return e
}

func eventStarted() *api.TaskEvent { return newEvent(api.TaskStarted, "Task started by client") }

func eventTerminated(exit driver.Exit) *api.TaskEvent {
	text := fmt.Sprintf("Exit Code: %d", exit.Code)
	if exit.Signal != 0 {
		text += fmt.Sprintf(", Signal: %d", exit.Signal)
	}
	if exit.Message != "" {
		text += fmt.Sprintf(", Exit Message: %q", exit.Message)
	}
	e := newEvent(api.TaskTerminated, text)
	e.ExitCode, e.Signal, e.Message = exit.Code, exit.Signal, exit.Message
	e.Details["exit_code"] = strconv.Itoa(exit.Code)
	e.Details["signal"] = strconv.Itoa(exit.Signal)
	e.Details["oom_killed"] = strconv.FormatBool(exit.OOMKilled)
	if exit.Message != "" {
		e.Details["exit_message"] = exit.Message
	}
	return e
}

func eventRestarting(reason string, delay time.Duration) *api.TaskEvent {
	text := fmt.Sprintf("Task restarting in %v", delay)
	if reason != "" && reason != reasonWithinPolicy {
		text = reason + " - " + text
	}
	e := newEvent(api.TaskRestarting, text)
	e.RestartReason, e.Details["restart_reason"] = reason, reason
	e.StartDelay, e.Details["start_delay"] = int64(delay), strconv.FormatInt(int64(delay), 10)
	return e
}

func eventNotRestarting(reason string) *api.TaskEvent {
	e := newEvent(api.TaskNotRestarting, reason)
	e.RestartReason, e.Details["restart_reason"] = reason, reason
	return failsTask(e)
}

func eventRestartSignal(reason string) *api.TaskEvent {
	e := newEvent(api.TaskRestartSignal, reason)
	e.RestartReason, e.Details["restart_reason"] = reason, reason
	return e
}

// eventSignaling is a signal that a user has asked for.
func eventSignaling(signal string) *api.TaskEvent {
	e := newEvent(api.TaskSignaling, "Task being sent a signal")
	e.Details["signal"] = signal
	return e
}

// eventTemplateSignal is a signal that a changed template has brought about. Nomad names it in the words of the system.
func eventTemplateSignal(signal string) *api.TaskEvent {
	e := newEvent(api.TaskSignaling, "Template re-rendered")
	e.TaskSignal, e.Details["task_signal"] = driver.SignalText(signal), driver.SignalText(signal)
	return e
}

// eventKillReason ends a task by the client's own decision, and fails it.
func eventKillReason(reason string) *api.TaskEvent {
	return failsTask(newEvent(api.TaskKilling, reason))
}

func eventKilling(timeout time.Duration) *api.TaskEvent {
	e := newEvent(api.TaskKilling, fmt.Sprintf("Sent interrupt. Waiting %v before force killing", timeout))
	e.KillTimeout, e.Details["kill_timeout"] = timeout, timeout.String()
	return e
}

func eventKilled() *api.TaskEvent { return newEvent(api.TaskKilled, "Task successfully killed") }

func eventShutdownDelay(delay time.Duration) *api.TaskEvent {
	return newEvent("Waiting for shutdown delay", fmt.Sprintf("Waiting for shutdown_delay of %s before killing the task.", delay))
}

func eventSkippingShutdownDelay(delay time.Duration) *api.TaskEvent {
	return newEvent("Skipping shutdown delay", fmt.Sprintf("Skipping shutdown_delay of %s before killing the task.", delay))
}

func eventMainsDead() *api.TaskEvent {
	return newEvent("Main Tasks Dead", "Main tasks in the group died")
}

func eventLeaderDead() *api.TaskEvent {
	return newEvent(api.TaskLeaderDead, "Leader Task in Group dead")
}

func eventSiblingFailed(sibling string) *api.TaskEvent {
	e := newEvent(api.TaskSiblingFailed, fmt.Sprintf("Task's sibling %q failed", sibling))
	e.FailedSibling, e.Details["failed_sibling"] = sibling, sibling
	return e
}

func failsTask(e *api.TaskEvent) *api.TaskEvent {
	e.FailsTask, e.Details["fails_task"] = true, "true"
	return e
}
