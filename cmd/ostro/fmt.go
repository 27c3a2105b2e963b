package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"ostro/jobspec"
)

func fmtCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "fmt", Usage: "format job files and templates", ArgsUsage: "[FILE | FOLDER | -]...",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check", Usage: "change nothing, and exit with 1 when something is not formatted"},
		},
		Action: func(c *cli.Context) error {
			places := c.Args().Slice()
			if len(places) == 0 {
				places = []string{"."}
			}
			if len(places) == 1 && places[0] == "-" {
				return t.formatStream()
			}
			changed := 0
			for _, place := range places {
				n, err := t.formatAll(place, c.Bool("check"))
				if err != nil {
					return err
				}
				changed += n
			}
			if changed > 0 && c.Bool("check") {
				return withHint(errors.New("not all files are formatted"), "ostro fmt %s", strings.Join(places, " "))
			}
			return nil
		},
	}
}

func (t *terminal) formatStream() error {
	text, err := io.ReadAll(t.in)
	if err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	_, err = t.raw.Write(jobspec.Format(text))
	return err
}

// formatAll formats a file, or the job files below a folder, and names those
// that were (or, with check, would be) changed.
func (t *terminal) formatAll(place string, check bool) (changed int, err error) {
	info, err := os.Stat(place)
	if err != nil {
		return 0, usageError{fmt.Errorf("cannot look at %s: %w", place, err)}
	}
	if !info.IsDir() {
		return t.formatFile(place, info.Mode(), check)
	}
	err = filepath.WalkDir(place, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isJobFile(path) {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		n, err := t.formatFile(path, info.Mode(), check)
		changed += n
		return err
	})
	return changed, err
}

func isJobFile(path string) bool {
	return strings.HasSuffix(path, ".nomad") || strings.HasSuffix(path, ".nomad.hcl")
}

func (t *terminal) formatFile(path string, mode fs.FileMode, check bool) (changed int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	formatted := jobspec.Format(text)
	if bytes.Equal(text, formatted) {
		return 0, nil
	}
	t.result("%s", path)
	if check {
		return 1, nil
	}
	if err := os.WriteFile(path, formatted, mode.Perm()); err != nil {
		return 1, fmt.Errorf("write %s: %w", path, err)
	}
	return 1, nil
}
