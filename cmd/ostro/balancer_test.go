package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// answersWith waits until a URL answers with a status, and a text: answers STATUS URL [TEXT].
func answersWith(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	awaitTrue(ts, "answers "+strings.Join(args, " "), func() bool {
		got, text, err := fetch(context.Background(), args[1])
		return err == nil && got == status && strings.Contains(text, strings.Join(args[2:], " "))
	})
}

// fetch is a request of a client that keeps no connection.
func fetch(ctx context.Context, url string) (status int, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Close = true
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	return reply.StatusCode, string(body), err
}

// asking runs the rest of the line while somebody asks a URL every 10 ms, and no request may fail: asking URL exec COMMAND...
func asking(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	asked, failed := 0, []string{}
	clients.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			status, _, err := fetch(ctx, args[0])
			if ctx.Err() == nil && (err != nil || status != http.StatusOK) {
				failed = append(failed, fmt.Sprint(status, " ", err))
			}
			asked++
			<-tick.C
		}
	})
	err := ts.Exec(args[1], args[2:]...)
	cancel()
	clients.Wait()
	ts.Check(err)
	if asked < 10 || len(failed) > 0 {
		ts.Fatalf("%d of %d requests failed: %s", len(failed), asked, strings.Join(failed[:min(len(failed), 5)], "; "))
	}
}
