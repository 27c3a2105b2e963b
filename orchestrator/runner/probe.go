package runner

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// get asks by HTTP. Anything below 400 is well; redirects are answers, they are not followed.
func (c check) get(ctx context.Context) (status string, code int, output string) {
	target, err := c.url()
	if err != nil {
		return checkFailure, 0, err.Error()
	}
	body := strings.NewReader(c.spec.Body)
	req, err := http.NewRequestWithContext(ctx, cmp.Or(c.spec.Method, http.MethodGet), target.String(), body)
	if err != nil {
		return checkFailure, 0, "nomad: " + err.Error()
	}
	for key, values := range c.spec.Header {
		for _, v := range values {
			req.Header.Add(key, v)
		}
	}
	req.Host = cmp.Or(req.Header.Get("Host"), req.Host)
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: c.tls()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return checkFailure, 0, "nomad: " + err.Error()
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return checkSuccess, resp.StatusCode, "nomad: http ok"
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, checkOutputSize))
	if err != nil && len(text) == 0 {
		text = []byte("nomad: " + err.Error())
	}
	switch {
	case resp.StatusCode < http.StatusBadRequest:
		return checkSuccess, resp.StatusCode, string(text)
	case resp.StatusCode == http.StatusTooManyRequests && c.provider == providerConsul:
		return checkWarning, resp.StatusCode, string(text)
	}
	return checkFailure, resp.StatusCode, string(text)
}

// url is what a check asks by HTTP.
func (c check) url() (*url.URL, error) {
	relative, err := url.Parse(c.spec.Path)
	if err != nil {
		return nil, err
	}
	base := url.URL{Scheme: cmp.Or(c.spec.Protocol, "http"), Host: c.addr}
	return base.ResolveReference(relative), nil
}

func (c check) tls() *tls.Config {
	return &tls.Config{InsecureSkipVerify: c.spec.TLSSkipVerify, ServerName: c.spec.TLSServerName}
}

// askHealth asks a gRPC server for its health (grpc.health.v1). One small message each way needs no library.
func (c check) askHealth(ctx context.Context) (status string, code int, output string) {
	protocols := new(http.Protocols)
	scheme := "http"
	if c.spec.GRPCUseTLS {
		scheme = "https"
		protocols.SetHTTP2(true)
	} else {
		protocols.SetUnencryptedHTTP2(true)
	}
	transport := &http.Transport{Protocols: protocols, TLSClientConfig: c.tls(), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	message := []byte{0x0a, byte(len(c.spec.GRPCService))} // field 1, a string
	message = append(message, c.spec.GRPCService...)
	if c.spec.GRPCService == "" || len(c.spec.GRPCService) > 127 {
		message = nil
	}
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+c.addr+"/grpc.health.v1.Health/Check",
		bytes.NewReader(append(body, message...)))
	if err != nil {
		return checkFailure, 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return checkFailure, 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, checkOutputSize))
	if err == nil {
		err = serving(resp, answer)
	}
	if err != nil {
		return checkFailure, 0, err.Error()
	}
	return checkSuccess, 0, fmt.Sprintf("gRPC check %s: success", c.addr)
}

// serving reads the answer: a message whose field 1 is 1.
func serving(resp *http.Response, answer []byte) error {
	grpcStatus := cmp.Or(resp.Trailer.Get("Grpc-Status"), resp.Header.Get("Grpc-Status"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("gRPC health: %s", resp.Status)
	case grpcStatus != "0":
		return fmt.Errorf("gRPC health: status %s %s", grpcStatus, cmp.Or(resp.Trailer.Get("Grpc-Message"), resp.Header.Get("Grpc-Message")))
	case len(answer) < 7 || answer[0] != 0 || answer[5] != 0x08:
		return errors.New("gRPC health: status UNKNOWN")
	case answer[6] != 1:
		return fmt.Errorf("gRPC health: status %s", map[byte]string{0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}[answer[6]])
	}
	return nil
}

// runScript runs the check's program in its task: exit code 0 is well, 1 a warning (Consul).
func (a *alloc) runScript(ctx context.Context, c check) (status string, code int, output string) {
	t := a.tasks[c.task]
	if t == nil {
		return checkFailure, 0, fmt.Sprintf("there is no task %q to run the script in", c.task)
	}
	out, err := t.exec(ctx, append([]string{c.spec.Command}, c.spec.Args...))
	text := string(out.Text[:min(len(out.Text), checkOutputSize)])
	switch {
	case err != nil:
		return checkFailure, 0, strings.TrimSpace(text + "\n" + err.Error())
	case out.Code == 0:
		return checkSuccess, 0, text
	case out.Code == 1:
		return checkWarning, 0, text
	}
	return checkFailure, 0, text
}
