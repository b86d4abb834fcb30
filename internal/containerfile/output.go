package containerfile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	maxDocument = 4 << 20
	maxLayers   = 127
)

// Output is what a build left, checked.
type Output struct {
	// Image is the whole image.
	Image v1.Image
	// Built is what the build added.
	Built Built
}

// Built is what a build added to the images that it began with.
type Built struct {
	layer.Summary
	// Layers is how many layers it added, LayerSize their size, compressed.
	Layers    int   `json:"layers"`
	LayerSize int64 `json:"layerSize"`
}

// Open reads the layout that a build left in the folder out. Whatever ran in the build could write there, so that
// nothing is believed: types, sizes and digests are checked, each layer is read to its end, and the layers of images
// that were fetched are taken from the layout bases, and by name from where they came. What the build must not have
// left is a *failure.Failure.
func Open(plan *Plan, bases, out string, limits layer.Limits) (*Output, error) {
	o := &opener{plan: plan, bases: layout.Path(bases), out: out, limits: limits, fetched: map[v1.Hash]v1.Layer{}}
	if err := o.known(); err != nil {
		return nil, err
	}
	manifest, err := o.manifest()
	if err != nil {
		return nil, err
	}
	config, err := o.config(manifest)
	if err != nil {
		return nil, err
	}
	return o.assemble(manifest, config)
}

type opener struct {
	plan    *Plan
	bases   layout.Path
	out     string
	limits  layer.Limits
	fetched map[v1.Hash]v1.Layer
	output  Output
}

func refused(format string, args ...any) error {
	return failure.New(failure.ImageInvalid, "The image that the build left cannot be used: "+format, args...)
}

// known notes the layers of the images that were fetched.
func (o *opener) known() error {
	for _, from := range o.plan.Images {
		img, err := o.bases.Image(from.Digest)
		if err != nil {
			return fmt.Errorf("cannot open image %q: %w", from.Reference, err)
		}
		ref, err := name.NewDigest(from.Reference)
		if err != nil {
			return fmt.Errorf("cannot read reference %q: %w", from.Reference, err)
		}
		layers, err := img.Layers()
		if err != nil {
			return fmt.Errorf("cannot list layers of %q: %w", from.Reference, err)
		}
		if len(layers) != len(from.DiffIDs) {
			return failure.New(failure.ImageInvalid, "Image %q has %d layers and describes %d", from.Reference, len(layers), len(from.DiffIDs))
		}
		for i, l := range layers {
			o.fetched[from.DiffIDs[i]] = &remote.MountableLayer{Layer: known{Layer: l, diffID: from.DiffIDs[i]}, Reference: ref}
		}
	}
	return nil
}

// known is a layer of an image that was fetched, in an image of the build's type.
type known struct {
	v1.Layer
	diffID v1.Hash
}

// DiffID implements v1.Layer.
func (k known) DiffID() (v1.Hash, error) { return k.diffID, nil }

// MediaType implements v1.Layer.
func (k known) MediaType() (types.MediaType, error) {
	switch kind, err := k.Layer.MediaType(); kind {
	case types.DockerLayer:
		return types.OCILayer, err
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer, err
	default:
		return kind, err
	}
}

func (o *opener) blob(digest v1.Hash) string {
	return filepath.Join(o.out, "blobs", digest.Algorithm, digest.Hex)
}

