package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/deploy"
)

// awaitScheduler waits, for [contactTime] at most, until an evaluation is over:
// whoever looks at the job then sees what came of it.
func (t *terminal) awaitScheduler(ctx context.Context, client *api.Client, id string) {
	if id == "" {
		return
	}
	query := (&api.QueryOptions{}).WithContext(ctx)
	_, err := backoff.Retry(ctx, func() (*api.Evaluation, error) {
		eval, _, err := client.Evaluations().Info(id, query)
		if err == nil && eval.Status == api.EvalStatusPending {
			err = errors.New("it is pending")
		}
		if err != nil && !deploy.Transient(err) {
			err = backoff.Permanent(err)
		}
		return eval, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(200*time.Millisecond)), backoff.WithMaxElapsedTime(contactTime))
	if err != nil {
		t.debug("wait for evaluation %s: %v", short(id), err)
	}
}

func stopCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "stop", Usage: "stop a job", ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "forget the job and its versions, too"},
		}),
		Action: func(c *cli.Context) error {
			id, err := requiredArg(c, "JOB")
			if err != nil {
				return err
			}
			return withTarget(c, t, func(to *target) error {
				if _, err := readJob(c.Context, to.client, id); err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(c.Context, contactTime)
				defer cancel()
				write := (&api.WriteOptions{}).WithContext(ctx)
				eval, _, err := to.client.Jobs().Deregister(id, c.Bool("purge"), write)
				if err != nil {
					return fmt.Errorf("stop job %q: %w", id, unreachable(err))
				}
				t.awaitScheduler(c.Context, to.client, eval)
				t.info("job %q is told to stop", id)
				return nil
			})
		},
	}
}
