package image

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// Layer is a checked and compressed layer in a file. It can be read as often as it takes to push it.
type Layer struct {
	// Summary is what it holds.
	Summary layer.Summary

	path           string
	digest, diffID v1.Hash
	size           int64
	mediaType      types.MediaType
}

// Prepare reads the layer that an untrusted step left at path, checks it, and keeps it compressed in the folder
// scratch, where no such step may write. Close takes it away again.
func Prepare(path, scratch string, limits layer.Limits) (*Layer, error) {
	// O_NOFOLLOW and O_NONBLOCK: whoever left the file may have left a link or a pipe.
	in, err := os.OpenFile(filepath.Clean(path), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open layer: %w", err)
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(failure.New(failure.UnsupportedFile, "The layer that the build left is no plain file"), err)
	}
	out, err := os.CreateTemp(scratch, "layer-*.tar.gz")
	if err != nil {
		return nil, fmt.Errorf("cannot create compressed layer: %w", err)
	}
	l := &Layer{path: out.Name()}
	err = l.fill(out, in, limits)
	if err := errors.Join(err, out.Close()); err != nil {
		return nil, errors.Join(refused(err), l.Close())
	}
	return l, nil
}

func refused(err error) error {
	var r *layer.RefusedError
	if errors.As(err, &r) {
		return failure.New(failure.UnsupportedFile, "%s", r)
	}
	return fmt.Errorf("cannot prepare layer: %w", err)
}

func (l *Layer) fill(out io.Writer, in io.Reader, limits layer.Limits) error {
	compressed, plain, count := sha256.New(), sha256.New(), &counter{}
	buffered := bufio.NewWriterSize(io.MultiWriter(out, compressed, count), 256<<10)
	zip := newGzipWriter(buffered)
	summary, err := layer.Verify(io.MultiWriter(plain, zip), in, limits)
	if err := errors.Join(err, zip.Close()); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	l.Summary, l.size, l.digest, l.diffID = summary, count.n, sum(compressed), sum(plain)
	return nil
}

func sum(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

type counter struct{ n int64 }

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// Empty says whether the build changed nothing.
func (l *Layer) Empty() bool {
	return l.Summary.Entries+l.Summary.Removed == 0
}

// Close removes the file.
func (l *Layer) Close() error {
	return os.Remove(l.path)
}

// Digest implements v1.Layer.
func (l *Layer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID implements v1.Layer.
func (l *Layer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Size implements v1.Layer.
func (l *Layer) Size() (int64, error) { return l.size, nil }

// MediaType implements v1.Layer.
func (l *Layer) MediaType() (types.MediaType, error) { return l.mediaType, nil }

// Compressed implements v1.Layer.
func (l *Layer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Uncompressed implements v1.Layer.
func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	return nil, errors.New("cannot read layer: it is kept compressed")
}
