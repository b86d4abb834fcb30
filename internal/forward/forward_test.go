package forward_test

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/forward"
)

const secret = "secret-word"

// start serves a forwarder.
func start(t *testing.T, o forward.Options) string {
	t.Helper()
	o.Wait = time.Millisecond
	h, err := forward.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

type answer struct {
	Code         int
	Status, Body string
	Header       http.Header
}

// get asks without following.
func get(t *testing.T, method, address string) answer {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Status, string(body), resp.Header}
}

// private is an index that wants credentials.
func private(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func options(indexes ...string) forward.Options {
	return forward.Options{Indexes: indexes, Username: "ann", Password: secret}
}

func TestPages(t *testing.T) {
	const html = `<base href="PREFIX/repo/simple/solo/"><a href="../../files/solo-1.whl?a=1&amp;b=2#sha256=12" data-yanked>solo</a>
<a class=x HREF='HOST/abs.whl'>a</a> <a href="/root.whl">b</a> <a href="https://ann:pw@cdn.example/c.whl#sha256=3">c</a>`
	page := ""
	kind := "text/html; charset=utf-8"
	index := private(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/repo/simple/") {
			w.Header().Set("Content-Type", kind)
			fmt.Fprint(w, page)
			return
		}
		fmt.Fprint(w, "file "+r.URL.RequestURI())
	})
	via := start(t, options(index.URL+"/repo/simple/"))
	page = strings.NewReplacer("PREFIX", index.URL, "HOST", index.URL).Replace(html)
	got := get(t, http.MethodGet, via+"/0/repo/simple/solo/")
	want := `<base href="/0/repo/simple/solo/"><a href="/0/repo/files/solo-1.whl?a=1&amp;b=2#sha256=12" data-yanked>solo</a>
<a class=x HREF="/0/abs.whl">a</a> <a href="/0/root.whl">b</a> <a href="https://cdn.example/c.whl#sha256=3">c</a>`
	if diff := cmp.Diff(want, got.Body); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	for path, want := range map[string]string{
		"/0/repo/files/solo-1.whl?a=1&b=2": "file /repo/files/solo-1.whl?a=1&b=2", "/0/abs.whl.metadata": "file /abs.whl.metadata",
	} {
		if got := get(t, http.MethodGet, via+path); got.Body != want {
			t.Errorf("%s: %+v, want %q", path, got, want)
		}
	}

	kind = "application/vnd.pypi.simple.v1+json"
	page = `{"files":[{"url":"../x.whl","hashes":{"sha256":"1"},"size":12345678901234567890}],"name":"solo"}`
	got = get(t, http.MethodGet, via+"/0/repo/simple/solo/")
	if want := `{"files":[{"hashes":{"sha256":"1"},"size":12345678901234567890,"url":"/0/repo/simple/x.whl"}],"name":"solo"}`; strings.TrimSpace(got.Body) != want {
		t.Errorf("got %s, want %s", got.Body, want)
	}
	page = `[1]`
	if got := get(t, http.MethodGet, via+"/0/repo/simple/"); got.Body != page {
		t.Errorf("another document became %s", got.Body)
	}
}

