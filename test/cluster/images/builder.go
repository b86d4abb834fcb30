package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// builder makes layers and images in a work directory of its own.
type builder struct {
	store   *store
	machine *machine
	log     func(string)
	work    string
	layers  map[string]*layerFile // built or found, by recipe
	trees   map[string]bool       // unpacked under work/trees
}

func newBuilder(ctx context.Context, s *store, log func(string)) (*builder, error) {
	m, err := readMachine(ctx, log)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(s.dir, "work")
	if err := os.RemoveAll(work); err != nil { // of a build that was killed
		return nil, fmt.Errorf("cannot clear the work directory: %w", err)
	}
	b := &builder{store: s, machine: m, log: log, work: work, layers: map[string]*layerFile{}, trees: map[string]bool{}}
	if err := os.MkdirAll(filepath.Join(work, "trees"), 0o755); err != nil {
		return nil, err
	}
	for _, dir := range []string{"recipes", "scripts"} {
		files, err := fs.Sub(recipeFiles, dir)
		if err != nil {
			return nil, err
		}
		if err := os.CopyFS(filepath.Join(work, dir), files); err != nil {
			return nil, fmt.Errorf("cannot lay out the recipes: %w", err)
		}
	}
	return b, nil
}

func (b *builder) close() {
	if err := os.RemoveAll(b.work); err != nil {
		b.log("cannot remove the work directory: " + err.Error())
	}
}

// images builds, proves and keeps images.
func (b *builder) images(ctx context.Context, recipes []imageRecipe) error {
	for _, r := range recipes {
		for _, name := range layerNames(r.layer) {
			if err := b.ensureLayer(ctx, name); err != nil {
				return fmt.Errorf("cannot build layer %q: %w", name, err)
			}
		}
	}
	for _, r := range recipes {
		if err := b.unpack(r.layer); err != nil {
			return err
		}
	}
	failed := make([]error, len(recipes))
	var proofs sync.WaitGroup // each in namespaces of its own, and mostly waiting
	for i, r := range recipes {
		proofs.Go(func() { failed[i] = b.proveImage(ctx, r) })
	}
	proofs.Wait()
	for i, r := range recipes { // a good image is kept also when another is not
		if failed[i] == nil {
			failed[i] = b.keep(r)
		}
	}
	return errors.Join(failed...)
}

func (b *builder) keep(r imageRecipe) error {
	img, err := b.assemble(r)
	if err != nil {
		return fmt.Errorf("cannot assemble image %q: %w", r.name, err)
	}
	if err := b.store.addImage(r, img); err != nil {
		return fmt.Errorf("cannot keep image %q: %w", r.name, err)
	}
	return nil
}

func (b *builder) ensureLayer(ctx context.Context, name string) error {
	if b.layers[name] != nil {
		return nil
	}
	key := layerKey(name)
	if l := b.store.layer(key); l != nil {
		b.layers[name] = l
		return nil
	}
	begin := time.Now()
	upper, err := b.runRecipe(ctx, name)
	if err != nil {
		return err
	}
	var below []string
	for _, n := range layerNames(layerRecipes()[name].on) {
		below = append(below, filepath.Join(b.work, "trees", n))
	}
	l, err := b.store.addLayer(key, upper, below, b.machine.epoch)
	if err != nil {
		return err
	}
	b.layers[name] = l
	b.log(fmt.Sprintf("layer %s: %.1f MB packed, %.1f s", name, float64(l.record.Size)/1e6, time.Since(begin).Seconds()))
	return os.RemoveAll(filepath.Dir(upper))
}

// lower returns an overlay's lower directories, relative to work/trees.
func (b *builder) lower(name string) string {
	var dirs []string
	for _, n := range layerNames(name) {
		dirs = append([]string{n}, dirs...)
	}
	return strings.Join(dirs, ":")
}

// unpack lays out a layer and those below it. It reads what will be handed on,
// so that a proof is one of the packed layers too.
func (b *builder) unpack(name string) error {
	for _, n := range layerNames(name) {
		if b.trees[n] {
			continue
		}
		if err := unpackLayer(b.layers[n], filepath.Join(b.work, "trees", n)); err != nil {
			return fmt.Errorf("cannot unpack layer %q: %w", n, err)
		}
		b.trees[n] = true
	}
	return nil
}

func (b *builder) proveImage(ctx context.Context, r imageRecipe) error {
	begin := time.Now()
	bench := &bench{
		config:  r.config,
		trees:   filepath.Join(b.work, "trees"),
		lower:   b.lower(r.layer),
		script:  filepath.Join(b.work, "scripts", "proof", "sandbox.sh"),
		scratch: filepath.Join(b.work, "proof-"+r.name),
		note:    func(text string) { b.log(r.name + ": " + text) },
	}
	if err := os.MkdirAll(bench.scratch, 0o755); err != nil {
		return err
	}
	if err := r.prove(ctx, bench); err != nil {
		return fmt.Errorf("image %q does not behave as its name says: %w", r.name, err)
	}
	b.log(fmt.Sprintf("%s: proven in %.1f s", r.name, time.Since(begin).Seconds()))
	return nil
}

func (b *builder) assemble(r imageRecipe) (v1.Image, error) {
	created := v1.Time{Time: time.Unix(b.machine.epoch, 0).UTC()}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	var added []mutate.Addendum
	for _, name := range layerNames(r.layer) {
		added = append(added, mutate.Addendum{
			Layer:   b.layers[name],
			History: v1.History{Created: created, CreatedBy: "recipe " + name},
		})
	}
	img, err := mutate.Append(img, added...)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Created, config.OS, config.Architecture, config.Config = created, "linux", runtime.GOARCH, r.config
	return mutate.ConfigFile(img, config)
}
