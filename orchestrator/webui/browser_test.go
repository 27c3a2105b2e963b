package webui_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is for a machine that is slow and busy.
const patience = 2 * time.Minute

// tab is a tab of a real browser. It notes what must not be: errors on the
// console, and requests to another host.
type tab struct {
	*testing.T
	ctx    context.Context
	origin string

	mu     sync.Mutex
	faults []string
	// expected are parts of messages that the test causes on purpose.
	expected []string
}

// open starts a browser of its own on a page of the agent.
func open(t *testing.T, origin, path string) *tab {
	t.Helper()
	browser := chromium(t)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-dev-shm-usage", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("close the browser: %v", err)
		}
	})
	b := &tab{T: t, ctx: ctx, origin: origin}
	// This starts the browser, whose life must not be bounded.
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.check)
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(origin+path))
	return b
}

// call gives the browser a command of its protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no chromium on PATH: the web page is not tried in a browser")
	return ""
}

func (b *tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.fault(fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			b.fault(fmt.Sprintf("console: %s", arg.Value))
		}
	case *log.EventEntryAdded:
		b.fault(fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") {
			b.fault("request to " + e.Request.URL)
		}
	}
}

func (b *tab) fault(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, text)
}

// expect takes messages that hold a text as right.
func (b *tab) expect(text string) { b.expected = append(b.expected, text) }

func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, fault := range b.faults {
		for _, text := range b.expected {
			if strings.Contains(fault, text) {
				continue next
			}
		}
		b.Error(fault)
	}
}

// do does something in the browser, and ends the test where it cannot be done.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("%v\nthe page says:\n%s", err, b.text())
	}
}

// text is what the page says, as far as it still answers.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname + '\\n' + document.body.innerText + '\\nfields: ' + [...document.querySelectorAll('input,select')].map(f => f.id + '=' + f.value).join(' ')"))
	if err != nil {
		return err.Error()
	}
	return text
}

// eval gives the value of an expression of the page.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits for an expression of the page to be true.
func (b *tab) until(expression string) {
	b.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !eval[bool](b, "Boolean("+expression+")") {
		select {
		case <-deadline:
			b.Fatalf("did not come true: %s\nthe page says:\n%s", expression, b.text())
		case <-tick.C:
		}
	}
}

// sees waits for a text in an element.
func (b *tab) sees(selector, text string) {
	b.Helper()
	b.until(fmt.Sprintf("[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))", selector, text))
}

// click clicks the first visible button or link with a text, as a person does.
func (b *tab) click(text string) {
	b.Helper()
	b.do(chromedp.Click(fmt.Sprintf(`(//button[normalize-space()=%q and not(@disabled)] | //a[normalize-space()=%q])[last()]`, text, text), chromedp.NodeVisible))
}

// shot keeps a picture of the page, wide and narrow, light and dark, where
// OSTRO_SCREENSHOTS names a folder.
func (b *tab) shot(name string) {
	b.Helper()
	dir := os.Getenv("OSTRO_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		for size, width := range map[string]int64{"wide": 1280, "narrow": 390} {
			b.scheme(scheme)
			b.do(chromedp.EmulateViewport(width, 900))
			ctx, cancel := context.WithTimeout(b.ctx, patience)
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			cancel()
			if err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%s.png", name, size, scheme)), picture, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.scheme("light")
	b.do(chromedp.EmulateViewport(1280, 900))
}

func (b *tab) scheme(name string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}
