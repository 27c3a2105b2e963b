package runner

import "testing"

func TestCoreList(t *testing.T) {
	for want, cores := range map[string][]int{"": nil, "3": {3}, "0-1": {1, 0}, "0-2,5": {0, 1, 2, 5}, "1,3": {1, 3}} {
		if got := coreList(cores); got != want {
			t.Errorf("the list of %v is %q, not %q", cores, got, want)
		}
	}
}
