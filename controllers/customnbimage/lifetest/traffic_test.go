package lifetest

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// traffic counts what a manager asks of the API server, and can fall ill.
type traffic struct {
	// refuse fails the requests that it says, as if the API server did.
	refuse atomic.Pointer[func(request string) bool]
	// held keeps back what watches on PipelineRuns tell while it is not nil.
	held atomic.Pointer[chan struct{}]

	mu   sync.Mutex
	seen map[string]int
	last time.Time
}

func (tr *traffic) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		name := nameOf(req)
		tr.count(name)
		if refuse := tr.refuse.Load(); refuse != nil && (*refuse)(name) {
			return &http.Response{
				StatusCode: http.StatusInternalServerError, Status: "500 Internal Server Error", Request: req,
				Body: io.NopCloser(strings.NewReader("out of order")), Header: http.Header{"Content-Type": {"text/plain"}},
			}, nil
		}
		res, err := next.RoundTrip(req)
		if err == nil && name == "watch pipelineruns" {
			res.Body = &heldBody{ReadCloser: res.Body, held: &tr.held}
		}
		return res, err
	})
}

// count counts what is neither a cache's watch nor a look at what the cluster offers.
func (tr *traffic) count(name string) {
	if strings.HasPrefix(name, "watch ") || strings.HasPrefix(name, "discover ") {
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.seen == nil {
		tr.seen = map[string]int{}
	}
	tr.seen[name]++
	tr.last = time.Now()
}

// counted is how often each thing was asked for, without events.
func (tr *traffic) counted() map[string]int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	all := maps.Clone(tr.seen)
	maps.DeleteFunc(all, func(name string, _ int) bool { return strings.HasSuffix(name, " events") })
	return all
}

func (tr *traffic) times(name string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.seen[name]
}

// settle waits until the manager has been silent for a while, and forgets what it asked for so far.
func (tr *traffic) settle(t *testing.T) {
	t.Helper()
	tr.wait()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.seen = nil
}

func (tr *traffic) wait() {
	for {
		tr.mu.Lock()
		left := quiet - time.Since(tr.last)
		tr.mu.Unlock()
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// wants waits until the manager is silent, and checks all that it has asked for.
func (tr *traffic) wants(t *testing.T, reason string, want map[string]int) {
	t.Helper()
	time.Sleep(quiet)
	tr.wait()
	got := tr.counted()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("\n%s\n-want, +got:\n%s", reason, diff)
	}
}

// heldBody is an answer that can be kept back.
type heldBody struct {
	io.ReadCloser
	held *atomic.Pointer[chan struct{}]
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if held := b.held.Load(); held != nil && err == nil {
		<-*held
	}
	return n, err
}

// hold keeps back what happens to PipelineRuns until the returned function is called.
func (tr *traffic) hold(t *testing.T) (release func()) {
	held := make(chan struct{})
	tr.held.Store(&held)
	release = sync.OnceFunc(func() {
		tr.held.Store(nil)
		close(held)
	})
	t.Cleanup(release)
	return release
}

// nameOf names a request by verb and resource, such as "apply customnbimages/status", and one about an API itself by that,
// such as "discover tekton.dev/v1".
func nameOf(req *http.Request) string {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return "discover " + strings.Join(parts[1:], "/")
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource := strings.Join(slices.Delete(slices.Clone(parts), 1, min(2, len(parts))), "/")
	return verbOf(req, len(parts) > 1) + " " + resource
}

func verbOf(req *http.Request, named bool) string {
	switch {
	case req.Method == http.MethodPatch && strings.Contains(req.Header.Get("Content-Type"), "apply-patch"):
		return "apply"
	case req.Method != http.MethodGet:
		return map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[req.Method]
	case req.URL.Query().Get("watch") != "":
		return "watch"
	case named:
		return "get"
	default:
		return "list"
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
