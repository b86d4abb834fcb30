package images

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
)

func testStore(t *testing.T) *store {
	t.Helper()
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func addRandomImage(t *testing.T, s *store, r imageRecipe) {
	t.Helper()
	img, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.addImage(r, img); err != nil {
		t.Fatal(err)
	}
}

func TestStoreHasImage(t *testing.T) {
	s := testStore(t)
	r := imageRecipes()[0]
	if s.hasImage(r) {
		t.Error("an empty store has an image")
	}
	addRandomImage(t, s, r)
	if !s.hasImage(r) {
		t.Error("the image was not kept")
	}
	changed := r
	changed.config.User = "2"
	if s.hasImage(changed) {
		t.Error("the image of another recipe passes for a changed one")
	}
	if _, err := s.images(imageRecipes()); err == nil {
		t.Error("images were returned although most are missing")
	}
}

func TestStoreNoticesMissingBlobs(t *testing.T) {
	s := testStore(t)
	r := imageRecipes()[0]
	addRandomImage(t, s, r)
	found, err := s.manifests()
	if err != nil {
		t.Fatal(err)
	}
	img, err := s.layout.Image(found[r.name].Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.blob(m.Layers[1].Digest), 1); err != nil {
		t.Fatal(err)
	}
	if s.hasImage(r) {
		t.Error("an image with half a layer passes for whole")
	}
}

func TestStoreKeepsLayersByKey(t *testing.T) {
	s := testStore(t)
	if s.layer("key") != nil {
		t.Error("an empty store has a layer")
	}
	dir := sampleTree(t, 0, "file")
	added, err := s.addLayer("key", dir, nil, testEpoch)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.layer("key"); got == nil || got.record != added.record {
		t.Errorf("got layer %v, want %v", got, added)
	}
	if s.layer("other") != nil {
		t.Error("a layer was found under a key that it does not have")
	}
}

func TestStorePrune(t *testing.T) {
	s := testStore(t)
	kept, gone := imageRecipes()[0], imageRecipe{name: "of-an-older-version"}
	addRandomImage(t, s, kept)
	addRandomImage(t, s, imageRecipe{name: gone.name, layer: kept.layer})
	leftover := filepath.Join(string(s.layout), "blobs", "sha256", "layer-123")
	if err := os.WriteFile(leftover, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.addLayer("an-old-key", sampleTree(t, 0, "file"), nil, testEpoch); err != nil {
		t.Fatal(err)
	}
	if err := s.prune(); err != nil {
		t.Fatal(err)
	}
	if !s.hasImage(kept) {
		t.Error("an image of today was removed")
	}
	found, err := s.manifests()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := found[gone.name]; ok || len(found) != 1 {
		t.Errorf("the layout still has %d images", len(found))
	}
	if s.layer("an-old-key") != nil {
		t.Error("the layer of an old recipe was kept")
	}
	blobs, err := os.ReadDir(filepath.Dir(leftover))
	if err != nil {
		t.Fatal(err)
	}
	if len(blobs) != 4 { // manifest, configuration, two layers
		t.Errorf("%d blobs are left, want 4", len(blobs))
	}
}
