package artifact

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A connection that stands still ends with a sentence; one that is slow does not.
func TestStalledConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		conn := &stallConn{Conn: here, after: stallAfter}
		go func() {
			for range 3 {
				time.Sleep(stallAfter * 9 / 10)
				there.Write([]byte("x"))
			}
		}()
		begun := time.Now()
		if err := conn.SetDeadline(begun.Add(stallAfter)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if took := time.Since(begun); string(got) != "xxx" || took < 3*stallAfter || took > 4*stallAfter {
			t.Errorf("%q was read in %s", got, took)
		}
		if _, isStall := errors.AsType[*stallError](err); !isStall {
			t.Fatalf("the end of it is %v", err)
		}
		sentence := (&Bucket{cfg: BucketConfig{Name: "b", Endpoint: "http://store:9000"}}).explain("upload", "k.zip", err).Error()
		for _, want := range []string{"cannot upload k.zip", "store:9000 stalled", "1m0s", "check the network"} {
			if !strings.Contains(sentence, want) {
				t.Errorf("%q has no %q", sentence, want)
			}
		}
	})
}

// What ends before there is an answer is a sentence as well.
func TestConnectionErrorsAreSentences(t *testing.T) {
	b := &Bucket{cfg: BucketConfig{Name: "b", Endpoint: "http://store:9000"}}
	for want, err := range map[string]error{
		"the host store is not known":       &net.DNSError{Name: "store", Err: "no such host", IsNotFound: true},
		"store:9000 did not answer in time": context.DeadlineExceeded,
		"it was interrupted":                context.Canceled,
	} {
		if got := b.explain("upload", "k.zip", err).Error(); !strings.Contains(got, want) {
			t.Errorf("%v becomes %q, without %q", err, got, want)
		}
	}
}
