package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/moby/moby/api/types/mount"
)

// mounts reads mount blocks.
func mounts(c *dockerConfig, value any) error {
	blocks, err := blocksOf(value)
	if err != nil {
		return err
	}
	keys := mountKeys()
	for _, block := range blocks {
		m := mount.Mount{Type: mount.TypeVolume}
		for key, value := range block {
			set, known := keys[key]
			if !known {
				return fmt.Errorf("%s: a mount has no such key", key)
			}
			if err := set(&m, value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		switch m.Type { // in Nomad's words
		case mount.TypeVolume, mount.TypeBind:
		case mount.TypeTmpfs:
			if m.Source != "" {
				return errors.New(`invalid source, must be "" for tmpfs`)
			}
		default:
			return fmt.Errorf(`invalid mount type, must be "bind", "volume", "tmpfs": %q`, m.Type)
		}
		c.host.Mounts = append(c.host.Mounts, m)
	}
	return nil
}

// mountKeys says for each key of a mount block what it sets.
func mountKeys() map[string]func(*mount.Mount, any) error {
	return map[string]func(*mount.Mount, any) error{
		"type":           func(m *mount.Mount, v any) error { return into(&m.Type, v, named[mount.Type]) },
		"source":         func(m *mount.Mount, v any) error { return into(&m.Source, v, text) },
		"target":         func(m *mount.Mount, v any) error { return into(&m.Target, v, text) },
		"readonly":       func(m *mount.Mount, v any) error { return into(&m.ReadOnly, v, truth) },
		"bind_options":   func(m *mount.Mount, v any) error { return into(&m.BindOptions, v, bindOptions) },
		"tmpfs_options":  func(m *mount.Mount, v any) error { return into(&m.TmpfsOptions, v, tmpfsOptions) },
		"volume_options": func(m *mount.Mount, v any) error { return into(&m.VolumeOptions, v, volumeOptions) },
	}
}

func bindOptions(value any) (*mount.BindOptions, error) {
	o := &mount.BindOptions{}
	return o, eachKey(value, func(key string, value any) error {
		if key != "propagation" {
			return errNoKey
		}
		return into(&o.Propagation, value, named[mount.Propagation])
	})
}

func tmpfsOptions(value any) (*mount.TmpfsOptions, error) {
	o := &mount.TmpfsOptions{}
	return o, eachKey(value, func(key string, value any) error {
		switch key {
		case "size":
			return into(&o.SizeBytes, value, number[int64])
		case "mode":
			mode, err := number[int](value)
			o.Mode = fs.FileMode(mode)
			return err
		}
		return errNoKey
	})
}

func volumeOptions(value any) (*mount.VolumeOptions, error) {
	o := &mount.VolumeOptions{}
	return o, eachKey(value, func(key string, value any) error {
		switch key {
		case "no_copy":
			return into(&o.NoCopy, value, truth)
		case "labels":
			return into(&o.Labels, value, textMap)
		case "driver_config":
			return into(&o.DriverConfig, value, volumeDriver)
		}
		return errNoKey
	})
}

func volumeDriver(value any) (*mount.Driver, error) {
	d := &mount.Driver{}
	return d, eachKey(value, func(key string, value any) error {
		switch key {
		case "name":
			return into(&d.Name, value, text)
		case "options":
			return into(&d.Options, value, textMap)
		}
		return errNoKey
	})
}

var errNoKey = errors.New("there is no such key")

// eachKey hands the keys of a block to set.
func eachKey(value any, set func(key string, value any) error) error {
	blocks, err := blocksOf(value)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		for key, value := range block {
			if err := set(key, value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}

// mountsBelow takes relative sources of binds from the task's folder. (Nomad.)
func mountsBelow(dir string, all []mount.Mount) []mount.Mount {
	all = slices.Clone(all)
	for i, m := range all {
		if m.Type == mount.TypeBind && !filepath.IsAbs(m.Source) {
			all[i].Source = filepath.Join(dir, m.Source)
		}
	}
	return all
}
