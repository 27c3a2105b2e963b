package reconcile

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// allocName is the name of the index-th allocation of a group: `job.group[0]`.
func allocName(jobID, group string, index int) string {
	return fmt.Sprintf("%s.%s[%d]", jobID, group, index)
}

// nameIndex reads the index out of an allocation's name; -1 when there is none.
func nameIndex(name string) int {
	open := strings.LastIndexByte(name, '[')
	if open < 0 || !strings.HasSuffix(name, "]") {
		return -1
	}
	index, err := strconv.Atoi(name[open+1 : len(name)-1])
	if err != nil {
		return -1
	}
	return index
}

// freeNames gives n indexes from 0 up that are not taken, and that no allocation
// of the lists bears.
func freeNames(n int, taken map[int]bool, lists ...[]*api.Allocation) []int {
	used := maps.Clone(taken)
	if used == nil {
		used = map[int]bool{}
	}
	for _, list := range lists {
		for _, a := range list {
			used[nameIndex(a.Name)] = true
		}
	}
	var free []int
	for i := 0; len(free) < n; i++ {
		if !used[i] {
			free = append(free, i)
		}
	}
	return free
}
