package forward

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/registry"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	attempts = 4
	// maxPage is more than the page of any project. Files are passed on without being held.
	maxPage = 48 << 20
	// maxLinks bounds what is remembered of the pages.
	maxLinks = 2_000_000
)

// Options say what is forwarded to, and how.
type Options struct {
	// Indexes are the URLs of the indexes. The first one's host gets the credentials, others' only when they ask.
	Indexes []string
	// Username and Password are the credentials; both may be empty.
	Username, Password string
	// Roots are the certificate authorities to trust; the system's if nil.
	Roots *x509.CertPool
	// TrustedHosts are hosts, or host:port, whose certificates are not checked.
	TrustedHosts []string
	// Wait is the time before a request that failed is tried again. It doubles.
	Wait time.Duration
}

// Handler answers an installer's requests.
type Handler struct {
	options Options
	routes  *Routes
	strict  *http.Transport
	lax     *http.Transport

	seed  maphash.Seed
	mu    sync.Mutex
	links map[uint64]struct{}
}

// New returns a Handler.
func New(o Options) (*Handler, error) {
	routes, err := NewRoutes(o.Indexes...)
	if err != nil {
		return nil, err
	}
	if o.Wait == 0 {
		o.Wait = 300 * time.Millisecond
	}
	return &Handler{
		options: o, routes: routes, strict: transport(&tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}),
		lax:  transport(&tls.Config{InsecureSkipVerify: true}), //nolint:gosec // for hosts of which the admin said so
		seed: maphash.MakeSeed(), links: map[uint64]struct{}{},
	}, nil
}

func transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, TLSClientConfig: config,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 8, DisableCompression: true,
	}
}

// ServeHTTP implements http.Handler. It follows no redirection: the installer does, and gets credentials for those
// that lead back here only.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, upstream, ok := h.routes.split(r.URL)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, http.StatusMethodNotAllowed, "only GET and HEAD are forwarded")
		return
	case !ok:
		refuse(w, http.StatusNotFound, "there is no such index")
		return
	case !h.routes.below(upstream) && !h.linked(upstream):
		refuse(w, http.StatusForbidden, "not part of the index, and no page of it leads there")
		return
	}
	resp, err := h.ask(r, n, upstream)
	if err != nil {
		refuse(w, http.StatusGatewayTimeout, "it cannot be reached: "+said(err))
		return
	}
	defer resp.Body.Close()
	h.answer(w, r, n, upstream, resp)
}

