package artifact_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives what it works for. The SDK's idle connections, which end by
// themselves, are not ours.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}
