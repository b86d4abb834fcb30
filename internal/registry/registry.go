// Package registry is what all that talk to image registries share: the connection, and the words for what went
// wrong with it.
package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// UserAgent is what registries' logs show.
const UserAgent = "meteor-operator"

// NewTransport returns a transport to registries. Insecure does not check certificates; without roots the system's
// are trusted.
func NewTransport(insecure bool, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		ForceAttemptHTTP2:     true,
		//nolint:gosec // the admin said so for this registry
		TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure, RootCAs: roots},
	}
}

// Roots returns the certificate authorities of the system and those in files. A file that does not exist has none;
// without any the answer is nil, which stands for the system's.
func Roots(files ...string) (*x509.CertPool, error) {
	var pool *x509.CertPool
	for _, file := range files {
		if file == "" {
			continue
		}
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read certificate authorities: %w", err)
		}
		if pool == nil {
			if pool, err = x509.SystemCertPool(); err != nil {
				pool = x509.NewCertPool()
			}
		}
		if !pool.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("cannot read certificate authorities: %q holds no certificate", file)
		}
	}
	return pool, nil
}

// Has says whether an answer gives an error code.
func Has(answer *transport.Error, code transport.ErrorCode) bool {
	for _, d := range answer.Errors {
		if d.Code == code {
			return true
		}
	}
	return false
}

// Said is what the registry itself said.
func Said(answer *transport.Error) string {
	for _, d := range answer.Errors {
		if d.Message != "" {
			return text.Line(string(d.Code)+": "+d.Message, 200)
		}
	}
	return http.StatusText(answer.StatusCode)
}

// TLSHint says what can be done about an error of TLS; it is empty for other errors.
func TLSHint(err error) string {
	const trust = "if that is as it should be, CNBiConfig's registry.ca makes it trusted and registry.insecure skips the check"
	var unknown x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown), errors.As(err, &wrongHost), errors.As(err, &invalid), errors.As(err, &verification):
		return trust
	case SpeaksPlainHTTP(err):
		return "it speaks plain HTTP, which CNBiConfig's registry.insecure allows"
	}
	return ""
}

// SpeaksPlainHTTP says whether a TLS failure means that there is no TLS. The client of net/http has words of its
// own for it.
func SpeaksPlainHTTP(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// Plain is the innermost useful part of a network error, without the URL that every layer repeats.
func Plain(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsNotFound {
			return fmt.Sprintf("there is no host %q", dns.Name)
		}
		return "cannot look up " + dns.Name + ": " + dns.Err
	}
	var requested *url.Error
	if errors.As(err, &requested) {
		return text.Line(requested.Err.Error(), 300)
	}
	return text.Line(err.Error(), 300)
}
