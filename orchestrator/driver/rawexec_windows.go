package driver

import (
	"context"
	"errors"
	"time"
)

var errWindows = errors.New("the agent does not run on windows")

// Supervise is not there on windows.
func Supervise(context.Context, string) error { return errWindows }

// RawExec is not there on windows.
type RawExec struct{}

var _ Driver = (*RawExec)(nil)

// NewRawExec fails on windows.
func NewRawExec(context.Context, string, []string) (*RawExec, error) { return nil, errWindows }

// Close fails on windows.
func (*RawExec) Close() error { return errWindows }

// End fails on windows.
func (*RawExec) End(context.Context) error { return errWindows }

// Start fails on windows.
func (*RawExec) Start(context.Context, Task) error { return errWindows }

// Wait fails on windows.
func (*RawExec) Wait(context.Context, string) (Exit, error) { return Exit{}, errWindows }

// Signal fails on windows.
func (*RawExec) Signal(context.Context, string, string) error { return errWindows }

// Stop fails on windows.
func (*RawExec) Stop(context.Context, string, string, time.Duration) error { return errWindows }

// Forget fails on windows.
func (*RawExec) Forget(context.Context, string) error { return errWindows }

func (*RawExec) processes(context.Context, string) ([]int, error) { return nil, errWindows }

// List fails on windows.
func (*RawExec) List(context.Context, string) ([]string, error) { return nil, errWindows }

// signalNames is empty: no signals are sent here.
func signalNames() string { return "" }

// SignalText is the signal itself: windows has none.
func SignalText(name string) string { return name }
