package image

import (
	"context"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// Pulled is an image of a registry, whose content is fetched when it is asked for.
type Pulled struct {
	v1.Image
	// Reference is the repository with the image's own digest.
	Reference name.Digest

	client *Pusher
}

// Pull finds the image for a platform. What is fetched of it later ends with the context. An error is a
// *failure.Failure.
func Pull(ctx context.Context, from Side, platform v1.Platform) (*Pulled, error) {
	p, err := NewPusher(Options{Base: from, Target: from, Platform: platform})
	if err != nil {
		return nil, err
	}
	var found *Pulled
	err = p.retry(ctx, func() error {
		img, err := remote.Image(p.base, within(ctx, p.pull)...)
		if err != nil {
			return p.classifyPull(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			return p.classifyPull(err)
		}
		if config.OS != platform.OS || config.Architecture != platform.Architecture {
			return failure.New(failure.ImagePlatformUnsupported, "Image %q is for %s/%s, and this cluster needs %s/%s",
				from.Image, config.OS, config.Architecture, platform.OS, platform.Architecture)
		}
		digest, err := img.Digest()
		if err != nil {
			return p.classifyPull(err)
		}
		found = &Pulled{Image: img, Reference: p.base.Context().Digest(digest.String()), client: p}
		return nil
	})
	if err != nil {
		return nil, failure.From(err)
	}
	return found, nil
}

// Fetch hands the image to keep, again where that is worth it, and makes a failure of an error of the registry's.
func (p *Pulled) Fetch(ctx context.Context, keep func(v1.Image) error) error {
	return p.client.retry(ctx, func() error {
		if err := keep(p.Image); err != nil {
			return p.client.classifyPull(err)
		}
		return nil
	})
}
