package image

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/registry"
)

// maxWait is the longest time between two attempts: with twelve of them, an outage of a minute and a half is outlived.
const maxWait = 10 * time.Second

// Side is one of the two registries, which may be the same.
type Side struct {
	// Image is the base image with its digest, or the name that the result gets.
	Image string
	// Credentials are those for this side.
	Credentials *credentials.Store
	// SecretName is where they are from, for messages.
	SecretName string
	// Insecure allows plain HTTP and certificates that nobody vouches for.
	Insecure bool
	// Roots are the certificate authorities to trust; the system's if nil.
	Roots *x509.CertPool
}

// Options say what to make and where to put it.
type Options struct {
	Base, Target Side
	// Platform chooses from a base that is an index.
	Platform v1.Platform
	// CreatedBy is what the history says of the layer, as a Containerfile's line.
	CreatedBy string
	// Edit changes the configuration, if it is not nil.
	Edit func(*v1.Config)
	// Annotations are added to the manifest, if its kind has any.
	Annotations map[string]string
	// Attempts is how often pushing is tried, Wait the time after the first failure. It doubles, up to maxWait.
	Attempts int
	Wait     time.Duration
}

// Result is what was pushed.
type Result struct {
	// URL is the name that it was pushed to.
	URL string
	// Image is the repository with the digest.
	Image string
	// Digest is the manifest's.
	Digest string
	// LayerSize is the size of the new layer, compressed.
	LayerSize int64

	descriptor v1.Descriptor
}

// Pusher pushes to one place.
type Pusher struct {
	options Options
	base    name.Reference
	target  name.Reference
	pull    []remote.Option
	push    []remote.Option
}

// NewPusher reads the two names.
func NewPusher(o Options) (*Pusher, error) {
	base, err := o.Base.parse()
	if err != nil {
		return nil, err
	}
	target, err := o.Target.parse()
	if err != nil {
		return nil, err
	}
	if o.Attempts == 0 {
		o.Attempts = 12
	}
	if o.Wait == 0 {
		o.Wait = time.Second
	}
	return &Pusher{options: o, base: base, target: target, pull: o.Base.options(o), push: o.Target.options(o)}, nil
}

func (s Side) parse() (name.Reference, error) {
	options := []name.Option{name.WeakValidation}
	if s.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(s.Image, options...)
	if err != nil {
		return nil, failure.New(failure.InvalidReference, "%q is not an image reference: %s", s.Image, err)
	}
	return ref, nil
}

func (s Side) options(o Options) []remote.Option {
	transport := registry.NewTransport(s.Insecure, s.Roots)
	// Some registries compute a digest of all that was uploaded before they answer.
	transport.ResponseHeaderTimeout = 5 * time.Minute
	store := s.Credentials
	if store == nil {
		store = &credentials.Store{}
	}
	return []remote.Option{
		remote.WithTransport(transport),
		remote.WithAuthFromKeychain(store),
		remote.WithPlatform(o.Platform),
		remote.WithUserAgent(registry.UserAgent),
		remote.WithJobs(2),
		// What is worth trying again is tried by the pusher, which knows what failed.
		remote.WithRetryBackoff(remote.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 2}),
		remote.WithRetryStatusCodes(http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout),
	}
}

func within(ctx context.Context, options []remote.Option) []remote.Option {
	return append(slices.Clone(options), remote.WithContext(ctx))
}

// Push appends the layer to the base image and pushes the result. Every error it returns is a *failure.Failure.
func (p *Pusher) Push(ctx context.Context, l *Layer) (*Result, error) {
	var result *Result
	err := p.retry(ctx, func() error {
		img, err := p.image(ctx, l)
		if err != nil {
			return err
		}
		if err := remote.Write(p.target, img, within(ctx, p.push)...); err != nil {
			return p.classify(err)
		}
		result, err = p.result(img, l)
		return err
	})
	if err != nil {
		return nil, failure.From(err)
	}
	return result, nil
}

// retry tries again what the registry may yet do.
func (p *Pusher) retry(ctx context.Context, try func() error) error {
	wait := p.options.Wait
	for attempt := 1; ; attempt++ {
		err := try()
		var f *failure.Failure
		if err == nil || attempt >= p.options.Attempts || !errors.As(err, &f) || f.Reason != failure.RegistryUnavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait = min(2*wait, maxWait)
	}
}

// image puts the result together; nothing but the base's manifest and configuration is fetched for it.
func (p *Pusher) image(ctx context.Context, l *Layer) (v1.Image, error) {
	base, err := remote.Image(p.base, within(ctx, p.pull)...)
	if err != nil {
		return nil, p.classifyPull(err)
	}
	manifest, err := base.Manifest()
	if err != nil {
		return nil, p.classifyPull(err)
	}
	config, err := base.ConfigFile()
	if err != nil {
		return nil, p.classifyPull(err)
	}
	if len(config.RootFS.DiffIDs) != len(manifest.Layers) {
		return nil, failure.New(failure.ImageInvalid, "Base image %q has %d layers and describes %d", p.options.Base.Image, len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	return p.assemble(base, manifest, config, l)
}

func (p *Pusher) assemble(base v1.Image, manifest *v1.Manifest, config *v1.ConfigFile, l *Layer) (v1.Image, error) {
	config = config.DeepCopy()
	if p.options.Edit != nil {
		p.options.Edit(&config.Config)
	}
	edited, err := mutate.ConfigFile(base, config)
	if err != nil {
		return nil, fmt.Errorf("cannot edit configuration: %w", err)
	}
	add := mutate.Addendum{History: v1.History{Created: config.Created, CreatedBy: p.options.CreatedBy, EmptyLayer: l.Empty()}}
	if !l.Empty() {
		l.mediaType = types.DockerLayer
		if isOCI(manifest) {
			l.mediaType = types.OCILayer
		}
		add.Layer, add.MediaType = l, l.mediaType
	}
	img, err := mutate.Append(edited, add)
	if err != nil {
		return nil, fmt.Errorf("cannot append layer: %w", err)
	}
	if !isOCI(manifest) {
		return img, nil
	}
	annotated, ok := mutate.Annotations(img, p.annotations()).(v1.Image)
	if !ok {
		return nil, errors.New("cannot annotate image")
	}
	return annotated, nil
}

func (p *Pusher) annotations() map[string]string {
	out := map[string]string{
		"org.opencontainers.image.base.name": p.base.Context().Name(),
	}
	if d, ok := p.base.(name.Digest); ok {
		out["org.opencontainers.image.base.digest"] = d.DigestStr()
	}
	maps.Copy(out, p.options.Annotations)
	return out
}

// isOCI tells the two kinds of manifest apart. The older one has no annotations, and its layers another type.
func isOCI(m *v1.Manifest) bool {
	return m.MediaType == types.OCIManifestSchema1 || m.MediaType == "" && m.Config.MediaType == types.OCIConfigJSON
}

func (p *Pusher) result(img v1.Image, l *Layer) (*Result, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, fmt.Errorf("cannot compute digest: %w", err)
	}
	size, err := img.Size()
	if err != nil {
		return nil, fmt.Errorf("cannot compute size: %w", err)
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return nil, fmt.Errorf("cannot find media type: %w", err)
	}
	added := l.size
	if l.Empty() {
		added = 0 // it is not part of the image
	}
	return &Result{
		URL: p.target.Name(), Image: p.target.Context().Digest(digest.String()).Name(), Digest: digest.String(),
		LayerSize:  added,
		descriptor: v1.Descriptor{MediaType: mediaType, Size: size, Digest: digest},
	}, nil
}
