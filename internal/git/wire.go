package git

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

const (
	maxRefs   = 64 << 20
	maxAnswer = 4 << 10
	maxCA     = 4 << 20
)

// loadCA reads certificates; there need be none.
func loadCA(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxCA {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read certificates: %w", err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read certificates: %w", err)
	}
	return data, nil
}

// wire is how git's requests travel over HTTP. go-git reads answers whole and follows redirects with the
// credentials at hand, so answers are bounded and redirects watched here.
type wire struct {
	next        *http.Transport
	from        *address
	credentials bool
}

// statusError is an answer that is none of git's.
type statusError struct {
	code int
	said string
}

// Error returns the words for it.
func (e *statusError) Error() string {
	if e.said != "" {
		return fmt.Sprintf("status %d: %s", e.code, e.said)
	}
	return fmt.Sprintf("status %d: %s", e.code, http.StatusText(e.code))
}

var (
	errNotGit   = errors.New("there is something, but no git repository that can be cloned")
	errRedirect = errors.New("the server sends requests elsewhere")
)

func newWire(a *address, credentials bool, ca []byte) (*wire, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if len(ca) > 0 && !roots.AppendCertsFromPEM(ca) {
		return nil, failure.New(failure.GitUnreachable, "CNBiConfig's network.trustedCA holds no certificate that can be read")
	}
	return &wire{from: a, credentials: credentials, next: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: 2 * time.Minute,
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}, nil
}

// RoundTrip makes one request, and an error of every answer that is none of git's.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	isRedirect := answer.StatusCode >= 300 && answer.StatusCode < 400
	if answer.StatusCode != http.StatusOK && !isRedirect {
		said := ""
		if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
			data, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
			said = string(data)
		}
		_ = answer.Body.Close()
		return nil, &statusError{answer.StatusCode, said}
	}
	if r.Method == http.MethodGet && !isRedirect {
		if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/x-git-upload-pack-advertisement") {
			_ = answer.Body.Close()
			return nil, errNotGit
		}
		answer.Body = &bounded{answer.Body, maxRefs}
	}
	return answer, nil
}

// redirect decides whether to go where the server sends us.
func (w *wire) redirect(r *http.Request, via []*http.Request) error {
	from := via[0].URL
	switch {
	case len(via) > 5:
		return fmt.Errorf("%w, too many times", errRedirect)
	case r.URL.User != nil:
		return fmt.Errorf("%w, with credentials of its own", errRedirect)
	case r.URL.Scheme != from.Scheme && r.URL.Scheme != "https":
		return fmt.Errorf("%w, to %s", errRedirect, r.URL.Scheme)
	case w.credentials && (r.URL.Scheme != from.Scheme || r.URL.Host != from.Host):
		return fmt.Errorf("%w, to %q, and credentials are only for %q", errRedirect, r.URL.Host, from.Host)
	}
	return nil
}

// bounded is a body that fails once it is too long.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read reads from the body.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &tooLargeError{"the list of its branches and tags is too long"}
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
