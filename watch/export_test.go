package watch

import (
	"context"

	"github.com/hashicorp/nomad/api"
)

// RunSeeing is Run, and shows each snapshot to the tests before it is judged.
func RunSeeing(ctx context.Context, c *api.Client, t Target, o Options, see func(Snapshot)) (Verdict, error) {
	w, err := newWatcher(ctx, c, t, o)
	if err != nil {
		return Verdict{}, err
	}
	show := w.opts.Show
	w.opts.Show = func(v View) {
		if w.last != nil && !w.lost {
			see(*w.last)
		}
		show(v)
	}
	return w.verdict(ctx)
}
