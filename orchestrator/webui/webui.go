// Package webui is the web page of the orchestrator. A browser gets its files as
// they stand in static: plain HTML, CSS and ES modules, without a build step and
// without anything from another host.
//
// The page holds no data. All that it shows it reads over the API that everybody
// else uses, with the token that its user gives, so its files may be read by
// anyone who reaches the agent.
package webui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// Root is the path under which the page lives. (Nomad: the same.)
const Root = "/ui/"

// assets is where its files are; every other path under Root is a view, which
// the page makes of its address.
const assets = Root + "static/"

//go:embed static
var files embed.FS

// policy lets the page use only what comes from the agent itself, as a file of
// its own, and forbids it to make elements out of texts.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Handler serves the page under [Root] and leads there from "/".
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == "/" {
			http.Redirect(w, r, withQuery(Root, r.URL.RawQuery), http.StatusTemporaryRedirect)
			return
		}
		serve(w, r)
	})
}

// withQuery keeps what was asked for. (Nomad: the same.)
func withQuery(path, query string) string {
	if query != "" {
		path += "?" + query
	}
	return path
}

func serve(w http.ResponseWriter, r *http.Request) {
	name, asset := strings.CutPrefix(r.URL.Path, assets)
	if !asset {
		name = "index.html"
	}
	text, err := fs.ReadFile(files, path.Join("static", name))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	// What was kept is asked for again, so that a new agent brings its own page.
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", fmt.Sprintf("\"%x\"", sha256.Sum256(text)))
	header.Set("Content-Type", contentType(name))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}

// contentType does not ask the machine, which may know other types than we do.
func contentType(name string) string {
	return map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}[path.Ext(name)]
}
