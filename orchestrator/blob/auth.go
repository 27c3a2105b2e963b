package blob

import (
	"crypto/subtle"
	"encoding/xml"
	"net/http"
	"time"

	"github.com/rclone/gofakes3/signature"
)

// maxSkew is how far a request's date may be from our clock (S3).
const maxSkew = 15 * time.Minute

// refusal is an answer of S3's that says no.
type refusal struct {
	status        int
	code, message string
}

func (e *refusal) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	if r.Method == http.MethodHead {
		return
	}
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: e.code, Message: e.message})
	if err == nil {
		w.Write(append([]byte(xml.Header), body...)) // an error means that the client has gone
	}
}

// verify checks the signature, version 4, in the Authorization header or the query.
func (s *Store) verify(r *http.Request) *refusal {
	header, query := r.Header.Get("Authorization"), r.URL.Query()
	if header == "" && query.Get("X-Amz-Signature") == "" {
		return &refusal{http.StatusForbidden, "AccessDenied", "the request is not signed"}
	}
	// A presigned address is checked by its own time of expiry, but may not come from the future.
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		date = query.Get("X-Amz-Date")
	}
	at, err := time.Parse("20060102T150405Z", date)
	if skew := s.now().Sub(at); err == nil && (skew < -maxSkew || header != "" && skew > maxSkew) {
		return &refusal{http.StatusForbidden, "RequestTimeTooSkewed", "the request's date and this store's clock are too far apart"}
	}
	result := signature.V4SignVerifyWithLookup(r, func(key string) (string, bool) {
		return s.cfg.SecretKey, subtle.ConstantTimeCompare([]byte(key), []byte(s.cfg.AccessKey)) == 1
	})
	if result == signature.ErrNone {
		return nil
	}
	e := signature.GetAPIError(result)
	if e.Code == "AccessDenied" {
		e.HTTPStatusCode = http.StatusForbidden // the library answers an expired address with 400
	}
	return &refusal{e.HTTPStatusCode, e.Code, e.Description}
}
