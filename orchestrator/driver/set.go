package driver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
)

// A Set is the drivers of this machine, by name. Its nodes share them.
type Set struct {
	raw     *RawExec
	docker  *Docker // nil where there is no Docker
	java    *Java   // nil where there is no JVM
	exec    *Exec   // nil where tasks cannot be isolated
	drivers map[string]Driver
	absent  map[string]string // why this machine has not the others
}

// Open finds the drivers that this machine has. dir, an absolute path that has to be there, is where they keep what they
// have to know after the agent's death; argv is a command line that ends up in [Supervise] of the folder that is
// appended to it.
func Open(ctx context.Context, dir string, argv []string) (*Set, error) {
	raw, err := NewRawExec(ctx, dir, argv)
	if err != nil {
		return nil, err
	}
	s := &Set{raw: raw, drivers: map[string]Driver{"raw_exec": raw, "mock_driver": NewMock()}, absent: map[string]string{}}
	if s.docker = findDocker(ctx, filepath.Join(dir, "docker")); s.docker != nil {
		s.drivers["docker"] = s.docker
	} else {
		s.absent["docker"] = "Failed to connect to docker daemon" // Nomad's words
	}
	if s.java = findJava(raw); s.java != nil {
		s.drivers["java"] = s.java
	}
	var why string
	if s.exec, why = findExec(raw); s.exec != nil {
		s.drivers["exec"] = s.exec
	} else {
		s.absent["exec"] = why
	}
	return s, nil
}

// Pretended is a set of the mock driver alone: no process runs, and nothing outlives the agent.
func Pretended() *Set { return &Set{drivers: map[string]Driver{"mock_driver": NewMock()}} }

// Get is a driver by its name.
func (s *Set) Get(name string) (Driver, bool) {
	d, ok := s.drivers[name]
	return d, ok
}

// Tasks are the tasks of all drivers whose logs are below dir, running or ended, by ID: what a node left behind.
func (s *Set) Tasks(ctx context.Context, dir string) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		for name, d := range maps.All(s.drivers) {
			if name == "java" || name == "exec" {
				continue // raw_exec's
			}
			ids, err := d.List(ctx, dir)
			if err != nil {
				yield(Found{}, fmt.Errorf("list the tasks of %s: %w", name, err))
				return
			}
			for _, id := range ids {
				if !yield(Found{ID: id, Driver: name}, nil) {
					return
				}
			}
		}
	}
}

// Found is a task that a driver knows.
type Found struct{ ID, Driver string }

// Close leaves all tasks running.
func (s *Set) Close() error {
	if s.raw == nil {
		return nil
	}
	return errors.Join(s.raw.Close(), s.closeDocker())
}

// End ends what the drivers themselves need to run, once no task runs.
func (s *Set) End(ctx context.Context) error {
	if s.raw == nil {
		return nil
	}
	return errors.Join(s.raw.End(ctx), s.closeDocker())
}

func (s *Set) closeDocker() error {
	if s.docker == nil {
		return nil
	}
	return s.docker.Close()
}
