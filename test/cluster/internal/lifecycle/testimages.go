package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/test/cluster/images"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/node"
)

// privateImage is the test image that the private registry has, too.
const privateImage = "jupyter"

// testImages are the images that tests import, by short name.
type testImages map[string]v1.Image

func (c *Cluster) testImages(ctx context.Context) (testImages, error) {
	all, err := images.Ensure(ctx, c.Cache, func(line string) { fmt.Fprintln(c.Out, line) })
	if err != nil {
		return nil, fmt.Errorf("cannot build the test images: %w", err)
	}
	return all, nil
}

func imageName(short string) string { return "images/" + short + ":1" }

func (t testImages) references() map[string]string {
	refs := map[string]string{}
	for short := range t {
		refs[short] = node.Registry + "/" + imageName(short)
	}
	return refs
}

func (t testImages) fingerprint() string {
	all := ""
	for _, short := range slices.Sorted(maps.Keys(t)) {
		// An image whose digest cannot be told fails when it is pushed.
		digest, _ := t[short].Digest()
		all += fmt.Sprintf("%s=%s ", short, digest)
	}
	return all
}

func (c *Cluster) pushTestImages(ctx context.Context, all testImages) error {
	for _, short := range slices.Sorted(maps.Keys(all)) {
		if _, err := c.pushImage(ctx, imageName(short), all[short]); err != nil {
			return err
		}
	}
	if img, ok := all[privateImage]; ok {
		return c.pushPrivateImage(ctx, imageName(privateImage), img)
	}
	return nil
}
