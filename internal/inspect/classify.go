package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/registry"
)

// classify turns an error of the registry client into a failure that says whose turn it is.
func (r *request) classify(err error) error {
	var answer *transport.Error
	answered := errors.As(err, &answer)
	if telling := r.wire.telling(); telling != nil && (!answered || isPing(answer)) {
		err, answered = telling, false
	}
	if answered {
		return r.classifyAnswer(answer)
	}
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	if errors.Is(err, errTooLarge) || errors.As(err, &syntax) || errors.As(err, &wrongType) || isMismatch(err) {
		return failure.New(failure.ImageInvalid, "Image %q cannot be read: %s", r.Image, registry.Plain(err))
	}
	host := r.ref.Context().RegistryStr()
	if hint := registry.TLSHint(err); hint != "" {
		return failure.New(failure.RegistryUnavailable, "Registry %q cannot be asked over TLS: %s; %s", host, registry.Plain(err), hint)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return failure.New(failure.RegistryUnavailable, "Registry %q did not answer within %s", host, r.Timeout)
	}
	return failure.New(failure.RegistryUnavailable, "Registry %q cannot be reached: %s", host, registry.Plain(err))
}

func (r *request) classifyAnswer(answer *transport.Error) error {
	host := r.ref.Context().RegistryStr()
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return r.unauthorized(host, code)
	case code == http.StatusTooManyRequests:
		return failure.New(failure.RegistryUnavailable, "Registry %q asks to come back later: too many requests", host)
	case code < http.StatusInternalServerError && isPing(answer):
		return failure.New(failure.RegistryUnavailable, "%q answers, but is no registry: it gives status %d for /v2/", host, code)
	case code == http.StatusNotFound && registry.Has(answer, transport.NameUnknownErrorCode):
		return failure.New(failure.ImageNotFound, "Image %q was not found: registry %q has no repository %q", r.Image, host, r.ref.Context().RepositoryStr())
	case code == http.StatusNotFound:
		return failure.New(failure.ImageNotFound, "Image %q was not found: repository %q has no %q", r.Image, r.ref.Context().Name(), r.ref.Identifier())
	case code == http.StatusBadRequest:
		return failure.New(failure.InvalidReference, "Registry %q does not understand %q: %s", host, r.Image, registry.Said(answer))
	default:
		return failure.New(failure.RegistryUnavailable, "Registry %q answered with status %d: %s", host, code, registry.Said(answer))
	}
}

// unauthorized says what was tried. Registries do not tell apart what is absent and what may not be seen.
func (r *request) unauthorized(host string, code int) error {
	const either = "either it does not exist, or it is private"
	store := r.Credentials
	switch {
	case !store.Found() && r.SecretName != "":
		return failure.New(failure.ImagePullUnauthorized, "Registry %q does not give %q to everyone, and Secret %q is absent or not a pull secret", host, r.Image, r.SecretName)
	case !store.Found():
		return failure.New(failure.ImagePullUnauthorized, "Registry %q does not give %q to everyone: %s and needs a pull secret, and none was given", host, r.Image, either)
	case !store.Covers(r.ref.Context()):
		return failure.New(failure.ImagePullUnauthorized, "Registry %q does not give %q to everyone, and %s holds no credentials for this registry", host, r.Image, r.secret())
	case code == http.StatusForbidden:
		return failure.New(failure.ImagePullUnauthorized, "Registry %q knows the credentials of %s, but they do not allow to pull %q", host, r.secret(), r.Image)
	default:
		return failure.New(failure.ImagePullUnauthorized, "Registry %q refused the credentials of %s for %q: they are wrong, or do not reach that far", host, r.secret(), r.Image)
	}
}

func (r *request) secret() string {
	if r.SecretName == "" {
		return "the pull secret"
	}
	return fmt.Sprintf("Secret %q", r.SecretName)
}

func isPing(answer *transport.Error) bool {
	return answer.Request != nil && answer.Request.URL.Path == "/v2/"
}

// isMismatch says whether what came is not what its digest or size promised.
func isMismatch(err error) bool {
	return strings.Contains(err.Error(), "manifest digest") || strings.Contains(err.Error(), "error verifying")
}
