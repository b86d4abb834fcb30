package build

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKey(t *testing.T) {
	base := map[string]string{"go.mod": "module a", "main.go": "package main"}
	cases := map[string]struct {
		reason string
		files  map[string]string
		flags  string
		same   bool
	}{
		"Same":      {reason: "The same sources have the same key, wherever they lie.", files: base, flags: "-s", same: true},
		"Unrelated": {reason: "What is not compiled does not count.", files: with(base, "README.md", "x", "main_test.go", "x"), flags: "-s", same: true},
		"Source":    {reason: "Another source has another key.", files: with(base, "main.go", "package main // x"), flags: "-s"},
		"Added":     {reason: "One more source has another key.", files: with(base, "sub/more.go", "package sub"), flags: "-s"},
		"Sums":      {reason: "Other dependencies have another key.", files: with(base, "go.sum", "x"), flags: "-s"},
		"Flags":     {reason: "Other flags have another key.", files: base, flags: "-w"},
	}
	want, err := key(lay(t, base), "-s")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := key(lay(t, tc.files), tc.flags)
			if err != nil {
				t.Fatal(err)
			}
			if (got == want) != tc.same {
				t.Errorf("%s\ngot %s, base has %s", tc.reason, got, want)
			}
		})
	}
}

func TestOnce(t *testing.T) {
	b := &Builder{Cache: t.TempDir(), Log: io.Discard}
	made := 0
	fill := func(dir string) error {
		made++
		return os.WriteFile(filepath.Join(dir, "made"), []byte("x"), 0o644)
	}
	failed := errors.New("failed")
	if _, err := b.once("a", "1", func(string) error { return failed }); !errors.Is(err, failed) {
		t.Fatalf("an error is passed on, got: %v", err)
	}
	for range 2 {
		dir, err := b.once("a", "1", fill)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "made")); err != nil {
			t.Errorf("what was made is there: %v", err)
		}
	}
	if made != 1 {
		t.Errorf("a thing is made once, even after a failure; made %d times", made)
	}
	if _, err := b.once("a", "2", fill); err != nil || made != 2 {
		t.Errorf("another key is another thing: %v, made %d times", err, made)
	}
}

func TestRequired(t *testing.T) {
	dir := lay(t, map[string]string{"go.mod": "module a\n\nrequire (\n\texample.com/b v1.2.3\n\texample.com/c v0.1.0 // indirect\n)\n"})
	got, err := required(filepath.Join(dir, "go.mod"), "example.com/b")
	if err != nil || got != "v1.2.3" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := required(filepath.Join(dir, "go.mod"), "example.com/d"); err == nil || !strings.Contains(err.Error(), "example.com/d") {
		t.Errorf("a module that is not required is named, got: %v", err)
	}
}

func TestCheckout(t *testing.T) {
	root := lay(t, map[string]string{
		"go.mod":        "module github.com/meteor-zone/meteor-operator\n",
		"nested/go.mod": "module github.com/meteor-zone/meteor-operator/nested\n",
	})
	got, err := Checkout(filepath.Join(root, "nested"))
	if err != nil || got != root {
		t.Errorf("the main module's root is found from a nested module: got %s, %v", got, err)
	}
	if _, err := Checkout(t.TempDir()); err == nil {
		t.Error("a directory outside of a checkout is none")
	}
}

func TestConcatenate(t *testing.T) {
	dir := lay(t, map[string]string{"c/2.yaml": "b: 1\n", "c/1.yaml": "a: 1", "d/x.yaml": "\nc: 1\n"})
	to := filepath.Join(t.TempDir(), "all")
	if err := concatenate(dir, []string{"d/*.yaml", "c/*.yaml"}, to); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("c: 1\n---\na: 1\n---\nb: 1\n---\n", string(got)); diff != "" {
		t.Errorf("in the order of patterns, then of names: -want, +got:\n%s", diff)
	}
	if err := concatenate(dir, []string{"e/*.yaml"}, to); err == nil {
		t.Error("a pattern that matches nothing is an error: the module's layout has changed")
	}
}

func TestKubeLinkFlags(t *testing.T) {
	flags := kubeLinkFlags("v1.34.4")
	for _, want := range []string{"component-base/version.gitVersion=v1.34.4", "client-go/pkg/version.gitMinor=34 "} {
		if !strings.Contains(flags, want) {
			t.Errorf("the flags lack %s: %s", want, flags)
		}
	}
}

func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func with(base map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	for name, content := range base {
		all[name] = content
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}
