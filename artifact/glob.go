package artifact

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A glob is a slash-separated pattern cut into its segments: those of path.Match, and "**" for any number of
// segments, none included.
type glob []string

func parseGlob(pattern string) (glob, error) {
	g := glob(strings.Split(pattern, "/"))
	for _, segment := range g {
		if _, err := path.Match(segment, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
	}
	return g, nil
}

func (g glob) match(name []string) bool {
	for i, segment := range g {
		if segment == "**" {
			return slices.ContainsFunc(tails(name), g[i+1:].match)
		}
		if len(name) == 0 {
			return false
		}
		if ok, _ := path.Match(segment, name[0]); !ok {
			return false
		}
		name = name[1:]
	}
	return len(name) == 0
}

func tails(name []string) [][]string {
	all := make([][]string, len(name)+1)
	for i := range all {
		all[i] = name[i:]
	}
	return all
}

// matchFolder says whether name, or a folder above it, matches.
func (g glob) matchFolder(name []string) bool {
	for i := range name {
		if g.match(name[:i+1]) {
			return true
		}
	}
	return false
}

// mayMatchBelow says whether something deeper than depth segments can match.
func (g glob) mayMatchBelow(depth int) bool {
	return depth < len(g) || slices.Contains(g, "**")
}

// ignores are the patterns of Source.Ignore: one without a slash matches a name at any depth, one with a
// slash matches the path below Source.Dir.
type ignores []glob

func parseIgnores(patterns []string) (ignores, error) {
	var all ignores
	for _, p := range patterns {
		p = strings.TrimSuffix(p, "/")
		if !strings.Contains(p, "/") {
			p = "**/" + p
		}
		g, err := parseGlob(strings.TrimPrefix(p, "/"))
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

func (ig ignores) match(rel string) bool {
	name := strings.Split(rel, "/")
	return slices.ContainsFunc(ig, func(g glob) bool { return g.match(name) })
}
