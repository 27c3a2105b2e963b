package driver

import (
	"errors"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rawExecConfig is the config block of a raw_exec task.
type rawExecConfig struct {
	Command string
	Args    []string
	WorkDir string

	OOMScoreAdj int64    // how gladly the kernel kills it for lack of memory
	Denied      []string // patterns of variables that it does not get
}

// decodeRawExec reads a raw_exec config block. Keys that only cgroups give a meaning are accepted and left alone.
func decodeRawExec(config map[string]any) (rawExecConfig, error) {
	var c rawExecConfig
	for _, key := range slices.Sorted(maps.Keys(config)) {
		value := config[key]
		var err error
		switch key {
		case "command":
			c.Command, err = text(value)
		case "args":
			c.Args, err = texts(value)
		case "work_dir":
			c.WorkDir, err = text(value)
		case "oom_score_adj":
			c.OOMScoreAdj, err = number[int64](value)
		case "denied_envvars":
			c.Denied, err = texts(value)
		case "cgroup_v1_override", "cgroup_v2_override":
		default:
			return c, unknownKey(key)
		}
		if err != nil {
			return c, invalidValue("raw_exec", key, err)
		}
	}
	switch {
	case c.Command == "":
		return c, missingKey("command")
	case c.WorkDir != "" && !filepath.IsAbs(c.WorkDir):
		return c, errors.New("failed driver config validation: work_dir must be an absolute path")
	case c.OOMScoreAdj < 0:
		return c, errors.New("failed driver config validation: oom_score_adj must not be negative")
	}
	return c, nil
}

// allowed is the environment without what is denied.
func (c rawExecConfig) allowed(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(c.Denied, func(pattern string) bool {
			match, err := path.Match(pattern, key)
			return match || err != nil && pattern == key
		})
	})
}

// text converts a value of a config block to a string, as HCL does.
func text(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", wrongKind{"string", value}
}

func texts(value any) ([]string, error) {
	if list, ok := value.([]string); ok {
		return list, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, wrongKind{"list of string", value}
	}
	all := make([]string, len(list))
	for i, v := range list {
		var err error
		if all[i], err = text(v); err != nil {
			return nil, err
		}
	}
	return all, nil
}
