package pki

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIssue(t *testing.T) {
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.Cert) {
		t.Fatal("the authority's certificate cannot be read")
	}
	cases := map[string]struct {
		reason  string
		subject Subject
		verify  x509.VerifyOptions
		groups  []string
	}{
		"Client": {
			reason:  "A subject without hosts gets a client's certificate with its groups.",
			subject: Subject{Name: "system:node:a", Groups: []string{"system:nodes"}},
			verify:  x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
			groups:  []string{"system:nodes"},
		},
		"ServerByAddress": {
			reason:  "An address among the hosts is one of the server's addresses.",
			subject: Subject{Name: "apiserver", Hosts: []string{"127.0.0.1", "kubernetes"}},
			verify:  x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1"},
		},
		"ServerByName": {
			reason:  "A name among the hosts is one of the server's names.",
			subject: Subject{Name: "apiserver", Hosts: []string{"127.0.0.1", "kubernetes"}},
			verify:  x509.VerifyOptions{Roots: roots, DNSName: "kubernetes"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pair, err := authority.Issue(tc.subject)
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := tls.X509KeyPair(pair.Cert, pair.Key)
			if err != nil {
				t.Fatalf("%s\nthe pair does not belong together: %v", tc.reason, err)
			}
			if _, err := loaded.Leaf.Verify(tc.verify); err != nil {
				t.Errorf("%s\nVerify: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.groups, loaded.Leaf.Subject.Organization); diff != "" {
				t.Errorf("%s\ngroups: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