func TestNothingElseIsForwarded(t *testing.T) {
	index := private(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "taken") })
	via := start(t, options(index.URL+"/repo/simple"))
	cases := map[string]struct {
		method, path string
		want         int
	}{
		"Index":       {http.MethodGet, "/0/repo/simple/", http.StatusOK},
		"IndexItself": {http.MethodGet, "/0/repo/simple", http.StatusOK},
		"Head":        {http.MethodHead, "/0/repo/simple/solo/", http.StatusOK},
		"Post":        {http.MethodPost, "/0/repo/simple/", http.StatusMethodNotAllowed},
		"Put":         {http.MethodPut, "/0/repo/simple/solo/", http.StatusMethodNotAllowed},
		"Beside":      {http.MethodGet, "/0/other/", http.StatusForbidden},
		"Prefix":      {http.MethodGet, "/0/repo/simpleton/", http.StatusForbidden},
		"Up":          {http.MethodGet, "/0/repo/simple/%2e%2e/%2e%2e/other", http.StatusNotFound},
		"NoIndex":     {http.MethodGet, "/1/repo/simple/", http.StatusNotFound},
		"Negative":    {http.MethodGet, "/-1/repo/simple/", http.StatusNotFound},
		"Zeros":       {http.MethodGet, "/00/repo/simple/", http.StatusNotFound},
		"Root":        {http.MethodGet, "/", http.StatusNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := get(t, tc.method, via+tc.path); got.Code != tc.want {
				t.Errorf("%s %s: %s, want %d", tc.method, tc.path, got.Status, tc.want)
			}
		})
	}
	// A proxy's form of request asks for any host there is.
	resp, err := (&http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(via) }}).RoundTrip(httptest.NewRequest(http.MethodGet, "http://elsewhere.example/0/other", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		t.Error("it is a proxy for anything")
	}
}

// The credentials go to the hosts of the indexes, and to no other.
func TestWhoSeesTheCredentials(t *testing.T) {
	seen := map[string]bool{}
	watched := func(name string, handle http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				seen[name] = true
			}
			handle(w, r)
		})
	}
	watch := func(name string, handle http.HandlerFunc) *httptest.Server {
		server := httptest.NewServer(watched(name, handle))
		t.Cleanup(server.Close)
		return server
	}
	stranger := watch("stranger", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "stranger") })
	open := watch("open", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "open") })
	asks := func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	asking := httptest.NewTLSServer(watched("asking", asks))
	t.Cleanup(asking.Close)
	plain := watch("plain", asks)
	var main *httptest.Server
	main = watch("main", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/simple/away/":
			http.Redirect(w, r, strings.Replace(stranger.URL, "http://", "http://ann:"+secret+"@", 1)+"/away", http.StatusFound)
		case "/simple/home":
			http.Redirect(w, r, main.URL+"/moved/home/", http.StatusMovedPermanently)
		default:
			w.Header().Set("Set-Cookie", "session="+secret)
			fmt.Fprint(w, "main "+r.URL.Path)
		}
	})
	o := options(main.URL+"/simple/", open.URL+"/simple/", asking.URL+"/simple/", plain.URL+"/simple/")
	o.Roots = x509.NewCertPool()
	o.Roots.AddCert(asking.Certificate())
	via := start(t, o)
	if got := get(t, http.MethodGet, via+"/0/simple/away/"); got.Header.Get("Location") != stranger.URL+"/away" {
		t.Errorf("sent to %q", got.Header.Get("Location"))
	}
	got := get(t, http.MethodGet, via+"/0/simple/home")
	if got.Header.Get("Location") != "/0/moved/home/" {
		t.Errorf("sent to %q", got.Header.Get("Location"))
	}
	if got = get(t, http.MethodGet, via+got.Header.Get("Location")); got.Body != "main /moved/home/" || got.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %+v", got)
	}
	if got := get(t, http.MethodGet, via+"/1/simple/x/"); got.Body != "open" {
		t.Errorf("got %+v", got)
	}
	if got := get(t, http.MethodGet, via+"/2/simple/x/"); got.Code != http.StatusOK {
		t.Errorf("got %+v", got)
	}
	if got := get(t, http.MethodGet, via+"/3/simple/x/"); got.Code != http.StatusUnauthorized || !strings.Contains(got.Status, "verified TLS only") {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(map[string]bool{"main": true, "asking": true}, seen); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// What goes wrong stands in the status line, which installers show.
func TestReasons(t *testing.T) {
	var asked atomic.Int32
	status := func(code int) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(code)
		}))
		t.Cleanup(server.Close)
		return server
	}
	busyOnce := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(busyOnce.Close)
	gone := status(http.StatusOK)
	gone.Close()
	tls := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(tls.Close)
	roots := x509.NewCertPool()
	roots.AddCert(tls.Certificate())
	host, _ := url.Parse(tls.URL)
	cases := map[string]struct {
		url    string
		edit   func(*forward.Options)
		want   string
		asked  int32
		reason string
	}{
		"Wrong":    {url: status(http.StatusUnauthorized).URL, want: "401 it refuses the credentials of the package index", asked: 1, reason: "Wrong credentials stay wrong"},
		"None":     {url: status(http.StatusUnauthorized).URL, edit: func(o *forward.Options) { o.Username, o.Password = "", "" }, want: "401 it wants credentials, and there are none: packageIndex.credentials in CNBiConfig names them", asked: 1},
		"Blocked":  {url: status(http.StatusForbidden).URL, want: "403 it does not give this to the credentials of the package index", asked: 1},
		"Broken":   {url: status(http.StatusInternalServerError).URL, want: "504 it answered with status 500", asked: 4, reason: "An index in trouble is asked again"},
		"BusyOnce": {url: busyOnce.URL, want: "200 OK", asked: 2},
		"Missing":  {url: status(http.StatusNotFound).URL, want: "404 Not Found", asked: 1, reason: "A package that is not there is no trouble"},
		"Down":     {url: gone.URL, want: "504 it cannot be reached: connect: connection refused"},
		"Unknown":  {url: tls.URL, want: "504 it cannot be reached: tls: failed to verify certificate: x509: certificate signed by unknown authority: packageIndex.ca in CNBiConfig makes it trusted"},
		"CA":       {url: tls.URL, edit: func(o *forward.Options) { o.Roots = roots }, want: "200 OK"},
		"Trusted":  {url: tls.URL, edit: func(o *forward.Options) { o.TrustedHosts = []string{host.Host} }, want: "200 OK"},
		"Host":     {url: tls.URL, edit: func(o *forward.Options) { o.TrustedHosts = []string{host.Hostname()} }, want: "200 OK"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := options(tc.url + "/simple/")
			if tc.edit != nil {
				tc.edit(&o)
			}
			via := start(t, o)
			asked.Store(0)
			got := get(t, http.MethodGet, via+"/0/simple/x/")
			if want := strings.ReplaceAll(tc.want, "HOST", strings.Split(tc.url, "//")[1]); got.Status != want || asked.Load() != tc.asked {
				t.Errorf("%s: %q after %d requests, want %q after %d", tc.reason, got.Status, asked.Load(), want, tc.asked)
			}
		})
	}
}

