package image

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/registry"
)

// classify turns an error of a push into a failure. Layers of the base image may be read while pushing.
func (p *Pusher) classify(err error) error {
	if p.isPull(err) {
		return p.classifyPull(err)
	}
	host := p.target.Context().RegistryStr()
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return unreachable(err, host)
	}
	store := p.options.Target.Credentials
	repository := p.target.Context().Name()
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized && (store == nil || !store.Found()):
		return failure.New(failure.RegistryPushUnauthorized, "Registry %q does not let everyone push to %q, and there are no credentials: CNBiConfig's registry.pushSecret names them", host, repository)
	case code == http.StatusUnauthorized && !store.Covers(p.target.Context()):
		return failure.New(failure.RegistryPushUnauthorized, "Registry %q does not let everyone push to %q, and %s holds no credentials for it", host, repository, p.options.Target.secret())
	case code == http.StatusUnauthorized:
		return failure.New(failure.RegistryPushUnauthorized, "Registry %q refused the credentials of %s for %q: %s", host, p.options.Target.secret(), repository, registry.Said(answer))
	case code == http.StatusForbidden:
		return failure.New(failure.RegistryPushUnauthorized, "Registry %q does not allow to push to %q: %s", host, repository, registry.Said(answer))
	case mayPass(answer):
		return failure.New(failure.RegistryUnavailable, "Registry %q answered with status %d while %q was pushed: %s", host, code, repository, registry.Said(answer))
	default:
		return failure.New(failure.RegistryPushUnauthorized, "Registry %q does not take %q: status %d, %s", host, repository, code, registry.Said(answer))
	}
}

// mayPass says whether an answer is worth asking again: the registry has trouble, or has lost an upload.
func mayPass(answer *transport.Error) bool {
	switch code := answer.StatusCode; {
	case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout,
		code == http.StatusRequestedRangeNotSatisfiable:
		return true
	case code == http.StatusNotFound:
		return !registry.Has(answer, transport.NameUnknownErrorCode)
	default:
		return registry.Has(answer, transport.BlobUploadInvalidErrorCode) || registry.Has(answer, transport.BlobUploadUnknownErrorCode) ||
			registry.Has(answer, transport.DigestInvalidErrorCode)
	}
}

// classifyPull turns an error of reading the base image into a failure.
func (p *Pusher) classifyPull(err error) error {
	host, image := p.base.Context().RegistryStr(), p.options.Base.Image
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return unreachable(err, host)
	}
	switch code := answer.StatusCode; code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return failure.New(failure.ImagePullUnauthorized, "Registry %q does not give the base image %q to %s", host, image, p.options.Base.who())
	case http.StatusNotFound:
		return failure.New(failure.ImageNotFound, "Base image %q was not found", image)
	default:
		return failure.New(failure.RegistryUnavailable, "Registry %q answered with status %d for the base image %q: %s", host, code, image, registry.Said(answer))
	}
}

func unreachable(err error, host string) error {
	if hint := registry.TLSHint(err); hint != "" {
		return failure.New(failure.RegistryUnavailable, "Registry %q cannot be asked over TLS: %s; %s", host, registry.Plain(err), hint)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return failure.New(failure.RegistryUnavailable, "Registry %q took too long", host)
	}
	return failure.New(failure.RegistryUnavailable, "Registry %q cannot be reached: %s", host, registry.Plain(err))
}

// isPull says whether a request to the base image's repository failed, which is not the target's.
func (p *Pusher) isPull(err error) bool {
	base, target := p.base.Context(), p.target.Context()
	if base.Name() == target.Name() {
		return false
	}
	var answer *transport.Error
	var asked *url.Error
	switch {
	case errors.As(err, &answer) && answer.Request != nil:
		return concerns(answer.Request.URL, base)
	case errors.As(err, &asked):
		u, err := url.Parse(asked.URL)
		return err == nil && concerns(u, base)
	}
	return false
}

func concerns(u *url.URL, repository name.Repository) bool {
	return u.Host == repository.RegistryStr() && strings.HasPrefix(u.Path, "/v2/"+repository.RepositoryStr()+"/")
}

func (s Side) secret() string {
	if s.SecretName == "" {
		return "the push secret"
	}
	return "Secret \"" + s.SecretName + "\""
}

func (s Side) who() string {
	if s.Credentials == nil || !s.Credentials.Found() {
		return "everyone, and there is no pull secret"
	}
	return "the credentials of Secret \"" + s.SecretName + "\""
}
