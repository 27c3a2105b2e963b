package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/deploy"
	"ostro/watch"
)

func dispatchCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "dispatch", Usage: "launch a parameterized job, and wait for its end", ArgsUsage: "JOB [PAYLOAD]",
		Description: "PAYLOAD is a file, or - for stdin.",
		Flags: join(configFlags(), clientFlags(), logFlags(), watchFlags(), []cli.Flag{
			&cli.StringSliceFlag{Name: "meta", Usage: "a meta value for the launch: `KEY=VALUE`; may be repeated"},
		}),
		Action: func(c *cli.Context) error {
			id, payload, err := dispatchArgs(c)
			if err != nil {
				return err
			}
			meta, err := dispatchMeta(c)
			if err != nil {
				return usageError{err}
			}
			data, err := t.readPayload(payload)
			if err != nil {
				return usageError{err}
			}
			return withWatch(c, t, func(ctx context.Context, d *deployment, to *target) error {
				return d.dispatch(ctx, to, id, api.DispatchOptions{Meta: meta, Payload: data})
			})
		},
	}
}

// dispatchArgs gives the job and the payload's file, which may be left out.
func dispatchArgs(c *cli.Context) (job, payload string, err error) {
	args := c.Args().Slice()
	switch {
	case len(args) == 0:
		return "", "", usageError{withHint(errors.New("the JOB is missing"), "%s JOB [PAYLOAD]", c.Command.HelpName)}
	case len(args) > 1 && strings.HasPrefix(args[1], "-") && args[1] != "-":
		return "", "", usageError{withHint(errors.New("flags go before JOB"), "%s", flagsFirst(args))}
	case len(args) > 2:
		return "", "", usageError{fmt.Errorf("%s takes a JOB and a PAYLOAD, not %d arguments", c.Command.HelpName, len(args))}
	case len(args) == 2:
		payload = args[1]
	}
	return args[0], payload, nil
}

func dispatchMeta(c *cli.Context) (map[string]string, error) {
	meta := map[string]string{}
	for _, pair := range c.StringSlice("meta") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, withHint(fmt.Errorf("-meta %s has no value", pair), "-meta KEY=VALUE")
		}
		meta[key] = value
	}
	return meta, nil
}

// readPayload reads a file, or stdin where it is "-".
func (t *terminal) readPayload(path string) ([]byte, error) {
	var data []byte
	var err error
	switch path {
	case "":
		return nil, nil
	case "-":
		data, err = io.ReadAll(t.in)
	default:
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the payload: %w", err)
	}
	return data, nil
}

// dispatch launches the job, and follows the child to its end.
func (d *deployment) dispatch(ctx context.Context, to *target, id string, o api.DispatchOptions) error {
	job, err := readJob(ctx, to.client, id)
	if err != nil {
		return err
	}
	if job.ParameterizedJob == nil {
		return withHint(fmt.Errorf("job %q is not a parameterized job", id), "only a job with a parameterized block can be dispatched")
	}
	r := d.rollout(d.t, to, id)
	receipt, err := deploy.Dispatch(ctx, to.client, job, o)
	if err != nil {
		return r.submitFailure(err)
	}
	d.t.info("dispatched job %q as %s", id, receipt.Child)
	return r.followReceipt(ctx, receipt, watch.Auto)
}
