package images

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"
)

const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
	opaqueXattr    = "trusted.overlay.opaque"
)

// layerRecord is what is known of a packed layer.
type layerRecord struct {
	Digest v1.Hash `json:"digest"`
	DiffID v1.Hash `json:"diffID"`
	Size   int64   `json:"size"`
}

// layerFile is a v1.Layer that is read from a file whenever it is needed.
type layerFile struct {
	path   string
	record layerRecord
}

var _ v1.Layer = &layerFile{}

func (l *layerFile) Digest() (v1.Hash, error)            { return l.record.Digest, nil }
func (l *layerFile) DiffID() (v1.Hash, error)            { return l.record.DiffID, nil }
func (l *layerFile) Size() (int64, error)                { return l.record.Size, nil }
func (l *layerFile) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
func (l *layerFile) Compressed() (io.ReadCloser, error)  { return os.Open(l.path) }
func (l *layerFile) Uncompressed() (io.ReadCloser, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

// packLayer writes dir, the upper directory of an overlay on the directories
// below, as a layer. The same files give the same bytes: entries come in order
// and no time is later than epoch.
func packLayer(w io.Writer, dir string, below []string, epoch int64) (layerRecord, error) {
	packed, plain := sha256.New(), sha256.New()
	size := &counter{}
	buffered := bufio.NewWriterSize(io.MultiWriter(w, packed, size), 1<<20)
	z, err := gzip.NewWriterLevel(buffered, gzip.BestSpeed)
	if err != nil {
		return layerRecord{}, err
	}
	p := &packer{
		tar: tar.NewWriter(io.MultiWriter(z, plain)), root: dir, below: below,
		epoch: time.Unix(epoch, 0), links: map[uint64]string{},
	}
	if err := filepath.WalkDir(dir, p.add); err != nil {
		return layerRecord{}, err
	}
	if err := errors.Join(p.tar.Close(), z.Close(), buffered.Flush()); err != nil {
		return layerRecord{}, err
	}
	return layerRecord{Digest: digestOf(packed), DiffID: digestOf(plain), Size: size.n}, nil
}

func digestOf(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

type packer struct {
	tar   *tar.Writer
	root  string
	below []string
	epoch time.Time
	links map[uint64]string // first name of each inode that has several
}

func (p *packer) add(path string, _ fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(p.root, path)
	if err != nil || name == "." {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err
	}
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		ModTime: p.clamp(time.Unix(st.Mtim.Sec, 0)), Format: tar.FormatPAX,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return p.addFile(h, path, &st)
	case unix.S_IFDIR:
		return p.addDir(h, path)
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = os.Readlink(path); err != nil {
			return err
		}
		return p.tar.WriteHeader(h)
	case unix.S_IFCHR:
		if st.Rdev == 0 {
			return p.tar.WriteHeader(p.whiteout(filepath.Join(filepath.Dir(name), whiteoutPrefix+filepath.Base(name))))
		}
	}
	return nil // sockets, pipes and devices have no place in an image
}

func (p *packer) addFile(h *tar.Header, path string, st *unix.Stat_t) error {
	if st.Nlink > 1 {
		if first, ok := p.links[st.Ino]; ok {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			return p.tar.WriteHeader(h)
		}
		p.links[st.Ino] = h.Name
	}
	h.Typeflag, h.Size = tar.TypeReg, st.Size
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(p.tar, f)
	return err
}

func (p *packer) addDir(h *tar.Header, path string) error {
	name := h.Name
	h.Typeflag, h.Name = tar.TypeDir, name+"/"
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	value := make([]byte, 1)
	n, err := unix.Lgetxattr(path, opaqueXattr, value)
	if err == nil && n == 1 && value[0] == 'y' && p.isBelow(name) {
		return p.tar.WriteHeader(p.whiteout(filepath.Join(name, opaqueMarker)))
	}
	return nil
}

// isBelow tells whether there is anything to hide: overlayfs marks every new
// directory as opaque.
func (p *packer) isBelow(name string) bool {
	for _, dir := range p.below {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

func (p *packer) whiteout(name string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: p.epoch, Format: tar.FormatPAX}
}

func (p *packer) clamp(t time.Time) time.Time {
	if t.After(p.epoch) {
		return p.epoch
	}
	return t
}

// unpackLayer writes a layer into a new directory that can be a lower
// directory of an overlay.
func unpackLayer(l v1.Layer, dir string) error {
	r, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries := tar.NewReader(r)
	times := map[string]time.Time{} // of directories, which change while they are filled
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(dir, h, entries); err != nil {
			return fmt.Errorf("cannot unpack %q: %w", h.Name, err)
		}
		if h.Typeflag == tar.TypeDir {
			times[filepath.Join(dir, h.Name)] = h.ModTime
		}
	}
	for path, t := range times {
		if err := setTime(path, t); err != nil {
			return err
		}
	}
	return nil
}

func unpackEntry(dir string, h *tar.Header, content io.Reader) error {
	if !filepath.IsLocal(h.Name) {
		return errors.New("name points outside of the layer")
	}
	path := filepath.Join(dir, h.Name)
	if base := filepath.Base(path); strings.HasPrefix(base, whiteoutPrefix) {
		return unpackWhiteout(filepath.Dir(path), base)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case tar.TypeReg:
		if err := writeFile(path, content); err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := os.Symlink(h.Linkname, path); err != nil {
			return err
		}
		return errors.Join(os.Lchown(path, h.Uid, h.Gid), setTime(path, h.ModTime))
	case tar.TypeLink:
		return os.Link(filepath.Join(dir, h.Linkname), path)
	}
	// The mode comes after the owner, whose change drops setuid and setgid.
	return errors.Join(os.Lchown(path, h.Uid, h.Gid), unix.Chmod(path, uint32(h.Mode)), setTime(path, h.ModTime))
}

func unpackWhiteout(dir, base string) error {
	if base == opaqueMarker {
		return unix.Lsetxattr(dir, opaqueXattr, []byte("y"), 0)
	}
	return unix.Mknod(filepath.Join(dir, strings.TrimPrefix(base, whiteoutPrefix)), unix.S_IFCHR, 0)
}

func writeFile(path string, content io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

func setTime(path string, t time.Time) error {
	ts := unix.NsecToTimespec(t.UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
