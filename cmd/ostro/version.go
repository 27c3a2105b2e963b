package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// release is the version; a release build sets it with -ldflags -X.
var release = "0.1.0-dev"

// Version is the version of this program, with the commit it was built from
// where that is known.
func Version() string {
	if commit := buildCommit(); commit != "" {
		return release + "+" + commit
	}
	return release
}

func buildCommit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 7:
			commit = s.Value[:7]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-dirty"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + modified
}

func versionCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version, the commit and the Go version",
		Action: func(*cli.Context) error {
			commit := buildCommit()
			if commit == "" {
				commit = "unknown"
			}
			t.result("%s", fmt.Sprintf("ostro %s (commit %s, %s %s/%s)", release, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH))
			return nil
		},
	}
}
