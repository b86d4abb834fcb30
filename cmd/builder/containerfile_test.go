package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/containerfile"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/image"
)

// nowhere says of every image that it is nowhere.
func nowhere(name string) image.Side { return image.Side{Image: name} }

func TestFetchFor(t *testing.T) {
	source, bases, plan := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "Dockerfile"), []byte("FROM scratch\nCOPY a /\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fetchFor(t.Context(), source, "", bases, plan, nowhere); err != nil {
		t.Fatal(err)
	}
	read, err := containerfile.ReadPlan(plan)
	if err != nil {
		t.Fatal(err)
	}
	if read.File != "Dockerfile" || len(read.Images) != 0 || len(read.Instructions) != 3 {
		t.Errorf("plan %+v", read)
	}
}

// What steps of the same pod left must neither be taken for the push's own results, nor be pushed unchecked.
func TestContainerfilePushOfNothing(t *testing.T) {
	source, bases, plan, out, results := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "Containerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fetchFor(t.Context(), source, "", bases, plan, nowhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(results, "failure")); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	code := run(t.Context(), []string{
		"containerfile-push", "--plan=" + plan, "--bases=" + bases, "--out=" + out, "--target=registry.example/a:1", "--results=" + results,
	}, &said)
	if code != exitFailed {
		t.Errorf("ended with %d: %s", code, said.String())
	}
	data, err := os.ReadFile(filepath.Join(results, "failure"))
	if err != nil {
		t.Fatal(err)
	}
	var got failure.Failure
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := failure.Failure{Reason: failure.ImageInvalid, Message: "The image that the build left cannot be used: its index cannot be read: no such file or directory"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestContainerfileBuildWithoutPlan(t *testing.T) {
	results := t.TempDir()
	var said bytes.Buffer
	if code := run(t.Context(), []string{"containerfile-build", "--plan=" + t.TempDir(), "--results=" + results}, &said); code != exitFailed {
		t.Errorf("ended with %d: %s", code, said.String())
	}
}
