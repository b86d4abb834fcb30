package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

// whole is an image of one platform, or an index of several.
type whole interface {
	partial.WithRawManifest
	Digest() (v1.Hash, error)
}

// join makes an index where there are several platforms.
func join(parts []part) whole {
	if len(parts) == 1 {
		return parts[0].image
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range parts {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: p.image, Descriptor: v1.Descriptor{Platform: &p.platform}})
	}
	return index
}

// push pushes what there is, and each bill as an artifact whose subject is its image.
func push(ctx context.Context, ref string, w whole, parts []part) (string, error) {
	auth := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	var printed string
	switch image := w.(type) {
	case v1.Image:
		var err error
		if printed, err = pack.PushImage(ctx, ref, image, auth); err != nil {
			return "", err
		}
	case v1.ImageIndex:
		to, err := name.ParseReference(ref, name.Insecure)
		if err != nil {
			return "", fmt.Errorf("cannot push to %q: %w", ref, err)
		}
		if err := remote.WriteIndex(to, image, remote.WithContext(ctx), auth); err != nil {
			return "", fmt.Errorf("cannot push %s: %w", ref, err)
		}
		digest, err := image.Digest()
		if err != nil {
			return "", fmt.Errorf("cannot compute the digest: %w", err)
		}
		printed = to.Context().Name() + "@" + digest.String()
	}
	for _, p := range parts {
		if err := pushBill(ctx, ref, p, auth); err != nil {
			return "", err
		}
	}
	return printed, nil
}

func pushBill(ctx context.Context, ref string, p part, opts ...remote.Option) error {
	repository, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		return fmt.Errorf("cannot push to %q: %w", ref, err)
	}
	subject, err := partial.Descriptor(p.image)
	if err != nil {
		return fmt.Errorf("cannot describe the image: %w", err)
	}
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), spdx)
	artifact, err = mutate.AppendLayers(artifact, static.NewLayer(p.bill, spdx))
	if err != nil {
		return fmt.Errorf("cannot pack the bill of materials: %w", err)
	}
	attached, ok := mutate.Subject(artifact, *subject).(v1.Image)
	if !ok {
		return fmt.Errorf("cannot attach the bill of materials")
	}
	digest, err := attached.Digest()
	if err != nil {
		return fmt.Errorf("cannot compute the bill's digest: %w", err)
	}
	if err := remote.Write(repository.Context().Digest(digest.String()), attached, append(opts, remote.WithContext(ctx))...); err != nil {
		return fmt.Errorf("cannot push the bill of materials: %w", err)
	}
	return nil
}

// write writes an OCI layout, with the bills beside it.
func write(dir string, w whole, parts []part) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot clear %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", dir, err)
	}
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("cannot write a layout to %s: %w", dir, err)
	}
	switch image := w.(type) {
	case v1.Image:
		err = to.AppendImage(image)
	case v1.ImageIndex:
		err = to.AppendIndex(image)
	}
	if err != nil {
		return fmt.Errorf("cannot write the image to %s: %w", dir, err)
	}
	for _, p := range parts {
		file := filepath.Join(dir, "meteor-operator-"+p.platform.OS+"-"+p.platform.Architecture+".spdx.json")
		if err := os.WriteFile(file, p.bill, 0o644); err != nil {
			return fmt.Errorf("cannot write the bill of materials: %w", err)
		}
	}
	return nil
}

// kustomization is where the operator's image is named, for the bundle and everything else.
const kustomization = "config/manager/kustomization.yaml"

var pinned = regexp.MustCompile(`(newName: \S*/meteor-operator\n\s*)(?:digest|newTag): (\S+)`)

// pin writes the digest where the operator's image is named.
func pin(file, digest string) error {
	content, _, err := readPinned(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, pinned.ReplaceAll(content, []byte("${1}digest: "+digest)), 0o644); err != nil {
		return fmt.Errorf("cannot pin the image: %w", err)
	}
	return nil
}

// compare fails when another digest is pinned.
func compare(file, digest string) error {
	_, present, err := readPinned(file)
	if err == nil && present != digest {
		err = fmt.Errorf("%s has %s, these sources make %s: make images, and commit", file, present, digest)
	}
	return err
}

func readPinned(file string) (content []byte, digest string, err error) {
	if content, err = os.ReadFile(file); err != nil {
		return nil, "", fmt.Errorf("cannot read which image is pinned: %w", err)
	}
	found := pinned.FindSubmatch(content)
	if found == nil {
		return nil, "", fmt.Errorf("%s does not name the operator's image", file)
	}
	return content, string(found[2]), nil
}
