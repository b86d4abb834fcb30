package inspect

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"
)

func TestPlain(t *testing.T) {
	cases := map[string]struct {
		err  error
		want string
	}{
		"NoHost":   {err: &url.Error{Op: "Get", URL: "https://a.example/v2/", Err: &net.DNSError{Err: "no such host", Name: "a.example", IsNotFound: true}}, want: `there is no host "a.example"`},
		"Resolver": {err: &net.DNSError{Err: "server misbehaving", Name: "a.example"}, want: "cannot look up a.example: server misbehaving"},
		"URL":      {err: fmt.Errorf("ping: %w", &url.Error{Op: "Get", URL: "https://a.example/v2/", Err: errors.New("connection refused")}), want: "connection refused"},
		"Other":    {err: errors.New("odd\nthing"), want: "odd thing"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := plain(tc.err); got != tc.want {
				t.Errorf("plain = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCustomary(t *testing.T) {
	for in, want := range map[string]string{
		"index.docker.io/library/python:3": "docker.io/library/python:3",
		"quay.io/a/b@sha256:1":             "quay.io/a/b@sha256:1",
		"index.docker.io.example/a:1":      "index.docker.io.example/a:1",
	} {
		if got := customary(in); got != want {
			t.Errorf("customary(%q) = %q, want %q", in, got, want)
		}
	}
}
