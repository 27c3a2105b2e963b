package watch

import (
	"context"
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// Waiting returns the groups of a job for which the scheduler finds no node, none
// for a job that is not there.
func Waiting(ctx context.Context, c *api.Client, namespace, region, jobID string) ([]Unplaced, error) {
	t := Target{Namespace: namespace, Region: region, JobID: jobID}
	r := reader{client: c, target: t}
	s := &Snapshot{Target: t}
	if _, err := r.read(ctx, s); err != nil {
		return nil, fmt.Errorf("read job %s: %w", jobID, err)
	}
	return s.unplaced(), nil
}
