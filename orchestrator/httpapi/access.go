package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"ostro/orchestrator/webui"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 32 << 20

// guard lets a request pass that comes from a program or from our own page. A
// web page of somebody else must be able neither to drive the API nor to read
// it, even when it makes its own name point at this machine.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.knownHost(r.Host):
			refuse(w, "Host "+r.Host+" is not an address of this agent")
		case foreignOrigin(r) && !opensPage(r):
			refuse(w, "requests from other web pages are refused")
		case writes(r.Method) && isForm(r.Header.Get("Content-Type")):
			refuse(w, "form posts are refused: send Content-Type application/json")
		case !s.ACL && s.Token != "" && !isPage(r) && !sameSecret(bearer(r), s.Token):
			refuse(w, "Permission denied")
		case s.denied(r) != "":
			refuse(w, s.denied(r))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, text string) { writeText(w, http.StatusForbidden, text) }

// bearer is the token of a request. (Nomad: X-Nomad-Token, else Bearer.)
func bearer(r *http.Request) string {
	if token := r.Header.Get("X-Nomad-Token"); token != "" {
		return token
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// knownHost tells whether a Host header names this agent: loopback, or the
// address that it listens on. An agent that listens on every address is known
// by any of them, yet never by a name, which anybody can point at it.
func (s *server) knownHost(host string) bool {
	name := hostname(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	own := hostname(s.Address)
	if name != "" && strings.EqualFold(name, own) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	if ip.Unmap().IsLoopback() {
		return true
	}
	listen, err := netip.ParseAddr(own)
	return own == "" || err == nil && listen.IsUnspecified()
}

// hostname takes the port and the brackets off HOST:PORT.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// foreignOrigin tells whether a browser says that a page of somebody else is
// behind the request. Another port of the same machine is somebody else.
func foreignOrigin(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return true
	}
	for _, origin := range r.Header.Values("Origin") {
		page, err := url.Parse(origin)
		if err != nil || page.Host == "" || !strings.EqualFold(page.Host, r.Host) {
			return true
		}
	}
	return false
}

// isPage tells whether a request is for a file of the web page, which holds no
// data and can do nothing by itself.
func isPage(r *http.Request) bool {
	return !writes(r.Method) && (r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, webui.Root))
}

// opensPage tells whether somebody follows a link from afar to the web page, in a
// window of its own: the page forbids to be framed.
func opensPage(r *http.Request) bool {
	return isPage(r) && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

func writes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// isForm tells whether a body is of a type that any web page may send anywhere
// without asking first.
func isForm(contentType string) bool {
	essence, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(essence)) {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return true
	}
	return false
}
