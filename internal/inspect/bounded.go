package inspect

import (
	"errors"
	"io"
	"net/http"
)

// maxBody is more than any manifest or configuration may have: registries refuse manifests over 4 MiB.
const maxBody = 16 << 20

var errTooLarge = errors.New("the registry's answer is larger than any manifest or image configuration")

// bounded lets no answer be larger than maxBody.
type bounded struct {
	http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
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
