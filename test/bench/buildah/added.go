package buildah

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/test/cluster"
)

// Added is how many bytes of layers an image of the local cluster's open registry has that its base has not: what was
// pushed for it.
func Added(info *cluster.Info, base, image string) (int64, error) {
	before, err := layers(info, base)
	if err != nil {
		return 0, err
	}
	after, err := layers(info, image)
	if err != nil {
		return 0, err
	}
	var added int64
	for digest, size := range after {
		if _, ok := before[digest]; !ok {
			added += size
		}
	}
	return added, nil
}

func layers(info *cluster.Info, image string) (map[v1.Hash]int64, error) {
	here := info.RegistryPush + strings.TrimPrefix(image, info.Registry)
	ref, err := name.ParseReference(here, name.Insecure)
	if err != nil {
		return nil, fmt.Errorf("cannot read reference %q: %w", here, err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		return nil, fmt.Errorf("cannot find image %q: %w", image, err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest of %q: %w", image, err)
	}
	sizes := map[v1.Hash]int64{}
	for _, l := range manifest.Layers {
		sizes[l.Digest] = l.Size
	}
	return sizes, nil
}
