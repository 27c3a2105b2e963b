package artifact

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// stallAfter is how long a connection may stand still. A slow one is left alone.
const stallAfter = time.Minute

// newHTTPClient is the SDK's client on connections that fail when they stall, instead of waiting for TCP to give
// up after a quarter of an hour.
func newHTTPClient() *awshttp.BuildableClient {
	client := awshttp.NewBuildableClient()
	dialer := client.GetDialer()
	return client.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = uploaders
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, after: stallAfter}, nil
		}
	})
}

// stallConn fails a read or write after a time in which nothing moved in either direction: a server that is busy
// taking our bytes need not say anything.
type stallConn struct {
	net.Conn
	after time.Duration
}

func (c *stallConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.SetDeadline(time.Now().Add(c.after)) // an error shows in the next read
	}
	return n, c.check(err)
}

func (c *stallConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.after)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	return n, c.check(err)
}

func (c *stallConn) check(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &stallError{c.after}
	}
	return err
}

// stallError is a net.Error that says timeout, so that the SDK tries again.
type stallError struct{ after time.Duration }

func (e *stallError) Error() string   { return fmt.Sprintf("nothing moved for %s", e.after) }
func (e *stallError) Timeout() bool   { return true }
func (e *stallError) Temporary() bool { return true }
