package repositories

import (
	"encoding/json"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small are all repositories but the one that takes long.
func small() []repository {
	var some []repository
	for _, r := range inOrder(all()) {
		if r.name != "public/big" {
			some = append(some, r)
		}
	}
	return some
}

// A line of a notebook's cell ends with a line's end, not with the signs that stand for one.
func TestNotebooks(t *testing.T) {
	for _, r := range small() {
		for _, c := range r.commits {
			entries, err := c.entries(commits{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if path.Ext(e.path) != ".ipynb" {
					continue
				}
				var notebook struct{ Cells []struct{ Source []string } }
				if err := json.Unmarshal(e.content, &notebook); err != nil {
					t.Errorf("%s of %s: %v", e.path, r.name, err)
				}
				for _, cell := range notebook.Cells {
					if source := strings.Join(cell.Source, ""); strings.Contains(source, `\n`) {
						t.Errorf("%s of %s has a cell with a doubled backslash: %q", e.path, r.name, source)
					}
				}
			}
		}
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	first, second := commits{}, commits{}
	for _, r := range small() {
		if err := r.create(t.Context(), dir, first); err != nil {
			t.Fatal(err)
		}
		if err := r.create(t.Context(), t.TempDir(), second); err != nil {
			t.Fatal(err)
		}
		if _, ok := first[r.name+"#main"]; ok != (len(r.commits) > 0) {
			t.Errorf("%s has a branch main unless it is empty", r.name)
		}
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the same input gives the same commits:\n%s", diff)
	}
	show := func(name, object string) string {
		out, err := git(t.Context(), nil, "-C", filepath.Join(dir, name+".git"), "show", object)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if diff := cmp.Diff("meteor-small==1.0\n", show("public/notebooks", first["public/notebooks#v1"]+":requirements.txt")); diff != "" {
		t.Errorf("the tag's requirements: -want, +got:\n%s", diff)
	}
	tree, err := git(t.Context(), nil, "-C", filepath.Join(dir, "public/submodules.git"), "ls-tree", "main")
	if err != nil || !strings.Contains(tree, "160000 commit "+first["public/notebooks#v1"]+"\tabsolute") {
		t.Errorf("a submodule is at a commit of another repository: %v\n%s", err, tree)
	}
	tree, err = git(t.Context(), nil, "-C", filepath.Join(dir, "public/hostile-postbuild.git"), "ls-tree", "main")
	if err != nil || !strings.Contains(tree, "100755 blob") || !strings.Contains(tree, "hostile.py") {
		t.Errorf("a script can be run: %v\n%s", err, tree)
	}
	if diff := cmp.Diff("/etc/passwd", show("public/hostile-links", "main:postBuild")); diff != "" {
		t.Errorf("a link's target: -want, +got:\n%s", diff)
	}
}

func TestPipfileLock(t *testing.T) {
	made, err := pipfileLock(nil)
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Default map[string]struct {
			Version string
			Hashes  []string
		}
	}
	if err := json.Unmarshal(made[0].content, &lock); err != nil {
		t.Fatal(err)
	}
	got := lock.Default["meteor-small"]
	if got.Version != "==1.0" || len(got.Hashes) != 1 || len(got.Hashes[0]) != len("sha256:")+64 {
		t.Errorf("the lock names a version and its hash, got %+v", got)
	}
}

func TestZeros(t *testing.T) {
	var out strings.Builder
	if err := (entry{path: "data", mode: regular, zeros: 5}).stream(&out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("M 100644 inline data\ndata 5\n\x00\x00\x00\x00\x00\n", out.String()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestCommits(t *testing.T) {
	if _, err := Commits(t.TempDir()); err == nil {
		t.Error("where nothing was made there are no commits")
	}
}
