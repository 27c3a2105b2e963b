package httpapi

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// TestManyAttempts asks for more attempts than anybody could count one by one.
func TestManyAttempts(t *testing.T) {
	const many = 1 << 40
	for _, c := range []struct {
		function string
		fit      int
	}{{"constant", 720}, {"exponential", 12}, {"fibonacci", 17}} {
		policy := &api.ReschedulePolicy{
			Attempts: new(many), Interval: new(time.Hour), Delay: new(5 * time.Second), MaxDelay: new(10 * time.Minute),
			DelayFunction: new(c.function), Unlimited: new(false),
		}
		if fit, _ := viableAttempts(policy); fit != c.fit {
			t.Errorf("%s: an hour has room for %d attempts, want %d", c.function, fit, c.fit)
		}
	}
}
