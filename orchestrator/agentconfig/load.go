package agentconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// LeftOut is a setting that the orchestrator does not have.
type LeftOut struct {
	Name string // dotted, such as server.encrypt
	At   hcl.Range
}

// Load reads files, and the *.hcl and *.json files of folders by their names; what
// comes later wins. Mistakes are hcl.Diagnostics with their places.
func Load(paths ...string) (*Config, error) {
	var files []string
	for _, path := range paths {
		found, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, errors.New("there is no agent configuration: the folder has no *.hcl or *.json file")
	}
	all := &tree{fields: map[string]*tree{}}
	var diags hcl.Diagnostics
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the agent configuration: %w", err)
		}
		one, more := parse(file, text)
		if diags = append(diags, more...); !more.HasErrors() {
			all = all.merge(one)
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return decode(all)
}

func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the agent configuration: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	for _, pattern := range []string{"*.hcl", "*.json"} {
		found, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return nil, fmt.Errorf("list the agent configuration: %w", err)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return files, nil
}
