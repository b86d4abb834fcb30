// Package inspect asks a registry about an image without pulling it: whether it exists and may be pulled, whether
// it runs on this platform and starts something, and which digest its name stands for.
package inspect

import (
	"context"
	"crypto/x509"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/registry"
)

// Options say what to inspect and how.
type Options struct {
	// Image is the reference as the user gave it.
	Image string
	// Platform is where the image has to run.
	Platform v1.Platform
	// Insecure allows plain HTTP and certificates that nobody vouches for.
	Insecure bool
	// Roots are the certificate authorities to trust; the system's if nil.
	Roots *x509.CertPool
	// Credentials are the pull secret's.
	Credentials *credentials.Store
	// SecretName is the pull secret's name, for messages.
	SecretName string
	// Timeout bounds the whole inspection.
	Timeout time.Duration
}

// Report is what was found.
type Report struct {
	// URL is the reference, written out in full.
	URL string
	// Image is the repository with the digest, which is what gets pulled and run.
	Image string
	// Digest is the index's or the manifest's digest, whichever the reference names.
	Digest string
	// Inspection is what the image says of itself.
	Inspection Inspection
}

// Image inspects an image. Every error it returns is a *failure.Failure.
func Image(ctx context.Context, opts Options) (*Report, error) {
	ref, err := parse(opts.Image, opts.Insecure)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	w := newWire(registry.NewTransport(opts.Insecure, opts.Roots))
	r := &request{Options: opts, ref: ref, wire: w, options: remoteOptions(ctx, opts, w)}
	return r.run()
}

func parse(image string, insecure bool) (name.Reference, error) {
	options := []name.Option{name.WeakValidation}
	if insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(image, options...)
	if err != nil {
		return nil, failure.New(failure.InvalidReference, "%q is not an image reference: %s", image, err)
	}
	return ref, nil
}

func remoteOptions(ctx context.Context, opts Options, transport http.RoundTripper) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(transport),
		remote.WithAuthFromKeychain(opts.Credentials),
		remote.WithPlatform(opts.Platform),
		remote.WithUserAgent(registry.UserAgent),
		remote.WithJobs(1),
		// Retrying in earnest is the controller's: it can wait longer, and says so.
		remote.WithRetryBackoff(remote.Backoff{Duration: 300 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 2}),
	}
}