// ask asks the index, more than once if it may yet answer.
func (h *Handler) ask(r *http.Request, n int, upstream *url.URL) (*http.Response, error) {
	wait, authorized := h.options.Wait, n == 0
	for attempt := 1; ; attempt++ {
		resp, err := h.send(r, upstream, authorized)
		switch {
		case err == nil && resp.StatusCode == http.StatusUnauthorized && !authorized && h.mayAuthorize(upstream):
			authorized = true
			_ = resp.Body.Close()
			continue
		case err == nil && resp.StatusCode < http.StatusInternalServerError && resp.StatusCode != http.StatusTooManyRequests,
			attempt >= attempts, r.Context().Err() != nil, permanent(err):
			return resp, err
		case err == nil:
			_ = resp.Body.Close()
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// mayAuthorize tells whether another index than the first may be given the credentials: it asks for them, and nobody else
// can be listening or pass for it.
func (h *Handler) mayAuthorize(upstream *url.URL) bool {
	return h.options.Username+h.options.Password != "" && upstream.Scheme == "https" && !h.trusts(upstream)
}

// permanent says whether asking again cannot help.
func permanent(err error) bool {
	var verification *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &header)
}

// passedOn are the headers of a request that the index gets to see.
var passedOn = []string{"Accept", "If-None-Match", "If-Modified-Since", "Range", "If-Range", "User-Agent", "Cache-Control"}

func (h *Handler) send(r *http.Request, upstream *url.URL, authorized bool) (*http.Response, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, upstream.String(), nil) //nolint:gosec // the routes know the indexes' hosts only
	if err != nil {
		return nil, err
	}
	for _, name := range passedOn {
		if v := r.Header.Values(name); len(v) > 0 {
			req.Header[name] = slices.Clone(v)
		}
	}
	if authorized && h.options.Username+h.options.Password != "" {
		req.SetBasicAuth(h.options.Username, h.options.Password)
	}
	if h.trusts(upstream) {
		return h.lax.RoundTrip(req)
	}
	return h.strict.RoundTrip(req)
}

func (h *Handler) trusts(u *url.URL) bool {
	return slices.Contains(h.options.TrustedHosts, u.Hostname()) || slices.Contains(h.options.TrustedHosts, u.Host)
}

// handedBack are the headers of an answer that the installer gets to see.
var handedBack = []string{
	"Content-Type", "Etag", "Last-Modified", "Cache-Control", "Date", "Expires", "Vary", "Content-Range", "Accept-Ranges", "Retry-After",
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, n int, upstream *url.URL, resp *http.Response) {
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		refuse(w, code, h.unauthorized(n, upstream))
		return
	case code == http.StatusForbidden:
		refuse(w, code, "it does not give this to the credentials of the package index")
		return
	case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests:
		refuse(w, http.StatusGatewayTimeout, fmt.Sprintf("it answered with status %d", code))
		return
	}
	for _, name := range handedBack {
		if v := resp.Header.Values(name); len(v) > 0 {
			w.Header()[name] = v
		}
	}
	if to := resp.Header.Get("Location"); to != "" {
		w.Header().Set("Location", h.redirect(upstream, to))
	}
	if resp.StatusCode != http.StatusOK || r.Method == http.MethodHead || !isPage(resp) {
		h.copy(w, resp)
		return
	}
	page, err := h.page(upstream, resp)
	if err != nil {
		refuse(w, http.StatusGatewayTimeout, "it cannot be read: "+said(err))
		return
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(page) //nolint:gosec // what the index says is for the installer that asked it
}

func (h *Handler) unauthorized(n int, upstream *url.URL) string {
	switch {
	case h.options.Username+h.options.Password == "":
		return "it wants credentials, and there are none: packageIndex.credentials in CNBiConfig names them"
	case n > 0 && !h.mayAuthorize(upstream):
		return "it wants credentials, which other indexes than the first are given by verified TLS only"
	}
	return "it refuses the credentials of the package index"
}

func (h *Handler) copy(w http.ResponseWriter, resp *http.Response) {
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(resp.ContentLength))
	}
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		// The length that was promised is not reached; without one, cutting the connection is what tells.
		panic(http.ErrAbortHandler)
	}
}

// redirect says where the installer shall go: through here again if it is the index's own host, else there directly,
// which takes no credentials along.
func (h *Handler) redirect(from *url.URL, to string) string {
	u, err := from.Parse(to)
	if err != nil {
		return to
	}
	u.User = nil
	return h.lead(from, u)
}

// lead says how the installer comes to a URL that an index has named: through here if it is the index's own, or part of
// another one. No index opens what another one's credentials open.
func (h *Handler) lead(from, to *url.URL) string {
	path, ok := h.routes.path(to)
	switch {
	case !ok:
		return to.String()
	case origin(from) == origin(to):
		h.remember(to)
	case !h.routes.below(to):
		return to.String()
	}
	return path
}

// linked says whether a page, or a redirection, has led to a URL.
func (h *Handler) linked(u *url.URL) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range []string{u.EscapedPath(), strings.TrimSuffix(u.EscapedPath(), ".metadata")} {
		if _, ok := h.links[h.hash(u, p)]; ok {
			return true
		}
	}
	return false
}

func (h *Handler) remember(u *url.URL) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.links) < maxLinks {
		h.links[h.hash(u, u.EscapedPath())] = struct{}{}
	}
}

func (h *Handler) hash(u *url.URL, path string) uint64 {
	return maphash.String(h.seed, origin(u)+path)
}

// said is what went wrong with a connection, without the URL.
func said(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "it took too long"
	}
	why := registry.Plain(err)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" && dial.Err != nil && !strings.HasPrefix(why, "there is no host") {
		why = dial.Err.Error() // without the address, which is told beside it
	}
	if permanent(err) && !strings.Contains(why, "HTTP response") {
		why += ": packageIndex.ca in CNBiConfig makes it trusted"
	}
	return why
}

// refuse answers with a reason of our own, which installers show to their users: it stands in the status line.
func refuse(w http.ResponseWriter, code int, why string) {
	why = text.Line(why, 300)
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		http.Error(w, why, code)
		return
	}
	conn, buffered, err := hijacker.Hijack()
	if err != nil {
		http.Error(w, why, code)
		return
	}
	defer conn.Close()
	fmt.Fprintf(buffered, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", code, why)
	_ = buffered.Flush()
}
