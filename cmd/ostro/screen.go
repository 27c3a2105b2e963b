package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/schollz/progressbar/v3"

	"ostro/deploy"
	"ostro/watch"
)

// event prints a line of the watch. Where a table shows how far it is, the lines
// tell only what the table does not.
func (t *terminal) event(e watch.Event) {
	if t.drawsTable() && (e.Kind == watch.EventProgress || e.Kind == watch.EventAlloc || e.Kind == watch.EventHeartbeat) {
		return
	}
	if t.log != nil {
		t.log.Info(t.subject+e.Text, "kind", e.Kind)
		return
	}
	t.info("%s", e.Text)
}

// drawsTable reports whether a table at the end of the screen follows the watch.
func (t *terminal) drawsTable() bool {
	return t.live != nil && t.log == nil && t.level <= slog.LevelInfo
}

// show gives what draws the table of a job, nil where there is none.
func (t *terminal) show(job string) func(watch.View) {
	if !t.drawsTable() {
		return nil
	}
	return func(v watch.View) { t.live.show(job, v) }
}

// hide ends the table of a job.
func (t *terminal) hide(job string) {
	if t.drawsTable() {
		t.live.hide(job)
	}
}

// planned tells in one line what a registration is about to change.
func (t *terminal) planned(p *deploy.PlanResult) {
	if p.Annotations == nil || p.NoChange() {
		return
	}
	for _, group := range slices.Sorted(maps.Keys(p.Annotations.DesiredTGUpdates)) {
		u := p.Annotations.DesiredTGUpdates[group]
		var parts []string
		for _, part := range []struct {
			n    uint64
			what string
		}{
			{u.Place, "to place"}, {u.DestructiveUpdate, "to replace"}, {u.InPlaceUpdate, "to update in place"},
			{u.Canary, "canary to place"}, {u.Stop, "to stop"}, {u.Migrate, "to migrate"}, {u.Ignore, "to leave alone"},
		} {
			if part.n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
			}
		}
		if len(parts) > 0 {
			t.info("plan: group %q: %s", group, strings.Join(parts, ", "))
		}
	}
}

// registering tells that nobody knows whether the job was registered, and that
// somebody does.
func (t *terminal) registering(lost error) {
	if lost == nil {
		t.info("contact is back")
		return
	}
	t.info("contact lost while the job was being registered, looking whether it was: %v", lost)
}

func (t *terminal) success(v watch.Verdict) { t.info("%s", v.Summary) }

// failed is the last screen of a failure: what happened, and why.
func (t *terminal) failed(v watch.Verdict) {
	for _, why := range v.Reasons {
		t.reason(why)
	}
	for _, u := range v.Unplaced {
		t.line(errorLevel, "", fmt.Sprintf("group %q: %d waiting for a node", u.Group, u.Count))
		t.block(strings.Join(u.Reasons, "\n"))
	}
	t.line(errorLevel, "error: ", v.Summary)
	t.annotate("deploy failed", v.Summary+reasonsText(v), nil)
}

// reasonsText is why it failed, for an annotation: a line for each reason, and the
// last that the task wrote.
func reasonsText(v watch.Verdict) string {
	var b strings.Builder
	for _, why := range v.Reasons {
		events := why.Events[max(0, len(why.Events)-2):]
		if why.ExitCode != nil {
			events = append([]string{fmt.Sprintf("exit code %d", *why.ExitCode)}, events...)
		}
		fmt.Fprintf(&b, "\ngroup %s, task %s: %s", why.Group, why.Task, strings.Join(events, "; "))
		if lines := strings.Split(why.LogTail, "\n"); why.LogTail != "" {
			b.WriteString("\n  " + lines[len(lines)-1])
		}
	}
	return b.String()
}

