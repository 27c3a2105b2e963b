package runner

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// learnSecrets notes which values of the source and the headers must not be shown: all but those that are known to be
// harmless.
func (d *download) learnSecrets(u *url.URL) {
	for key, values := range u.Query() {
		switch key {
		case "checksum", "archive", "region", "ref", "depth", "filename", "version":
			continue
		}
		d.secrets = append(d.secrets, values...)
	}
	if password, ok := u.User.Password(); ok {
		d.secrets = append(d.secrets, password)
	}
	for _, value := range d.artifact.GetterHeaders {
		d.secrets = append(d.secrets, d.env.replace(value))
	}
}

var urlInText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"']+`)
})

// redact is the text of err without credentials: neither Nomad's events nor logs are places for them.
func (d *download) redact(err error) string {
	text := urlInText().ReplaceAllStringFunc(err.Error(), redactURL)
	for _, secret := range d.secrets {
		if len(secret) < 4 {
			continue // it would take parts of words with it, and guards nothing
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "<redacted>")
		}
	}
	return text
}

// redactURL takes the user and the query off a source.
func redactURL(source string) string {
	source, _, _ = strings.Cut(source, "?")
	before, rest, ok := strings.Cut(source, "://")
	if !ok {
		return source
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if path != "" || strings.HasSuffix(rest, "/") {
		path = "/" + path
	}
	return before + "://" + host + path
}
