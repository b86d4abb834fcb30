package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/skeema/knownhosts"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/registry"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// classify turns what went wrong into a failure that says whose turn it is.
func (f *fetch) classify(err error) error {
	var done *failure.Failure
	var absent *refNotFoundError
	var large *tooLargeError
	var status *statusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return done
	case errors.As(err, &absent):
		return failure.New(failure.GitRefNotFound, "%s cannot be built: %s", f.module, absent)
	case errors.As(err, &large):
		return failure.New(failure.UnsupportedFile, "%s is too large: %s", f.module, large)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return failure.New(failure.GitRefNotFound, "%s is empty: it has no commit yet", f.module)
	case errors.As(err, &status):
		return f.classifyStatus(status)
	case strings.Contains(err.Error(), "no space after hash"):
		// These are go-git's words for hashes that are longer than it knows.
		return failure.New(failure.UnsupportedFile, "%s cannot be cloned: it names its objects by SHA-256, which is not supported yet", f.module)
	case errors.Is(err, errNotGit):
		return authFailed("%s cannot be cloned: %s: check the URL", f.module, errNotGit)
	case errors.Is(err, errRedirect):
		return authFailed("%s cannot be cloned: %s: use the URL that it has now", f.module, registry.Plain(err))
	case f.address.scheme == "ssh" && isSSH(err):
		return f.classifySSH(err)
	case errors.Is(err, errBroken):
		return failure.New(failure.GitUnreachable, "%s cannot be cloned: %s", f.module, f.said(err))
	}
	return f.unreachable(err)
}

func (f *fetch) classifyStatus(status *statusError) error {
	said := ""
	if status.said != "" {
		said = " (" + f.secret.scrub(status.said) + ")"
	}
	switch status.code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
	default:
		if status.code >= 400 && status.code < 500 && status.code != http.StatusTooManyRequests && status.code != http.StatusRequestTimeout {
			return authFailed("%s cannot be cloned: the server answers with status %d%s: check the URL", f.module, status.code, said)
		}
		return failure.New(failure.GitUnreachable, "The server of %s answers with status %d%s", f.what(), status.code, said)
	}
	switch s := f.secret; {
	case !s.hasPassword() && s.name != "":
		return authFailed("%s is not there for everyone (status %d): either it does not exist, or it is private, and %s is absent or has no username and password", f.module, status.code, s)
	case !s.hasPassword():
		return authFailed("%s is not there for everyone (status %d): either it does not exist, or it is private and needs a Secret for this server in spec.gitSecret", f.module, status.code)
	case status.code == http.StatusUnauthorized:
		return authFailed("The server refuses the username and password of %s for %s%s", s, f.what(), said)
	default:
		return authFailed("%s was not found with the username and password of %s (status %d%s): either it does not exist, or they do not reach that far", f.module, s, status.code, said)
	}
}

// what names the module inside a sentence.
func (f *fetch) what() string {
	if f.path == "" {
		return fmt.Sprintf("repository %q", f.address)
	}
	return fmt.Sprintf("submodule %q (%q)", f.path, f.address)
}

func isSSH(err error) bool {
	return knownhosts.IsHostKeyChanged(err) || knownhosts.IsHostUnknown(err) || errors.Is(err, transport.ErrRepositoryNotFound) ||
		strings.Contains(err.Error(), "unable to authenticate") || strings.Contains(err.Error(), "no common algorithm for host key") ||
		strings.HasPrefix(err.Error(), "unknown error: ")
}

func (f *fetch) classifySSH(err error) error {
	host := f.address.host
	switch {
	case knownhosts.IsHostKeyChanged(err), strings.Contains(err.Error(), "no common algorithm for host key"):
		return authFailed("%q shows another host key than known_hosts of %s has for it: either the host has a new one, or somebody is in between; %s", host, f.secret, makeSecret(f.address))
	case knownhosts.IsHostUnknown(err):
		return authFailed("known_hosts of %s has no key of %q (port %d); %s", f.secret, host, f.address.port, makeSecret(f.address))
	case strings.Contains(err.Error(), "unable to authenticate"):
		return authFailed("%q refuses the SSH key of %s for user %q", host, f.secret, f.address.user)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return authFailed("%s was not found with the SSH key of %s: either it does not exist, or the key does not reach that far", f.module, f.secret)
	default:
		return authFailed("%s cannot be cloned with the SSH key of %s: the server says %q", f.module, f.secret, f.said(errors.New(strings.TrimPrefix(err.Error(), "unknown error: "))))
	}
}

// unreachable is for everything that may be better later.
func (f *fetch) unreachable(err error) error {
	server := f.address.hostPort()
	switch hint := registry.TLSHint(err); {
	case registry.SpeaksPlainHTTP(err):
		return failure.New(failure.GitUnreachable, "%q does not speak HTTPS, cannot clone %s", server, f.what())
	case hint != "":
		return failure.New(failure.GitUnreachable, "%q cannot be asked over TLS: %s; if that is as it should be, CNBiConfig's network.trustedCA makes it trusted", server, registry.Plain(err))
	case errors.Is(err, context.DeadlineExceeded):
		return failure.New(failure.GitUnreachable, "%q did not send %s within %s", server, f.what(), f.timeout)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, transport.ErrEmptyUploadPackRequest):
		return failure.New(failure.GitUnreachable, "%q ended the connection before all of %s had come", server, f.what())
	}
	return failure.New(failure.GitUnreachable, "%q cannot be reached for %s: %s", server, f.what(), f.said(err))
}

// said is an error's text without anything secret.
func (f *fetch) said(err error) string {
	return text.Line(f.secret.scrub(registry.Plain(err)), 300)
}

// amount returns a size for people.
func amount(bytes int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(bytes), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	if size == float64(int64(size)) {
		return fmt.Sprintf("%d %s", int64(size), units[unit])
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
