package watch

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

const (
	logBytes   = 16 << 10         // read from the end of a log
	logTimeout = 5 * time.Second  // for one log
	logsWithin = 15 * time.Second // for all of a verdict's
)

// addLogs gives each reason the last lines that its task wrote, stderr's when
// there are any, else stdout's. A log that cannot be read stays empty: it must
// not stand in the way of the verdict.
func (r *reader) addLogs(ctx context.Context, list []Reason, lines int) {
	ctx, cancel := context.WithTimeout(ctx, logsWithin)
	defer cancel()
	for i := range list {
		for _, stream := range [...]string{"stderr", "stdout"} {
			if list[i].Task == "" || list[i].LogTail != "" {
				break
			}
			text := r.log(ctx, list[i].AllocID, list[i].Task, stream)
			list[i].LogStream, list[i].LogTail = stream, tail(text, lines)
		}
	}
}

// log reads the end of a task's log through the server, which is known to be
// reachable; the node's own address, behind a tunnel, may be somebody else's.
func (r *reader) log(ctx context.Context, allocID, task, stream string) string {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	q := r.options(ctx, 0)
	q.Params = map[string]string{"task": task, "type": stream, "origin": "end", "offset": strconv.Itoa(logBytes), "follow": "false"}
	body, err := r.client.Raw().Response("/v1/client/fs/logs/"+allocID, q)
	if err != nil {
		return ""
	}
	defer body.Close()
	var text strings.Builder
	for dec := json.NewDecoder(io.LimitReader(body, 4*logBytes)); ; {
		var frame api.StreamFrame
		if dec.Decode(&frame) != nil {
			return wholeLines(text.String())
		}
		text.Write(frame.Data)
	}
}

// wholeLines leaves out the line in which the end of a longer log begins: of half a
// secret nobody would know what it is.
func wholeLines(text string) string {
	if _, rest, more := strings.Cut(text, "\n"); len(text) >= logBytes && more {
		return rest
	}
	return text
}

// tail is the last lines of a text, safe for a terminal.
func tail(text string, lines int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n")
	list := strings.Split(strings.TrimRight(text, "\n"), "\n")
	list = list[max(0, len(list)-lines):]
	for i, line := range list {
		list[i] = escape(line)
	}
	return strings.Join(list, "\n")
}
