package main

import (
	"fmt"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"
)

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
				write := (&api.WriteOptions{}).WithContext(c.Context)
				if _, _, err := to.client.Jobs().Deregister(id, c.Bool("purge"), write); err != nil {
					return fmt.Errorf("stop job %q: %w", id, unreachable(err))
				}
				t.info("job %q is told to stop", id)
				return nil
			})
		},
	}
}
