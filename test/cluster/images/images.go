package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

var errNotRoot = errors.New("building the test images needs root, for chroot and namespaces")

// Ensure returns the test images by their short names, and builds those that
// the cache under cacheDir does not hold yet. The images read their layers from
// the cache when asked for them.
func Ensure(ctx context.Context, cacheDir string, log func(string)) (map[string]v1.Image, error) {
	return ensure(ctx, cacheDir, log, imageRecipes())
}

// One returns one of the images, and builds no other.
func One(ctx context.Context, cacheDir, name string, log func(string)) (v1.Image, error) {
	for _, r := range imageRecipes() {
		if r.name == name {
			built, err := ensure(ctx, cacheDir, log, []imageRecipe{r})
			return built[name], err
		}
	}
	return nil, fmt.Errorf("there is no image %q", name)
}

func ensure(ctx context.Context, cacheDir string, log func(string), recipes []imageRecipe) (map[string]v1.Image, error) {
	s, err := openStore(filepath.Join(cacheDir, "images"))
	if err != nil {
		return nil, err
	}
	defer s.close()

	var missing []imageRecipe
	for _, r := range recipes {
		if !s.hasImage(r) {
			missing = append(missing, r)
		}
	}
	if len(missing) > 0 {
		if err := build(ctx, s, missing, log); err != nil {
			return nil, err
		}
	}
	return s.images(recipes)
}

// Names returns the short names of the images that Ensure returns, in order.
func Names() []string {
	var names []string
	for _, r := range imageRecipes() {
		names = append(names, r.name)
	}
	return names
}

func build(ctx context.Context, s *store, missing []imageRecipe, log func(string)) error {
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	b, err := newBuilder(ctx, s, log)
	if err != nil {
		return err
	}
	defer b.close()

	if err := b.images(ctx, missing); err != nil {
		return err
	}
	if err := s.prune(); err != nil {
		return fmt.Errorf("cannot remove images that are no longer used: %w", err)
	}
	return nil
}
