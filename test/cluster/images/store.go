package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

const (
	nameAnnotation = "org.opencontainers.image.ref.name"
	keyAnnotation  = "meteor.zone/recipe"
)

// store is an OCI layout with the finished images, beside it one small file for
// each layer that says which recipe it came from, and a lock for the whole.
type store struct {
	dir    string
	layout layout.Path
	lock   *os.File
}

func openStore(dir string) (*store, error) {
	for _, d := range []string{"oci", "layers"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("cannot create the image cache: %w", err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the image cache: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock the image cache: %w", err), lock.Close())
	}
	s := &store{dir: dir, lock: lock}
	if s.layout, err = openLayout(filepath.Join(dir, "oci")); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func openLayout(dir string) (layout.Path, error) {
	if p, err := layout.FromPath(dir); err == nil {
		return p, nil
	}
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", fmt.Errorf("cannot start the image layout: %w", err)
	}
	return p, nil
}

func (s *store) close() {
	_ = s.lock.Close() // releases the lock, or the end of the process does
}

func (s *store) blob(digest v1.Hash) string {
	return filepath.Join(string(s.layout), "blobs", digest.Algorithm, digest.Hex)
}

// layer returns the layer that a recipe with this key made, or nil.
func (s *store) layer(key string) *layerFile {
	raw, err := os.ReadFile(filepath.Join(s.dir, "layers", key+".json"))
	if err != nil {
		return nil
	}
	var l layerFile
	if err := json.Unmarshal(raw, &l.record); err != nil {
		return nil
	}
	l.path = s.blob(l.record.Digest)
	info, err := os.Stat(l.path)
	if err != nil || info.Size() != l.record.Size {
		return nil
	}
	return &l
}

// addLayer packs a directory into the layout and notes the recipe it came from.
func (s *store) addLayer(key, dir string, below []string, epoch int64) (*layerFile, error) {
	blobs := filepath.Join(string(s.layout), "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(blobs, "layer-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone when it was renamed
	record, err := packLayer(tmp, dir, below, epoch)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return nil, fmt.Errorf("cannot pack layer: %w", err)
	}
	l := &layerFile{path: s.blob(record.Digest), record: record}
	if err := errors.Join(os.Chmod(tmp.Name(), 0o644), os.Rename(tmp.Name(), l.path)); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return l, os.WriteFile(filepath.Join(s.dir, "layers", key+".json"), raw, 0o644)
}

// addImage keeps an image under its recipe's name, in place of an older one.
func (s *store) addImage(r imageRecipe, img v1.Image) error {
	return s.layout.ReplaceImage(img, match.Name(r.name), layout.WithAnnotations(map[string]string{
		nameAnnotation: r.name,
		keyAnnotation:  imageKey(r),
	}))
}

func (s *store) manifests() (map[string]v1.Descriptor, error) {
	index, err := s.layout.ImageIndex()
	if err != nil {
		return nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	found := map[string]v1.Descriptor{}
	for _, d := range m.Manifests {
		found[d.Annotations[nameAnnotation]] = d
	}
	return found, nil
}

// hasImage tells whether the image of just this recipe is here with all its layers.
func (s *store) hasImage(r imageRecipe) bool {
	found, err := s.manifests()
	if err != nil {
		return false
	}
	d, ok := found[r.name]
	if !ok || d.Annotations[keyAnnotation] != imageKey(r) {
		return false
	}
	img, err := s.layout.Image(d.Digest)
	if err != nil {
		return false
	}
	m, err := img.Manifest()
	if err != nil {
		return false
	}
	for _, b := range append(m.Layers, m.Config) {
		if info, err := os.Stat(s.blob(b.Digest)); err != nil || info.Size() != b.Size {
			return false
		}
	}
	return true
}

func (s *store) images(recipes []imageRecipe) (map[string]v1.Image, error) {
	found, err := s.manifests()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image layout: %w", err)
	}
	images := map[string]v1.Image{}
	for _, r := range recipes {
		d, ok := found[r.name]
		if !ok {
			return nil, fmt.Errorf("image %q is not in the layout", r.name)
		}
		if images[r.name], err = s.layout.Image(d.Digest); err != nil {
			return nil, fmt.Errorf("cannot read image %q: %w", r.name, err)
		}
	}
	return images, nil
}

// prune removes what today's recipes do not lead to.
func (s *store) prune() error {
	current := map[string]bool{}
	for _, r := range imageRecipes() {
		current[r.name] = true
	}
	stale := func(d v1.Descriptor) bool { return !current[d.Annotations[nameAnnotation]] }
	if err := s.layout.RemoveDescriptors(stale); err != nil {
		return err
	}
	used, err := s.usedBlobs()
	if err != nil {
		return err
	}
	if err := removeOthers(filepath.Join(string(s.layout), "blobs", "sha256"), used); err != nil {
		return err
	}
	records := map[string]bool{}
	for name := range layerRecipes() {
		records[layerKey(name)+".json"] = true
	}
	return removeOthers(filepath.Join(s.dir, "layers"), records)
}

func (s *store) usedBlobs() (map[string]bool, error) {
	found, err := s.manifests()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, d := range found {
		img, err := s.layout.Image(d.Digest)
		if err != nil {
			return nil, err
		}
		m, err := img.Manifest()
		if err != nil {
			return nil, err
		}
		for _, b := range append(m.Layers, m.Config, d) {
			used[b.Digest.Hex] = true
		}
	}
	return used, nil
}

func removeOthers(dir string, keep map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if keep[e.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
