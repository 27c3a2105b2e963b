package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"
)

// reachCommand takes one of an agent's nodes out of reach, or brings it back: what a
// job does when a node fails can be seen on one machine.
func reachCommand(t *terminal, name, usage string) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: "NODE",
		Flags: join(configFlags(), clientFlags(), logFlags()),
		Action: func(c *cli.Context) error {
			wanted, err := requiredArg(c, "NODE")
			if err != nil {
				return err
			}
			return withTarget(c, t, func(to *target) error {
				ctx, cancel := context.WithTimeout(c.Context, contactTime)
				defer cancel()
				node, err := findNode(ctx, to.client, wanted)
				if err != nil {
					return err
				}
				write := (&api.WriteOptions{}).WithContext(ctx)
				_, err = to.client.Raw().Write("/v1/node/"+node.ID+"/"+name, nil, nil, write)
				if reply, ok := errors.AsType[api.UnexpectedResponseError](err); ok && (reply.StatusCode() == http.StatusNotFound || reply.StatusCode() == http.StatusMethodNotAllowed) {
					return withHint(fmt.Errorf("%s node %q: only Ostro's agent can do that", name, node.Name), "of a Nomad, stop or start the agent of that node")
				}
				if err != nil {
					return fmt.Errorf("%s node %q: %w", name, node.Name, unreachable(err))
				}
				if node, err = findNode(ctx, to.client, node.ID); err != nil {
					return err
				}
				t.info("node %s (%s) is %s", printable(node.Name), short(node.ID), node.Status)
				return nil
			})
		},
	}
}

// findNode is the one node of that name, or whose ID begins so.
func findNode(ctx context.Context, client *api.Client, wanted string) (*api.NodeListStub, error) {
	nodes, _, err := client.Nodes().List((&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", unreachable(err))
	}
	var found []*api.NodeListStub
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
		if n.Name == wanted || n.ID == wanted || len(wanted) >= 4 && strings.HasPrefix(n.ID, wanted) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, withHint(fmt.Errorf("there is no node %q", wanted), "the nodes are %s", printable(strings.Join(names, ", ")))
	}
	return nil, withHint(fmt.Errorf("%q is more than one node", wanted), "say the whole ID of one")
}
