package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

var (
	platforms = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	modules   = []debug.Module{{Path: "example.com/one", Version: "v1.2.3"}, {Path: "std", Version: "go1.26.4"}}
)

// made are images of two platforms, of files that stand in for what is built.
func made(t *testing.T) []part {
	t.Helper()
	dir := t.TempDir()
	var parts []part
	for _, platform := range platforms {
		manager := filepath.Join(dir, platform.Architecture)
		must(t, os.WriteFile(manager, []byte("for "+platform.Architecture), 0o755))
		img, err := image(map[string]string{"/manager": manager}, platform, "1.2.3")
		must(t, err)
		bill, err := billOfMaterials(img, platform, "1.2.3", modules)
		must(t, err)
		parts = append(parts, part{platform: platform, image: img, bill: bill})
	}
	return parts
}

// TestSame wants the same digest of the same content, whenever and wherever it is packed.
func TestSame(t *testing.T) {
	var digests []v1.Hash
	for range 2 {
		digest, err := join(made(t)).Digest()
		must(t, err)
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("the same content has digests %v", digests)
	}
}

// TestPush wants all platforms below one tag, each to run as nobody in particular, and with its bill of materials.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	parts := made(t)
	index := join(parts)
	ref := strings.TrimPrefix(server.URL, "http://") + "/meteor-operator:1"
	printed, err := push(t.Context(), ref, index, parts)
	must(t, err)
	pushed, err := name.NewDigest(printed, name.Insecure)
	must(t, err)
	got, err := remote.Index(pushed)
	must(t, err)
	manifest, err := got.IndexManifest()
	must(t, err)
	var listed []v1.Platform
	for _, m := range manifest.Manifests {
		listed = append(listed, *m.Platform)
		one, err := got.Image(m.Digest)
		must(t, err)
		config, err := one.ConfigFile()
		must(t, err)
		if config.Config.User != user || strings.HasPrefix(user, "0") {
			t.Errorf("%s runs as %q", m.Platform, config.Config.User)
		}
		if config.OS != m.Platform.OS || config.Architecture != m.Platform.Architecture {
			t.Errorf("what is listed for %s is for %s/%s", m.Platform, config.OS, config.Architecture)
		}
		attached, err := remote.Referrers(pushed.Context().Digest(m.Digest.String()))
		must(t, err)
		bills, err := attached.IndexManifest()
		must(t, err)
		if len(bills.Manifests) != 1 || bills.Manifests[0].ArtifactType != spdx {
			t.Errorf("%s has attached %+v, not one bill of materials", m.Platform, bills.Manifests)
		}
	}
	if diff := cmp.Diff(platforms, listed); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

// TestLayout wants the same index in a folder as in a registry, and the bills beside it.
func TestLayout(t *testing.T) {
	parts := made(t)
	index := join(parts)
	want, err := index.Digest()
	must(t, err)
	dir := filepath.Join(t.TempDir(), "images")
	must(t, write(dir, index, parts))
	written, err := layout.ImageIndexFromPath(dir)
	must(t, err)
	manifest, err := written.IndexManifest()
	must(t, err)
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest != want {
		t.Errorf("the layout has %+v, not %s", manifest.Manifests, want)
	}
	bills, err := filepath.Glob(filepath.Join(dir, "*.spdx.json"))
	must(t, err)
	if len(bills) != len(platforms) {
		t.Errorf("the layout has bills %v", bills)
	}
}

// TestBill wants what SPDX requires, and each module with the address that scanners look it up by.
func TestBill(t *testing.T) {
	var bill spdxDocument
	must(t, json.Unmarshal(made(t)[0].bill, &bill))
	if bill.Version != "SPDX-2.3" || bill.Licence != "CC0-1.0" || bill.DocumentNamespace == "" || bill.Creation.Created == "" || len(bill.Creation.Creators) == 0 {
		t.Errorf("the bill lacks what SPDX requires: %+v", bill)
	}
	ids := map[string]bool{bill.SPDXID: true}
	var located []string
	for _, p := range bill.Packages {
		if ids[p.SPDXID] || p.Name == "" || p.DownloadLocation == "" {
			t.Errorf("a package is there twice, or without what SPDX requires: %+v", p)
		}
		ids[p.SPDXID] = true
		located = append(located, p.References[0].Locator)
	}
	for _, r := range bill.Relationships {
		if !ids[r.From] || !ids[r.To] {
			t.Errorf("a relationship to nothing: %+v", r)
		}
	}
	if diff := cmp.Diff([]string{"pkg:golang/example.com/one@v1.2.3", "pkg:golang/std@go1.26.4"}, located[1:]); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

// TestPin wants the digest in a file such as the real one, and nothing else changed there.
func TestPin(t *testing.T) {
	real, err := os.ReadFile(filepath.Join("..", "..", kustomization))
	must(t, err)
	file := filepath.Join(t.TempDir(), "kustomization.yaml")
	must(t, os.WriteFile(file, real, 0o644))
	digest := "sha256:" + strings.Repeat("0", 64)
	if err := compare(file, digest); err == nil || !strings.Contains(err.Error(), "make images") {
		t.Errorf("another digest is pinned, and what is said is: %v", err)
	}
	must(t, pin(file, digest))
	must(t, compare(file, digest))
	got, err := os.ReadFile(file)
	must(t, err)
	masked := regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	if diff := cmp.Diff(masked.ReplaceAllString(string(real), "*"), masked.ReplaceAllString(string(got), "*")); diff != "" {
		t.Errorf("pinning has changed more than the digest (-before +after):\n%s", diff)
	}
	if err := os.WriteFile(file, []byte("images: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := pin(file, digest); err == nil {
		t.Error("a file that names no image was pinned")
	}
}

// TestAuthorities wants Mozilla's list, with the module's version for the bill.
func TestAuthorities(t *testing.T) {
	file, from, err := authorities(t.TempDir())
	must(t, err)
	content, err := os.ReadFile(file)
	must(t, err)
	if n := strings.Count(string(content), "BEGIN CERTIFICATE"); n < 100 {
		t.Errorf("the image would trust %d authorities", n)
	}
	if from.Path != rootsModule || from.Version == "" {
		t.Errorf("they are from %+v", from)
	}
}

// TestDockerfile wants the same labels, user and command as without a container engine.
func TestDockerfile(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "..", "Dockerfile"))
	must(t, err)
	defer file.Close()
	parsed, err := parser.Parse(file)
	must(t, err)
	labels := map[string]string{}
	got := map[string]string{}
	for _, instruction := range parsed.AST.Children {
		var words []string
		for n := instruction.Next; n != nil; n = n.Next {
			words = append(words, strings.Trim(n.Value, `"`))
		}
		got[strings.ToUpper(instruction.Value)] = strings.Join(words, " ")
		for i := 0; strings.EqualFold(instruction.Value, "label") && i+1 < len(words); i += 3 {
			labels[words[i]] = words[i+1]
		}
	}
	img, err := image(nil, platforms[0], "${VERSION}")
	must(t, err)
	config, err := img.ConfigFile()
	must(t, err)
	if diff := cmp.Diff(config.Config.Labels, labels); diff != "" {
		t.Errorf("labels (-hack/image +Dockerfile):\n%s", diff)
	}
	if got["USER"] != config.Config.User || got["ENTRYPOINT"] != strings.Join(config.Config.Entrypoint, " ") {
		t.Errorf("the Dockerfile runs %q as %q", got["ENTRYPOINT"], got["USER"])
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
