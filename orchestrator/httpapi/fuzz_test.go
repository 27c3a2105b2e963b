package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// unhurried are the paths that answer for as long as their reader stays.
const unhurried = 50 * time.Millisecond

// FuzzRequest holds that no path, query or body makes the API panic or hang, and
// that what it answers in JSON is JSON.
func FuzzRequest(f *testing.F) {
	config := &server{Config: Config{}}
	for pattern := range config.routes() {
		path := strings.NewReplacer("{id}", "web", "{tag}", "a", "{", "", "}", "").Replace(pattern)
		f.Add("GET", path, "prefix=w&filter=ID+%3D%3D+%22web%22&index=1&wait=1ms", "")
		f.Add("PUT", path, "namespace=*", `{"Job": {"ID": "web", "TaskGroups": [{"Tasks": [null]}]}}`)
		f.Add("POST", path, "reverse=true&per_page=1&next_token=x", `{"JobID": "web", "Meta": {"a": "b"}, "Count": -1, "Target": {"Group": "g"}}`)
		f.Add("DELETE", path, "purge=x&cas=1&region=other", `[]`)
	}
	webJob := string(marshal(f, testJob("web")))
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		u, err := url.Parse("http://localhost" + path)
		if err != nil || !strings.HasPrefix(u.Path, "/v1/") {
			return
		}
		u.RawQuery = query
		ctx, cancel := context.WithTimeout(t.Context(), unhurried)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
		if err != nil {
			return
		}
		config := testConfig(t)
		config.Log = slog.New(slog.DiscardHandler)
		handler := New(config)
		registered := httptest.NewRecorder()
		handler.ServeHTTP(registered, httptest.NewRequest("PUT", "http://localhost/v1/jobs", strings.NewReader(`{"Job": `+webJob+`}`)))
		if registered.Code != http.StatusOK {
			t.Fatal(registered.Body)
		}
		w := httptest.NewRecorder()
		w.Body.Grow(1 << 10)
		handler.ServeHTTP(&writable{w}, r)
		if w.Code == http.StatusOK && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && path != "/v1/event/stream" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %q is not JSON", method, u, w.Body)
		}
	})
}

// writable is a recorder that takes deadlines, as a connection does.
type writable struct{ *httptest.ResponseRecorder }

func (w *writable) SetWriteDeadline(time.Time) error { return nil }

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
