package render

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// MaxSize is the most that a run may produce, and that a file it reads may
// hold, in bytes.
const MaxSize = 64 << 20

// DefaultVariableFiles returns the variable files that apply in dir when none
// is named: the first that exists of levant.yaml, .yml, .json and .tf, as in
// Levant, and after it, so that it wins, the first of ostro.yaml, .yml, .json
// and .tf. The paths are joined with dir; "" is the working directory.
func DefaultVariableFiles(dir string) []string {
	var files []string
	for _, base := range []string{"levant", "ostro"} {
		for _, extension := range []string{".yaml", ".yml", ".json", ".tf"} {
			path := filepath.Join(dir, base+extension)
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				files = append(files, path)
				break
			}
		}
	}
	return files
}

// LoadVariables reads variable files and merges them from left to right,
// deeply. The extension says what a file is: .yaml and .yml, .json, or HCL in
// .tf, .tfvars and .hcl, where both `name = value` and the default of
// `variable "name" {}` count. "-" is stdin, whose format is recognised.
//
// Errors are hcl.Diagnostics, those of all files at once.
func LoadVariables(ctx context.Context, files []string, stdin io.Reader) (Variables, error) {
	vars := Variables{}
	var diags hcl.Diagnostics
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read variable files: %w", err)
		}
		loaded, loadDiags := loadFile(ctx, file, stdin)
		diags = append(diags, loadDiags...)
		vars.Merge(loaded)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return vars, nil
}

func loadFile(ctx context.Context, file string, stdin io.Reader) (map[string]any, hcl.Diagnostics) {
	parse := parserFor(file)
	if parse == nil {
		return nil, fail(wholeFile(file),
			fmt.Sprintf("%s is not a variable file that can be read", file),
			"variable files end in .yaml, .yml, .json, .tf, .tfvars or .hcl, or are - for stdin")
	}
	src, err := readFile(ctx, file, stdin)
	if err != nil {
		return nil, fail(wholeFile(file), fmt.Sprintf("the variable file cannot be read: %s", reason(err)), "")
	}
	if d := tooDeep(file, src); d != nil {
		return nil, d
	}
	return parse(file, src)
}

// A parser reads the variables in src; file is for diagnostics.
type parser func(file string, src []byte) (map[string]any, hcl.Diagnostics)

func parserFor(file string) parser {
	if file == "-" {
		return parseUnknown
	}
	switch strings.ToLower(filepath.Ext(file)) {
	case ".yaml", ".yml":
		return parseYAML
	case ".json":
		return parseJSON
	case ".tf", ".tfvars", ".hcl":
		return parseHCL
	}
	return nil
}

// parseUnknown tells the formats of stdin apart: JSON begins with a brace,
// YAML has a map at its top, and what is neither is HCL.
func parseUnknown(file string, src []byte) (map[string]any, hcl.Diagnostics) {
	if strings.HasPrefix(strings.TrimSpace(string(src)), "{") {
		return parseJSON(file, src)
	}
	vars, yamlDiags := parseYAML(file, src)
	if !yamlDiags.HasErrors() {
		return vars, nil
	}
	vars, hclDiags := parseHCL(file, src)
	if !hclDiags.HasErrors() {
		return vars, nil
	}
	// What looks like `name = value` or like a block was meant as HCL.
	first, _, _ := strings.Cut(strings.TrimSpace(string(src)), "\n")
	if strings.Contains(first, "=") || strings.Contains(first, "{") {
		return nil, hclDiags
	}
	return nil, yamlDiags
}

func readFile(ctx context.Context, file string, stdin io.Reader) ([]byte, error) {
	if file != "-" {
		return readBounded(ctx, file)
	}
	if stdin == nil {
		return nil, errors.New("there is no standard input")
	}
	return awaited(ctx, func() ([]byte, error) { return readAll(stdin) })
}

// readBounded reads a file of at most MaxSize bytes.
func readBounded(ctx context.Context, file string) ([]byte, error) {
	return awaited(ctx, func() ([]byte, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(f)
	})
}

// awaited does read, and leaves it to itself when ctx ends: a pipe that nobody
// writes to lets neither an open nor a read go.
func awaited(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	var src []byte
	done := make(chan error, 1)
	go func() {
		text, err := read()
		src = text
		done <- err
	}()
	select {
	case err := <-done:
		return src, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func readAll(r io.Reader) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(src) > MaxSize {
		err = fmt.Errorf("it is larger than %d MiB", MaxSize>>20)
	}
	return src, err
}

// reason is what err says without repeating the file's name.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// maxDepth bounds how deep brackets may nest: parsers recurse.
const maxDepth = 1000

// tooDeep refuses text whose brackets nest so deep that parsing it would take
// the whole stack. It also counts brackets in strings, which no real file has
// that many of.
func tooDeep(file string, src []byte) hcl.Diagnostics {
	depth := 0
	for i, c := range src {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth = max(0, depth-1)
		}
		if depth > maxDepth {
			return fail(pointAt(file, src, i), fmt.Sprintf("brackets nest more than %d deep", maxDepth), "")
		}
	}
	return nil
}
