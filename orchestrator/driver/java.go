package driver

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Java is the driver of JVM programs: jar_path or class with class_path, jvm_options, args and work_dir (Nomad). It runs
// them as plain commands.
type Java struct {
	*RawExec
	path  string
	about map[string]string // node attributes
}

var _ Driver = (*Java)(nil)

// findJava gives nil when there is no java on the agent's PATH.
func findJava(raw *RawExec) *Java {
	path, err := exec.LookPath("java")
	if err != nil {
		return nil
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil
	}
	return &Java{RawExec: raw, path: path, about: describeJava(filepath.Join(filepath.Dir(path), "..", "release"))}
}

// describeJava reads what a JDK says of itself in the file beside its folders: to ask java itself costs more than the
// start of the whole agent. One without the file is not described.
func describeJava(release string) map[string]string {
	about := map[string]string{}
	text, err := os.ReadFile(release)
	if err != nil {
		return about
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"`)
		switch key {
		case "JAVA_VERSION":
			about["driver.java.version"] = value
		case "JAVA_RUNTIME_VERSION":
			about["driver.java.runtime"] = "build " + value
		case "IMPLEMENTOR":
			about["driver.java.vm"] = value
		}
	}
	return about
}

// Start implements [Driver].
func (j *Java) Start(ctx context.Context, t Task) error {
	args, workDir, err := javaCommand(t.Config)
	if err != nil {
		return err
	}
	t.Config = map[string]any{"command": j.path, "args": args}
	if workDir != "" {
		t.Config["work_dir"] = workDir
	}
	return j.RawExec.Start(ctx, t)
}

// javaCommand is the command line behind java, as Nomad makes it.
func javaCommand(config map[string]any) (args []string, workDir string, err error) {
	var class, classPath, jar string
	var options, rest []string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		value := config[key]
		switch key {
		case "class":
			class, err = text(value)
		case "class_path":
			classPath, err = text(value)
		case "jar_path":
			jar, err = text(value)
		case "jvm_options":
			options, err = texts(value)
		case "args":
			rest, err = texts(value)
		case "work_dir":
			workDir, err = text(value)
		case "pid_mode", "ipc_mode", "cap_add", "cap_drop":
		default:
			return nil, "", unknownKey(key)
		}
		if err != nil {
			return nil, "", invalidValue("java", key, err)
		}
	}
	args = slices.Clone(options)
	if classPath != "" {
		args = append(args, "-cp", classPath)
	}
	switch {
	case jar != "":
		args = append(args, "-jar", jar)
	case class != "":
		args = append(args, class)
	default:
		return nil, "", errors.New("jar_path or class must be specified")
	}
	return append(args, rest...), workDir, nil
}
