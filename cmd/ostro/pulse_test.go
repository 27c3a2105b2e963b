package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever takes long, no half minute passes without a word; who talks is not
// talked over.
func TestKeepTalking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		term := newTerm(nil, &out, &out)
		ctx, cancel := context.WithCancel(t.Context())
		go term.keepTalking(ctx)
		told := func() string {
			synctest.Wait()
			term.pulse.mu.Lock()
			defer term.pulse.mu.Unlock()
			return out.String()
		}
		for range 6 {
			time.Sleep(20 * time.Second)
			term.info("a line")
		}
		if got := told(); got != strings.Repeat("ostro: a line\n", 6) {
			t.Errorf("while there is something to tell:\n%s", got)
		}
		time.Sleep(70 * time.Second)
		cancel()
		if got := strings.TrimPrefix(told(), strings.Repeat("ostro: a line\n", 6)); got != "ostro: still at work after 2m25s\nostro: still at work after 2m50s\n" {
			t.Errorf("while there is nothing to tell:\n%s", got)
		}
	})
}
