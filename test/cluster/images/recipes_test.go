package images

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	want := []string{
		"jupyter", "jupyter-slow", "no-python", "old-python", "no-jupyter",
		"never-listens", "ignores-prefix", "needs-root", "crashes-later", "memory-hungry", "s2i",
		"buildah", "book",
	}
	if diff := cmp.Diff(want, Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestRecipesAreComplete(t *testing.T) {
	layers := layerRecipes()
	for name, l := range layers {
		if _, ok := layers[l.on]; l.on != "" && !ok {
			t.Errorf("layer %q lies on %q, which there is no recipe for", name, l.on)
		}
		if _, err := recipeFiles.ReadFile("recipes/" + name + "/build.sh"); err != nil {
			t.Errorf("layer %q has no script: %v", name, err)
		}
	}
	for _, r := range imageRecipes() {
		if _, ok := layers[r.layer]; !ok {
			t.Errorf("image %q wants layer %q, which there is no recipe for", r.name, r.layer)
		}
		if r.prove == nil || len(r.config.Cmd) == 0 {
			t.Errorf("image %q has no proof or no command", r.name)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	seen := map[string]string{}
	note := func(key, name string) {
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		seen[key] = name
	}
	for name := range layerRecipes() {
		note(layerKey(name), "layer "+name)
	}
	for _, r := range imageRecipes() {
		note(imageKey(r), "image "+r.name)
		r.config.Cmd = append(r.config.Cmd, "more")
		note(imageKey(r), "changed image "+r.name)
	}
}

func TestLayerNames(t *testing.T) {
	want := []string{"debian", "python", "jupyter", "crashes-later"}
	if diff := cmp.Diff(want, layerNames("crashes-later")); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}
