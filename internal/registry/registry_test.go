package registry_test

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/meteor-zone/meteor-operator/internal/registry"
)

func TestPlain(t *testing.T) {
	cases := map[string]struct {
		err  error
		want string
	}{
		"NoHost":  {err: &url.Error{Op: "Get", URL: "https://r.example/v2/", Err: &net.DNSError{Name: "r.example", IsNotFound: true}}, want: `there is no host "r.example"`},
		"NoDNS":   {err: &net.DNSError{Name: "r.example", Err: "server misbehaving"}, want: "cannot look up r.example: server misbehaving"},
		"WithURL": {err: &url.Error{Op: "Get", URL: "https://r.example/v2/", Err: errors.New("refused")}, want: "refused"},
		"Lines":   {err: errors.New("a\nb"), want: "a b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := registry.Plain(tc.err); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestTLSHint(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	self := httptest.NewTLSServer(http.NotFoundHandler())
	defer self.Close()
	ask := func(insecure bool, address string) error {
		resp, err := (&http.Client{Transport: registry.NewTransport(insecure, nil)}).Get(address)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if hint := registry.TLSHint(ask(false, self.URL)); !strings.Contains(hint, "registry.ca makes it trusted") {
		t.Errorf("unknown authority: %q", hint)
	}
	if hint := registry.TLSHint(ask(false, strings.Replace(plain.URL, "http", "https", 1))); !strings.Contains(hint, "it speaks plain HTTP") {
		t.Errorf("plain HTTP: %q", hint)
	}
	if err := ask(true, self.URL); err != nil {
		t.Errorf("insecure: %v", err)
	}
	if hint := registry.TLSHint(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}); hint == "" {
		t.Error("another host's certificate gives no hint")
	}
	if hint := registry.TLSHint(errors.New("refused")); hint != "" {
		t.Errorf("another error: %q", hint)
	}
}

func TestSaid(t *testing.T) {
	answer := &transport.Error{StatusCode: http.StatusForbidden, Errors: []transport.Diagnostic{{Code: transport.DeniedErrorCode, Message: "no\nmore"}}}
	if got := registry.Said(answer); got != "DENIED: no more" {
		t.Errorf("got %q", got)
	}
	if !registry.Has(answer, transport.DeniedErrorCode) || registry.Has(answer, transport.NameUnknownErrorCode) {
		t.Error("codes are mixed up")
	}
	if got := registry.Said(&transport.Error{StatusCode: http.StatusForbidden}); got != "Forbidden" {
		t.Errorf("got %q", got)
	}
}
