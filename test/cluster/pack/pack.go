// Package pack makes container images out of files that lie on this machine and
// pushes them, with no container engine. The same files give the same digest.
package pack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Spec says what an image holds and how it is started.
type Spec struct {
	// Files are the image's files: path in the image to file on this machine.
	Files map[string]string
	// Links are the image's symbolic links: path in the image to target.
	Links map[string]string
	// Entrypoint is the command that the image runs.
	Entrypoint []string
	// User is the user that the image runs as, in the form UID:GID.
	User string
	// Env is added to the environment, which has a PATH.
	Env []string
	// Labels are the image's labels.
	Labels map[string]string
}

// Push makes the image of a spec, pushes it to ref and returns ref's repository
// with the image's digest.
func Push(ctx context.Context, ref string, spec Spec, opts ...remote.Option) (string, error) {
	img, err := Image(spec)
	if err != nil {
		return "", err
	}
	return PushImage(ctx, ref, img, opts...)
}

// PushImage pushes an image to ref, unless ref is that image already, and
// returns ref's repository with the image's digest.
func PushImage(ctx context.Context, ref string, img v1.Image, opts ...remote.Option) (string, error) {
	to, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		return "", fmt.Errorf("cannot push to %q: %w", ref, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return "", fmt.Errorf("cannot compute the digest of %s: %w", ref, err)
	}
	opts = append([]remote.Option{remote.WithContext(ctx)}, opts...)
	there, err := remote.Head(to, opts...)
	if err != nil || there.Digest != digest {
		if err := remote.Write(to, img, opts...); err != nil {
			return "", fmt.Errorf("cannot push %s: %w", ref, err)
		}
	}
	return to.Context().Name() + "@" + digest.String(), nil
}

// Image makes the image of a spec, of one layer, for linux/amd64.
func Image(spec Spec) (v1.Image, error) {
	packed, err := newLayer(spec)
	if err != nil {
		return nil, err
	}
	layer, err := partial.CompressedToLayer(packed)
	if err != nil {
		return nil, fmt.Errorf("cannot make a layer: %w", err)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, fmt.Errorf("cannot add the layer: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config = v1.Config{
		Entrypoint: spec.Entrypoint,
		User:       spec.User,
		Env:        append([]string{"PATH=" + defaultPath}, spec.Env...),
		Labels:     spec.Labels,
	}
	return mutate.ConfigFile(img, config)
}

// layer is a compressed layer that is kept in memory.
type layer struct {
	content      []byte
	digest, diff v1.Hash
}

func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.diff, nil }
func (l *layer) Size() (int64, error)                { return int64(len(l.content)), nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.content)), nil
}

func newLayer(spec Spec) (*layer, error) {
	var content bytes.Buffer
	digest, diff := sha256.New(), sha256.New()
	gz, err := gzip.NewWriterLevel(io.MultiWriter(&content, digest), gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := writeTar(io.MultiWriter(gz, diff), spec); err != nil {
		return nil, err
	}
	if err := gz.Close(); err != nil {
		return nil, fmt.Errorf("cannot compress the layer: %w", err)
	}
	return &layer{content: content.Bytes(), digest: sum(digest), diff: sum(diff)}, nil
}

func sum(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

func writeTar(w io.Writer, spec Spec) error {
	tw := tar.NewWriter(w)
	for _, dir := range directories(spec) {
		mode := int64(0o755)
		if dir == "tmp" {
			mode = 0o1777
		}
		if err := tw.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: mode}); err != nil {
			return fmt.Errorf("cannot pack directory %s: %w", dir, err)
		}
	}
	for _, to := range slices.Sorted(maps.Keys(spec.Files)) {
		if err := writeFile(tw, inTar(to), spec.Files[to]); err != nil {
			return fmt.Errorf("cannot pack %s: %w", to, err)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(spec.Links)) {
		header := &tar.Header{Name: inTar(from), Linkname: spec.Links[from], Typeflag: tar.TypeSymlink, Mode: 0o777}
		if err := tw.WriteHeader(header); err != nil {
			return fmt.Errorf("cannot pack link %s: %w", from, err)
		}
	}
	return tw.Close()
}

func writeFile(tw *tar.Writer, to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := tw.WriteHeader(&tar.Header{Name: to, Typeflag: tar.TypeReg, Mode: mode, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}

// directories are the parents of everything in the image, and /tmp, each before
// what is in it.
func directories(spec Spec) []string {
	all := map[string]bool{"tmp": true}
	for _, paths := range []map[string]string{spec.Files, spec.Links} {
		for p := range paths {
			for dir := path.Dir(inTar(p)); dir != "."; dir = path.Dir(dir) {
				all[dir] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func inTar(p string) string { return strings.TrimPrefix(path.Clean(p), "/") }
