package driver

import (
	"fmt"
	"strconv"
)

// rawExecConfig is the config block of a raw_exec task.
type rawExecConfig struct {
	Command string
	Args    []string
	WorkDir string
}

// decodeRawExec reads a raw_exec config block. Keys that only cgroups give a meaning are accepted and left alone.
func decodeRawExec(config map[string]any) (rawExecConfig, error) {
	var c rawExecConfig
	for key, value := range config {
		var err error
		switch key {
		case "command":
			c.Command, err = text(value)
		case "args":
			c.Args, err = texts(value)
		case "work_dir":
			c.WorkDir, err = text(value)
		case "cgroup_v1_override", "cgroup_v2_override", "oom_score_adj", "denied_envvars":
		default:
			return c, fmt.Errorf("the config of raw_exec has no %q", key)
		}
		if err != nil {
			return c, fmt.Errorf("%s in the config of raw_exec: %w", key, err)
		}
	}
	if c.Command == "" {
		return c, fmt.Errorf("the config of raw_exec needs a command")
	}
	return c, nil
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
	return "", fmt.Errorf("a string is needed, not %T", value)
}

func texts(value any) ([]string, error) {
	if list, ok := value.([]string); ok {
		return list, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("a list of strings is needed, not %T", value)
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