// A transfer that breaks off must not look like a whole file.
func TestBrokenTransfer(t *testing.T) {
	index := private(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 10))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	via := start(t, options(index.URL+"/simple/"))
	resp, err := http.Get(via + "/0/simple/x.whl")
	if err != nil {
		return // it broke before there was anything to pass on
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(bufio.NewReader(resp.Body)); err == nil {
		t.Errorf("%d bytes, and no error", len(data))
	}
}

func TestRoutes(t *testing.T) {
	const base = "http://127.0.0.1:5030"
	routes, err := forward.NewRoutes("https://ann:pw@A.example:443/simple/", "", "http://b.example/x", "https://a.example/other")
	if err != nil {
		t.Fatal(err)
	}
	for index, want := range map[string]string{
		"https://a.example/simple/": base + "/0/simple/", "http://b.example/x": base + "/1/x", "https://a.example/other": base + "/0/other",
		"https://b.example/x": "https://b.example/x",
	} {
		if got := routes.Via(base+"/", index); got != want {
			t.Errorf("Via(%s) = %s, want %s", index, got, want)
		}
	}
	in := "404 for " + base + "/0/simple/x/ and " + base + "/1/y and " + base + "/7/z"
	if got, want := routes.Original(base, in), "404 for https://a.example/simple/x/ and http://b.example/y and "+base+"/7/z"; got != want {
		t.Errorf("Original = %s, want %s", got, want)
	}
	for _, bad := range []string{"ftp://x/", "https:///x", "://ann:" + secret + "@x"} {
		if _, err := forward.NewRoutes(bad); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("NewRoutes(%q): %v", bad, err)
		}
	}
}
