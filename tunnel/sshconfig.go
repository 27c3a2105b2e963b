package tunnel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxIncludeDepth is ssh's own limit for files that include files.
const maxIncludeDepth = 16

// sshOptions is what the files of ssh_config(5) say about one host. For each
// keyword the first value obtained is used; identity and certificate files add up.
//
// A reader of our own: the published ones leave out Match by user, several
// criteria on one line, quotes, and a home folder other than the process's.
type sshOptions struct {
	alias     string // the host as it was asked for
	localUser string
	home      string
	values    map[string]string   // by lower-case keyword
	lists     map[string][]string // identityfile, certificatefile
}

// readSSHOptions reads ~/.ssh/config, then the system's file where system is
// not empty. Files that do not exist are no error. user and port, when not
// empty, were given with the target and win.
func readSSHOptions(t target, home, localUser, system string) (*sshOptions, error) {
	o := &sshOptions{alias: t.host, localUser: localUser, home: home, values: map[string]string{}, lists: map[string][]string{}}
	if t.user != "" {
		o.values["user"] = t.user
	}
	if t.port != "" {
		o.values["port"] = t.port
	}
	dir := filepath.Join(home, ".ssh")
	if err := o.readFile(filepath.Join(dir, "config"), dir, true, 0); err != nil {
		return nil, err
	}
	if system != "" {
		if err := o.readFile(system, filepath.Dir(system), true, 0); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// readFile takes what applies from one file. In a file that is included from a
// block that does not apply (active is false), nothing applies.
func (o *sshOptions) readFile(name, dir string, active bool, depth int) error {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the SSH configuration: %w", err)
	}
	allowed := active
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		keyword, args, err := splitLine(lines.Text())
		if err == nil && keyword != "" {
			active, err = o.apply(keyword, args, dir, active, allowed, depth)
		}
		if _, nested := errors.AsType[*lineError](err); nested {
			return err
		}
		if err != nil {
			return &lineError{file: name, line: n, err: err}
		}
	}
	return lines.Err()
}

// lineError is a mistake in a configuration file.
type lineError struct {
	file string
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// apply takes one line and returns whether the next ones apply.
func (o *sshOptions) apply(keyword string, args []string, dir string, active, allowed bool, depth int) (bool, error) {
	switch {
	case len(args) == 0:
		return active, fmt.Errorf("%s has no value", keyword)
	case keyword == "host":
		return allowed && matchPatterns(args, o.alias), nil
	case keyword == "match":
		matched, err := o.match(args)
		return allowed && matched, err
	case keyword == "include":
		return active, o.include(args, dir, active, depth)
	case !active:
		return active, nil
	case keyword == "identityfile" || keyword == "certificatefile":
		o.lists[keyword] = append(o.lists[keyword], args[0])
	default:
		if _, set := o.values[keyword]; !set {
			o.values[keyword] = strings.Join(args, " ")
		}
	}
	return active, nil
}

func (o *sshOptions) include(patterns []string, dir string, active bool, depth int) error {
	if depth == maxIncludeDepth {
		return fmt.Errorf("more than %d files include each other", maxIncludeDepth)
	}
	for _, p := range patterns {
		p = expandHome(p, o.home)
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		files, err := filepath.Glob(p)
		if err != nil {
			return fmt.Errorf("include %s: %w", p, err)
		}
		for _, f := range files {
			if err := o.readFile(f, dir, active, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// match evaluates the criteria of a Match line; all must hold.
func (o *sshOptions) match(args []string) (bool, error) {
	all := true
	for i := 0; i < len(args); i++ {
		name, negated := strings.CutPrefix(strings.ToLower(args[i]), "!")
		switch name {
		case "all":
			continue
		case "canonical", "final": // they ask for a second pass, which we do not make
			all = all && negated
			continue
		}
		i++
		if i == len(args) {
			return false, fmt.Errorf("match %s has no value", name)
		}
		var subject string
		patterns := args[i]
		switch name {
		case "host":
			subject, patterns = strings.ToLower(o.hostname()), strings.ToLower(patterns)
		case "originalhost":
			subject, patterns = strings.ToLower(o.alias), strings.ToLower(patterns)
		case "user":
			subject = o.user()
		case "localuser":
			subject = o.localUser
		default:
			if !all {
				return false, nil // another criterion already rules the block out
			}
			return false, fmt.Errorf("match %s is not evaluated here: use Host, or Match host, originalhost, user and localuser", name)
		}
		all = all && matchPatterns(strings.Split(patterns, ","), subject) != negated
	}
	return all, nil
}

// hostname is the name to connect to, so far as the lines read tell.
func (o *sshOptions) hostname() string {
	name, ok := o.values["hostname"]
	if !ok {
		return o.alias
	}
	return strings.NewReplacer("%%", "%", "%h", o.alias).Replace(name)
}

// user is the name to log in with, so far as the lines read tell.
func (o *sshOptions) user() string {
	if u := o.values["user"]; u != "" {
		return u
	}
	return o.localUser
}

// matchPatterns reports whether s matches one of the patterns and none of the
// negated ones. Patterns know * and ?.
func matchPatterns(patterns []string, s string) bool {
	found := false
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if !wildcard(p, s) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// wildcard is a glob in which * also spans dots and slashes. It looks back to
// the last * only, so its time stays within len(pattern)*len(s).
func wildcard(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// splitLine takes a line apart: the keyword in lower case, and its arguments
// with quotes removed. Both are empty for a blank or comment line.
func splitLine(line string) (keyword string, args []string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=\"")
	if end < 0 {
		end = len(line)
	}
	keyword = strings.ToLower(line[:end])
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimPrefix(rest, "=")
	args, err = splitArgs(rest)
	return keyword, args, err
}

// splitArgs splits at blanks outside quotes; a word that begins with # begins a comment.
func splitArgs(s string) ([]string, error) {
	var args []string
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == '#' {
			return args, nil
		}
		var word strings.Builder
		var quote byte
		i := 0
		for ; i < len(s) && (quote != 0 || s[i] != ' ' && s[i] != '\t'); i++ {
			switch c := s[i]; {
			case c == '\\' && i+1 < len(s) && slices.Contains([]byte(`"'\`), s[i+1]):
				i++
				word.WriteByte(s[i])
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			default:
				word.WriteByte(c)
			}
		}
		if quote != 0 {
			return nil, errors.New("a quote is not closed")
		}
		args = append(args, word.String())
		s = s[i:]
	}
}

// expandHome replaces a leading ~ by home.
func expandHome(path, home string) string {
	if path == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}
