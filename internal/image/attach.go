package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// The kinds of artifacts that are attached.
const (
	// TypeLock is a list of requirements with hashes, as pip reads it.
	TypeLock = "application/vnd.meteor.lock.v1+text"
	// TypeSBOM is a bill of materials in CycloneDX's JSON.
	TypeSBOM = "application/vnd.cyclonedx+json"
)

const emptyConfig = types.MediaType("application/vnd.oci.empty.v1+json")

// Artifact is a file that belongs to an image.
type Artifact struct {
	// Type says what it is.
	Type string
	// Title is the name of the file, under which tools save it.
	Title string
	// Data is its content.
	Data []byte
}

// Attach makes an artifact findable from an image that was pushed: by the registry's list of referrers, or by the
// tag that stands in for it where the registry has none. It returns the artifact's digest.
func (p *Pusher) Attach(ctx context.Context, to *Result, a Artifact) (string, error) {
	manifest, layers, err := a.manifest(to.descriptor)
	if err != nil {
		return "", err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(manifest.raw))
	if err != nil {
		return "", fmt.Errorf("cannot compute digest: %w", err)
	}
	options := within(ctx, p.push)
	err = p.retry(ctx, func() error {
		for _, l := range layers {
			if err := remote.WriteLayer(p.target.Context(), l, options...); err != nil {
				return p.classify(err)
			}
		}
		if err := remote.Put(p.target.Context().Digest(digest.String()), manifest, options...); err != nil {
			return p.classify(err)
		}
		return nil
	})
	if err != nil {
		return "", failure.From(err)
	}
	return digest.String(), nil
}

// rawManifest is a manifest as it is sent.
type rawManifest struct{ raw []byte }

// RawManifest implements remote.Taggable.
func (m rawManifest) RawManifest() ([]byte, error) { return m.raw, nil }

// MediaType tells the registry what is sent.
func (rawManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (a Artifact) manifest(subject v1.Descriptor) (rawManifest, []v1.Layer, error) {
	config := static.NewLayer([]byte("{}"), emptyConfig)
	content := static.NewLayer(a.Data, types.MediaType(a.Type))
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.Type, Subject: &subject}
	var err error
	if m.Config, err = describe(config); err != nil {
		return rawManifest{}, nil, err
	}
	d, err := describe(content)
	if err != nil {
		return rawManifest{}, nil, err
	}
	d.Annotations = map[string]string{"org.opencontainers.image.title": a.Title}
	m.Layers = []v1.Descriptor{d}
	raw, err := json.Marshal(m)
	if err != nil {
		return rawManifest{}, nil, fmt.Errorf("cannot encode manifest: %w", err)
	}
	return rawManifest{raw}, []v1.Layer{config, content}, nil
}

func describe(l v1.Layer) (v1.Descriptor, error) {
	digest, err := l.Digest()
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("cannot compute digest: %w", err)
	}
	size, err := l.Size()
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("cannot compute size: %w", err)
	}
	mediaType, err := l.MediaType()
	return v1.Descriptor{MediaType: mediaType, Size: size, Digest: digest}, err
}
