package inspect

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/meteor-zone/meteor-operator/internal/registry"
)

// maxBody is more than any manifest or configuration may have: registries refuse manifests over 4 MiB.
const maxBody = 16 << 20

var errTooLarge = errors.New("the registry's answer is larger than any manifest or image configuration")

// wire lets no answer be larger than maxBody, and remembers how each scheme failed last: where plain HTTP may be
// tried too, the client reports both failures as one.
type wire struct {
	http.RoundTripper
	mu     sync.Mutex
	failed map[string]error
}

func newWire(transport http.RoundTripper) *wire {
	return &wire{RoundTripper: transport, failed: map[string]error{}}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(req)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed[req.URL.Scheme] = err
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// telling returns, of the failures of two schemes, the one of the scheme that the registry speaks, nil if there
// is no such choice.
func (w *wire) telling() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	secure, insecure := w.failed["https"], w.failed["http"]
	switch {
	case secure == nil:
		return nil
	case registry.SpeaksPlainHTTP(secure):
		return insecure
	case insecure == nil:
		// There was an answer in plain HTTP: that TLS is spoken here.
		return secure
	}
	return nil
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
