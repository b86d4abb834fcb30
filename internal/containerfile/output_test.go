package containerfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/image"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a registry with a base image, what was fetched of it, and a folder for what a build leaves.
type world struct {
	host       string
	uploaded   atomic.Int64
	base       v1.Image
	plan       *Plan
	bases, out string
	dir        string
}

func (w *world) side(ref string) image.Side { return image.Side{Image: ref, Insecure: true} }

func newWorld(t *testing.T, docker bool) *world {
	t.Helper()
	w := &world{bases: t.TempDir(), out: t.TempDir(), dir: t.TempDir()}
	blobs := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch || r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/") {
			w.uploaded.Add(max(r.ContentLength, 0))
		}
		blobs.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	w.host = strings.TrimPrefix(s.URL, "http://")
	w.base = newBase(t, docker)
	ref, err := name.ParseReference(w.host + "/ns/base:1")
	must(t, err)
	must(t, remote.Write(ref, w.base))
	file, err := Parse("Containerfile", []byte("FROM "+w.host+"/ns/base:1\n"), amd64)
	must(t, err)
	w.plan, err = Fetch(t.Context(), file, amd64, w.bases, w.dir, w.side)
	must(t, err)
	return w
}

func newBase(t *testing.T, docker bool) v1.Image {
	t.Helper()
	kind := types.OCILayer
	img, err := random.Image(2048, 2, random.WithSource(fixed{}))
	must(t, err)
	if docker {
		kind = types.DockerLayer
	} else {
		img = mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	l, err := random.Layer(4096, kind)
	must(t, err)
	img, err = mutate.AppendLayers(img, l)
	must(t, err)
	config, err := img.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	img, err = mutate.ConfigFile(img, config)
	must(t, err)
	return img
}

type fixed struct{}

func (fixed) Int63() int64 { return 4 }
func (fixed) Seed(int64)   {}

// left is what a build leaves, before it is written.
type left struct {
	entries  []tar.Header
	plain    []byte
	packed   []byte
	layer    v1.Descriptor
	diffID   v1.Hash
	config   *v1.ConfigFile
	manifest *v1.Manifest
	index    *v1.IndexManifest
}

func hashOf(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// leave writes a layout with one more layer than the base has. The first edit sees the layer, the second the rest.
func (w *world) leave(t *testing.T, tarEdit, edit func(*left)) {
	t.Helper()
	l := &left{entries: []tar.Header{{Name: "opt/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "opt/file", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 5}}}
	if tarEdit != nil {
		tarEdit(l)
	}
	l.plain = archive(t, l.entries)
	l.packed = pack(t, l.plain)
	l.diffID = hashOf(l.plain)
	l.layer = v1.Descriptor{MediaType: types.OCILayer, Size: int64(len(l.packed)), Digest: hashOf(l.packed)}
	config, err := w.base.ConfigFile()
	must(t, err)
	l.config = config.DeepCopy()
	l.manifest = &v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	for _, diff := range config.RootFS.DiffIDs {
		l.manifest.Layers = append(l.manifest.Layers, v1.Descriptor{MediaType: types.OCIUncompressedLayer, Digest: diff})
	}
	l.config.RootFS.DiffIDs = append(l.config.RootFS.DiffIDs, l.diffID)
	l.manifest.Layers = append(l.manifest.Layers, l.layer)
	l.index = &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	if edit != nil {
		edit(l)
	}
	w.write(t, l)
}

func (w *world) write(t *testing.T, l *left) {
	t.Helper()
	blobs := filepath.Join(w.out, "blobs", "sha256")
	must(t, os.MkdirAll(blobs, 0o755))
	blob := func(data []byte) v1.Descriptor {
		digest := hashOf(data)
		must(t, os.WriteFile(filepath.Join(blobs, digest.Hex), data, 0o644))
		return v1.Descriptor{Digest: digest, Size: int64(len(data))}
	}
	encode := func(v any) []byte {
		data, err := json.Marshal(v)
		must(t, err)
		return data
	}
	must(t, os.WriteFile(filepath.Join(blobs, l.layer.Digest.Hex), l.packed, 0o644))
	d := blob(encode(l.config))
	if d.MediaType = types.OCIConfigJSON; l.manifest.Config.MediaType != "" {
		d.MediaType = l.manifest.Config.MediaType
	}
	l.manifest.Config = d
	d = blob(encode(l.manifest))
	d.MediaType = types.OCIManifestSchema1
	l.index.Manifests = append(l.index.Manifests, d)
	must(t, os.WriteFile(filepath.Join(w.out, "index.json"), encode(l.index), 0o644))
}

func archive(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	out := tar.NewWriter(&buf)
	for _, h := range entries {
		must(t, out.WriteHeader(&h))
		_, err := out.Write(bytes.Repeat([]byte("x"), int(h.Size)))
		must(t, err)
	}
	must(t, out.Close())
	return buf.Bytes()
}

func pack(t *testing.T, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	out := gzip.NewWriter(&buf)
	_, err := out.Write(data)
	must(t, errors.Join(err, out.Close()))
	return buf.Bytes()
}

func TestOpenAndPush(t *testing.T) {
	for kind, docker := range map[string]bool{"OCI": false, "Docker": true} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, docker)
			w.leave(t, func(l *left) {
				l.entries = append(l.entries, tar.Header{Name: "opt/.wh.gone", Typeflag: tar.TypeReg}, tar.Header{Name: "opt/up", Typeflag: tar.TypeSymlink, Linkname: "../../.."})
			}, nil)
			plan, err := ReadPlan(w.dir)
			must(t, err)
			if diff := cmp.Diff(w.plan, plan); diff != "" {
				t.Errorf("plan; -want, +got:\n%s", diff)
			}
			output, err := Open(plan, w.bases, w.out, layer.Limits{})
			must(t, err)
			before := w.uploaded.Load()
			result, err := image.PushBuilt(context.Background(), w.side(w.host+"/ns/built:1"), amd64, output.Image)
			must(t, err)
			added := w.uploaded.Load() - before
			manifest, err := output.Image.Manifest()
			must(t, err)
			if most := output.Built.LayerSize + manifest.Config.Size; added > most {
				t.Errorf("%d bytes were uploaded, more than %d", added, most)
			}
			want := Built{Summary: layer.Summary{Entries: 3, Removed: 1, Bytes: 5}, Layers: 1, LayerSize: output.Built.LayerSize}
			if diff := cmp.Diff(want, output.Built); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
			ref, err := name.ParseReference(result.Image)
			must(t, err)
			pushed, err := remote.Image(ref)
			must(t, err)
			must(t, validate.Image(pushed))
			got, err := pushed.Manifest()
			must(t, err)
			for _, l := range got.Layers {
				if l.MediaType != types.OCILayer {
					t.Errorf("a layer is of type %s", l.MediaType)
				}
			}
			if got.Annotations["org.opencontainers.image.base.name"] != w.host+"/ns/base" {
				t.Errorf("annotations %v", got.Annotations)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	entry := func(h tar.Header) func(*left) { return func(l *left) { l.entries = append(l.entries, h) } }
	cases := map[string]struct {
		tar, edit func(*left)
		after     func(t *testing.T, w *world)
		limits    layer.Limits
		want      string
	}{
		"Device":      {tar: entry(tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock}), want: `/dev/sda in the image is a device`},
		"CharDevice":  {tar: entry(tar.Header{Name: "opt/tty", Typeflag: tar.TypeChar}), want: `/opt/tty in the image is a device`},
		"Up":          {tar: entry(tar.Header{Name: "opt/../../etc/passwd", Typeflag: tar.TypeReg}), want: "leads out of it"},
		"LinkUp":      {tar: entry(tar.Header{Name: "opt/link", Linkname: "../../etc/shadow", Typeflag: tar.TypeLink}), want: "is a link that leads out of it"},
		"TooMany":     {limits: layer.Limits{Entries: 1}, want: "or more than 1 files"},
		"TooLarge":    {limits: layer.Limits{Bytes: 4}, want: "it adds more than"},
		"Size":        {edit: func(l *left) { l.manifest.Layers[len(l.manifest.Layers)-1].Size++ }, want: "another size than it says"},
		"DiffID":      {edit: func(l *left) { l.config.RootFS.DiffIDs[len(l.config.RootFS.DiffIDs)-1] = hashOf([]byte("x")) }, want: "another digest than it says"},
		"Digest":      {edit: func(l *left) { l.packed[len(l.packed)-12] ^= 1 }, want: "cannot be used"},
		"NotPacked":   {edit: func(l *left) { copy(l.packed, "xxxx") }, want: "not compressed as it says"},
		"LayerType":   {edit: func(l *left) { l.manifest.Layers[len(l.manifest.Layers)-1].MediaType = "application/x" }, want: "a layer is of type application/x"},
		"Foreign":     {edit: func(l *left) { l.manifest.Layers[len(l.manifest.Layers)-1].MediaType = types.DockerForeignLayer }, want: "a layer is of type"},
		"ConfigType":  {edit: func(l *left) { l.manifest.Config.MediaType = "application/x" }, want: "not one of an image"},
		"Platform":    {edit: func(l *left) { l.config.Architecture = "s390x" }, want: "it is for linux/s390x"},
		"Layers":      {edit: func(l *left) { l.manifest.Layers = l.manifest.Layers[1:] }, want: "has 3 layers and describes 4"},
		"TwoImages":   {edit: func(l *left) { l.index.Manifests = make([]v1.Descriptor, 1) }, want: "does not name one image"},
		"NoIndex":     {after: func(t *testing.T, w *world) { must(t, os.Remove(filepath.Join(w.out, "index.json"))) }, want: "its index cannot be read: no such file"},
		"HugeIndex":   {after: func(t *testing.T, w *world) { must(t, os.Truncate(filepath.Join(w.out, "index.json"), 1<<30)) }, want: "its index cannot be read: it is larger"},
		"LinkedIndex": {after: relink("/etc/passwd"), want: "its index cannot be read: too many levels"},
		"PipedLayer":  {after: pipeLayers, want: "cannot be read"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			w.leave(t, tc.tar, tc.edit)
			if tc.after != nil {
				tc.after(t, w)
			}
			_, err := Open(w.plan, w.bases, w.out, tc.limits)
			var f *failure.Failure
			if !errors.As(err, &f) || !strings.Contains(f.Message, tc.want) {
				t.Errorf("Open: %v, want %q", err, tc.want)
			}
		})
	}
}

func relink(target string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		path := filepath.Join(w.out, "index.json")
		must(t, os.Remove(path))
		must(t, os.Symlink(target, path))
	}
}

func pipeLayers(t *testing.T, w *world) {
	blobs := filepath.Join(w.out, "blobs", "sha256")
	entries, err := os.ReadDir(blobs)
	must(t, err)
	for _, e := range entries {
		must(t, os.Remove(filepath.Join(blobs, e.Name())))
		must(t, syscall.Mkfifo(filepath.Join(blobs, e.Name()), 0o600))
	}
}

func TestFetchFails(t *testing.T) {
	w := newWorld(t, false)
	cases := map[string]struct {
		text   string
		reason failure.Reason
		want   string
	}{
		"Missing":  {"FROM " + w.host + "/ns/base:1\nCOPY --from=" + w.host + "/ns/tool:7 /a /b\n", failure.ImageNotFound, "Containerfile, line 2: "},
		"Platform": {"FROM " + w.host + "/ns/foreign:1\n", failure.ImagePlatformUnsupported, "Containerfile, line 1: Image"},
	}
	config, err := w.base.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.Architecture = "s390x"
	foreign, err := mutate.ConfigFile(w.base, config)
	must(t, err)
	ref, err := name.ParseReference(w.host + "/ns/foreign:1")
	must(t, err)
	must(t, remote.Write(ref, foreign))
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			file, err := Parse("Containerfile", []byte(tc.text), amd64)
			must(t, err)
			_, err = Fetch(t.Context(), file, amd64, t.TempDir(), t.TempDir(), w.side)
			var f *failure.Failure
			if !errors.As(err, &f) || f.Reason != tc.reason || !strings.Contains(f.Message, tc.want) {
				t.Errorf("Fetch: %v, want %s %q", err, tc.reason, tc.want)
			}
		})
	}
}