func (t *terminal) reason(why watch.Reason) {
	head := fmt.Sprintf("allocation %s, group %q, task %q", short(why.AllocID), why.Group, why.Task)
	if why.Count > 1 {
		head += fmt.Sprintf(" (and %d more like it)", why.Count-1)
	}
	head += ": " + why.Status
	if t.log != nil {
		t.log.Error(t.subject+head, "reason", reasonReports([]watch.Reason{why})[0])
		return
	}
	t.line(errorLevel, "", head)
	t.block(strings.Join(why.Events, "\n"))
	if why.ExitCode != nil {
		t.block(fmt.Sprintf("task %q ended with exit code %d", why.Task, *why.ExitCode))
	}
	if why.LogTail != "" {
		t.block(fmt.Sprintf("the last lines of its %s:", why.LogStream))
		for line := range strings.SplitSeq(t.redactor.String(why.LogTail), "\n") {
			t.block("    " + cutLine(line))
		}
	}
}

// lineWidth is how many characters of a line of a log are shown.
const lineWidth = 400

// cutLine shortens a line whose secrets are masked: of a part of one nobody would
// know what it is.
func cutLine(line string) string {
	if runes := []rune(line); len(runes) > lineWidth {
		return string(runes[:lineWidth]) + "..."
	}
	return line
}

func short(id string) string { return id[:min(len(id), 8)] }

// maxAddresses is how many allocations are asked where they answer.
const maxAddresses = 20

// printAddresses tells where what was deployed answers. A server that is slow to say
// so does not hold up what is over.
func (r *rollout) printAddresses(ctx context.Context, of watch.Target) {
	ctx, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	query := (&api.QueryOptions{Namespace: of.Namespace, Region: of.Region}).WithContext(ctx)
	allocs, _, err := r.to.client.Jobs().Allocations(of.JobID, false, query)
	if err != nil {
		r.t.debug("the addresses are not known: %v", err)
		return
	}
	seen, asked := map[string]bool{}, 0
	for _, stub := range allocs {
		if asked == maxAddresses {
			return
		}
		if stub.DesiredStatus != api.AllocDesiredStatusRun || stub.ClientStatus != api.AllocClientStatusRunning {
			continue
		}
		asked++
		for _, address := range addressesOf(r.to, stub.ID, query) {
			if !seen[address] {
				seen[address] = true
				r.t.result("curl %s", address)
			}
		}
	}
}

func addressesOf(to *target, allocID string, query *api.QueryOptions) []string {
	alloc, _, err := to.client.Allocations().Info(allocID, query)
	if err != nil || alloc.AllocatedResources == nil {
		return nil
	}
	var addresses []string
	for _, port := range alloc.AllocatedResources.Shared.Ports {
		host := port.HostIP
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			if to.address == "" {
				continue // it answers on the far side of the tunnel, and not here
			}
			host = "localhost"
		}
		addresses = append(addresses, "http://"+net.JoinHostPort(host, strconv.Itoa(port.Value)))
	}
	return addresses
}

// progress gives what to call with the bytes that are done, and what to call in
// the end: a bar on a terminal, elsewhere a line at each tenth.
func (t *terminal) progress(what string) (update func(done, total int64), end func()) {
	if t.tty && t.log == nil {
		return t.bar(what)
	}
	tenth := int64(0)
	return func(done, total int64) {
		if total < progressFrom {
			return
		}
		if now := done * 10 / total; now > tenth && now < 10 {
			tenth = now
			t.info("%s: %d %%", what, now*10)
		}
	}, func() {}
}

// bar is made once the total is known: one without a total has a goroutine of its own.
func (t *terminal) bar(what string) (update func(done, total int64), end func()) {
	var bar *progressbar.ProgressBar
	update = func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("ostro: "+what),
				progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish())
		}
		if err := bar.Set64(done); err != nil {
			t.debug("progress: %v", err)
		}
	}
	return update, func() {
		if bar != nil {
			_ = bar.Finish()
		}
	}
}

// progressFrom is the size in bytes from which an upload reports its tenths.
const progressFrom = 8 << 20
