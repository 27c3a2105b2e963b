package webui

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func answer(method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// TestAddresses holds what `nomad ui` and old bookmarks lead to.
func TestAddresses(t *testing.T) {
	for path, location := range map[string]string{"/": "/ui/", "/?a=b": "/ui/?a=b"} {
		if w := answer("GET", path); w.Code != http.StatusTemporaryRedirect || w.Header().Get("Location") != location {
			t.Errorf("%s: %d to %q, want %q", path, w.Code, w.Header().Get("Location"), location)
		}
	}
	for _, path := range []string{"/ui/", "/ui/jobs", "/ui/jobs/web@team", "/ui/jobs/a%2Fb", "/ui/allocations/0a", "/ui/clients/0a", "/ui/nowhere"} {
		w := answer("GET", path)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `<main id="main"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if got := w.Header().Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: the policy is %q", path, got)
		}
	}
	for _, path := range []string{"/ui/static/nothing.js", "/ui/static/", "/ui/static/views", "/ui/static/../webui.go"} {
		if w := answer("GET", path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := answer("POST", "/ui/jobs"); w.Code != 405 {
		t.Errorf("a write is answered %d", w.Code)
	}
}

func TestFilesAreKeptUntilTheyChange(t *testing.T) {
	first := answer("GET", "/ui/static/main.js")
	again := httptest.NewRequest("GET", "/ui/static/main.js", nil)
	again.Header.Set("If-None-Match", first.Header().Get("ETag"))
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, again)
	if first.Code != 200 || first.Header().Get("Cache-Control") != "no-cache" || w.Code != http.StatusNotModified {
		t.Errorf("first %d %v, then %d", first.Code, first.Header(), w.Code)
	}
}

// TestNothingComesFromElsewhere reads the files: no address of another host, no
// element made of a text, no import that is not there.
func TestNothingComesFromElsewhere(t *testing.T) {
	outside := regexp.MustCompile(`https?://`)
	risky := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage`)
	imports := regexp.MustCompile(`from "(\.[^"]+)"`)
	n := 0
	err := fs.WalkDir(files, "static", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		n++
		if contentType(file) == "" {
			t.Errorf("%s: the type is not known", file)
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		plain := strings.ReplaceAll(string(text), `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := outside.FindString(plain); found != "" {
			t.Errorf("%s: names another host", file)
		}
		if found := risky.FindString(plain); found != "" {
			t.Errorf("%s: uses %s", file, found)
		}
		for _, use := range imports.FindAllStringSubmatch(plain, -1) {
			base := "static/"
			if strings.HasPrefix(file, "static/views/") && !strings.HasPrefix(use[1], "../") {
				base = "static/views/"
			}
			if _, err := fs.Stat(files, base+strings.TrimPrefix(strings.TrimPrefix(use[1], "../"), "./")); err != nil {
				t.Errorf("%s: imports %s: %v", file, use[1], err)
			}
		}
		return nil
	})
	if err != nil || n < 20 {
		t.Errorf("read %d files: %v", n, err)
	}
}