// document reads a small blob and checks its digest.
func (o *opener) document(d v1.Descriptor, what string) ([]byte, error) {
	if d.Digest.Algorithm != "sha256" {
		return nil, refused("the digest of its %s is not one of SHA-256", what)
	}
	data, err := readPlain(o.blob(d.Digest), maxDocument)
	if err != nil {
		return nil, refused("its %s cannot be read: %s", what, cause(err))
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != d.Digest.Hex {
		return nil, refused("its %s has another digest than it says", what)
	}
	return data, nil
}

func (o *opener) manifest() (*v1.Manifest, error) {
	data, err := readPlain(filepath.Join(o.out, "index.json"), maxDocument)
	if err != nil {
		return nil, refused("its index cannot be read: %s", cause(err))
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil || len(index.Manifests) != 1 || index.Manifests[0].MediaType != types.OCIManifestSchema1 {
		return nil, refused("its index does not name one image")
	}
	if data, err = o.document(index.Manifests[0], "manifest"); err != nil {
		return nil, err
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil || manifest.Config.MediaType != types.OCIConfigJSON {
		return nil, refused("its manifest is not one of an image")
	}
	return manifest, nil
}

func (o *opener) config(manifest *v1.Manifest) (*v1.ConfigFile, error) {
	data, err := o.document(manifest.Config, "configuration")
	if err != nil {
		return nil, err
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return nil, refused("its configuration cannot be read: %s", text.Line(err.Error(), 200))
	}
	if here := o.plan.Platform; config.OS != here.OS || config.Architecture != here.Architecture {
		return nil, refused("it says that it is for %s/%s", text.Line(config.OS, 50), text.Line(config.Architecture, 50))
	}
	if n := len(config.RootFS.DiffIDs); n != len(manifest.Layers) || n > maxLayers {
		return nil, refused("it has %d layers and describes %d, of at most %d", len(manifest.Layers), n, maxLayers)
	}
	return config, nil
}

func (o *opener) assemble(manifest *v1.Manifest, config *v1.ConfigFile) (*Output, error) {
	var added []mutate.Addendum
	for i, diffID := range config.RootFS.DiffIDs {
		l, ok := o.fetched[diffID]
		if !ok {
			var err error
			if l, err = o.layer(manifest.Layers[i], diffID); err != nil {
				return nil, err
			}
			o.output.Built.Layers++
			o.output.Built.LayerSize += manifest.Layers[i].Size
		}
		kind, err := l.MediaType()
		if err != nil {
			return nil, fmt.Errorf("cannot find media type: %w", err)
		}
		added = append(added, mutate.Addendum{Layer: l, MediaType: kind})
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(img, added...)
	if err != nil {
		return nil, fmt.Errorf("cannot put layers together: %w", err)
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, fmt.Errorf("cannot set configuration: %w", err)
	}
	annotated, ok := mutate.Annotations(img, o.annotations(config.RootFS.DiffIDs)).(v1.Image)
	if !ok {
		return nil, errors.New("cannot annotate image")
	}
	o.output.Image = annotated
	return &o.output, nil
}

// annotations say what the image stands on, if it does.
func (o *opener) annotations(layers []v1.Hash) map[string]string {
	for _, from := range o.plan.Images {
		n := len(from.DiffIDs)
		repository, digest, ok := strings.Cut(from.Reference, "@")
		if ok && from.Local == o.plan.Base && len(layers) >= n && slices.Equal(layers[:n], from.DiffIDs) {
			return map[string]string{
				"org.opencontainers.image.base.name":   repository,
				"org.opencontainers.image.base.digest": digest,
			}
		}
	}
	return map[string]string{}
}

// built is a layer in a file that was read once and found to be as it says.
type built struct {
	path       string
	descriptor v1.Descriptor
	diffID     v1.Hash
}

// Digest implements v1.Layer.
func (l built) Digest() (v1.Hash, error) { return l.descriptor.Digest, nil }

// DiffID implements v1.Layer.
func (l built) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Size implements v1.Layer.
func (l built) Size() (int64, error) { return l.descriptor.Size, nil }

// MediaType implements v1.Layer.
func (l built) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }

// Compressed implements v1.Layer.
func (l built) Compressed() (io.ReadCloser, error) {
	f, _, err := openPlain(l.path)
	if err != nil {
		return nil, fmt.Errorf("cannot open layer: %w", err)
	}
	return f, nil
}

// Uncompressed implements v1.Layer.
func (l built) Uncompressed() (io.ReadCloser, error) {
	return nil, errors.New("cannot read layer: it is kept compressed")
}

// layer reads a new layer to its end.
func (o *opener) layer(d v1.Descriptor, diffID v1.Hash) (v1.Layer, error) {
	if d.MediaType != types.OCILayer || d.Digest.Algorithm != "sha256" || diffID.Algorithm != "sha256" {
		return nil, refused("a layer is of type %s", text.Line(string(d.MediaType), 100))
	}
	path := o.blob(d.Digest)
	f, size, err := openPlain(path)
	if err != nil {
		return nil, refused("a layer cannot be read: %s", cause(err))
	}
	defer f.Close()
	if size != d.Size {
		return nil, refused("a layer has another size than it says")
	}
	if err := o.read(f, d, diffID); err != nil {
		return nil, err
	}
	return built{path: path, descriptor: v1.Descriptor{MediaType: d.MediaType, Size: d.Size, Digest: d.Digest}, diffID: diffID}, nil
}

func (o *opener) read(f io.Reader, d v1.Descriptor, diffID v1.Hash) error {
	packed, plain := sha256.New(), sha256.New()
	file := bufio.NewReaderSize(io.TeeReader(f, packed), 256<<10)
	zip, err := gzip.NewReader(file)
	if err != nil {
		return refused("a layer is not compressed as it says: %s", cause(err))
	}
	limited := &limitedReader{from: zip, left: o.limit().Bytes + tarOverhead}
	if err := o.entries(tar.NewReader(io.TeeReader(limited, plain))); err != nil {
		return err
	}
	// What follows the archive belongs to the digests.
	if _, err := io.Copy(plain, limited); err != nil {
		return refused("a layer cannot be read: %s", cause(err))
	}
	if _, err := io.Copy(io.Discard, file); err != nil {
		return fmt.Errorf("cannot read layer: %w", err)
	}
	if !is(packed, d.Digest) || !is(plain, diffID) {
		return refused("a layer has another digest than it says")
	}
	return nil
}

func is(h hash.Hash, digest v1.Hash) bool {
	return hex.EncodeToString(h.Sum(nil)) == digest.Hex
}

// tarOverhead is more than headers of as many files as there may be.
const tarOverhead = 4 << 30

var errTooLarge = errors.New("it is too large")

// limitedReader fails where io.LimitReader would only end.
type limitedReader struct {
	from io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	n, err := l.from.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

func (o *opener) limit() layer.Limits {
	limits := o.limits
	if limits.Bytes == 0 {
		limits.Bytes = layer.DefaultLimits.Bytes
	}
	if limits.Entries == 0 {
		limits.Entries = layer.DefaultLimits.Entries
	}
	return limits
}

// entries looks at each entry of a layer. Files may belong to anyone and have any permissions: the build had users of
// its own. Devices, and names that lead out of the image, are not let through.
func (o *opener) entries(in *tar.Reader) error {
	limits := o.limit()
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refused("a layer cannot be read: %s", cause(err))
		}
		if why := bad(h); why != "" {
			return failure.New(failure.UnsupportedFile, "%s in the image %s", text.Line("/"+strings.TrimPrefix(h.Name, "/"), 200), why)
		}
		if strings.HasPrefix(path.Base(h.Name), ".wh.") {
			o.output.Built.Removed++
		} else {
			o.output.Built.Entries++
		}
		o.output.Built.Bytes += h.Size
		if o.output.Built.Bytes > limits.Bytes || o.output.Built.Entries+o.output.Built.Removed > limits.Entries {
			return refused("it adds more than %d MiB, or more than %d files", limits.Bytes>>20, limits.Entries)
		}
	}
}

func bad(h *tar.Header) string {
	parts := strings.Split(h.Name, "/")
	switch {
	case slices.Contains(parts, "..") || strings.ContainsRune(h.Name, 0):
		return "has a name that leads out of it"
	case h.Typeflag == tar.TypeLink && slices.Contains(strings.Split(h.Linkname, "/"), ".."):
		return "is a link that leads out of it"
	case h.Size < 0:
		return "has a negative size"
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo:
		return ""
	case tar.TypeChar, tar.TypeBlock:
		return "is a device, which an image cannot have"
	default:
		return "is neither file, directory nor link"
	}
}

// cause is the useful part of an error of the file system's.
func cause(err error) string {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return text.Line(err.Error(), 200)
}
