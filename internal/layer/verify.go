package layer

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Verify reads a layer that a process wrote which is not trusted, and writes it again. It lets through what Pack
// can have written and nothing else; what it writes is its own encoding of what it understood, so that nobody
// further on can understand the input in another way. It reads src to its end or to the first error, and holds
// little in memory whatever comes. A layer that is refused gives a *RefusedError.
//
// Each entry must come after its directory, which must be in the layer as a directory, and no name comes twice:
// so no entry can be written through a link. Hard links only lead to files of the same layer.
func Verify(dst io.Writer, src io.Reader, limits Limits) (Summary, error) {
	buffered := bufio.NewWriterSize(dst, 256<<10)
	v := &verifier{
		limits: limits.orDefault(),
		in:     tar.NewReader(bufio.NewReaderSize(src, 256<<10)), out: tar.NewWriter(buffered),
		stack: []frame{{}}, files: map[uint64]struct{}{}, gone: map[uint64]struct{}{}, seed: maphash.MakeSeed(), buf: make([]byte, 256<<10),
	}
	for {
		h, err := v.in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Summary{}, v.broken(err)
		}
		if err := v.entry(h); err != nil {
			return Summary{}, err
		}
	}
	if err := errors.Join(v.out.Close(), buffered.Flush()); err != nil {
		return Summary{}, fmt.Errorf("cannot write layer: %w", err)
	}
	return v.summary, nil
}

type verifier struct {
	limits  Limits
	in      *tar.Reader
	out     *tar.Writer
	summary Summary
	// stack is the directories that the last entry is in.
	stack []frame
	// files and gone are the hashed names of the files and whiteouts so far.
	files, gone map[uint64]struct{}
	seed        maphash.Seed
	buf         []byte
}

// frame is a directory that is being read.
type frame struct {
	path string
	// class and name are those of the last entry; they only ever grow.
	class int
	name  string
}

// The order within a directory.
const (
	classOpaque = iota + 1
	classWhiteout
	classEntry
)

func (v *verifier) entry(h *tar.Header) error {
	name := strings.TrimSuffix(h.Name, "/")
	if why := badPath(name); why != "" {
		return refuse(h.Name, "%s", why)
	}
	if isDir := h.Typeflag == tar.TypeDir; isDir != (name != h.Name) {
		return refuse(name, "has a name that does not fit its type")
	}
	dir, base := path.Split(name)
	f, err := v.enter(strings.TrimSuffix(dir, "/"), name)
	if err != nil {
		return err
	}
	class, target := classify(base)
	if class < f.class || class == f.class && target <= f.name {
		return refuse(name, "comes twice, or out of order")
	}
	f.class, f.name = class, target
	clean, err := v.header(h, name, class)
	if err != nil {
		return err
	}
	if class == classEntry {
		if _, removed := v.gone[v.hash(name)]; removed {
			return refuse(name, "is there and removed at once")
		}
	} else {
		v.gone[v.hash(dir+target)] = struct{}{}
	}
	if h.Typeflag == tar.TypeDir {
		v.stack = append(v.stack, frame{path: name})
	}
	return v.write(clean, class)
}

func (v *verifier) hash(name string) uint64 {
	return maphash.String(v.seed, name)
}

// enter returns the directory that an entry is in, which must be open.
func (v *verifier) enter(dir, name string) (*frame, error) {
	for len(v.stack) > 1 && v.stack[len(v.stack)-1].path != dir {
		v.stack = v.stack[:len(v.stack)-1]
	}
	top := &v.stack[len(v.stack)-1]
	if top.path != dir {
		return nil, refuse(name, "comes without its directory")
	}
	if len(v.stack) > v.limits.Depth+1 {
		return nil, refuse(name, "is nested deeper than %d directories", v.limits.Depth)
	}
	return top, nil
}

// classify tells whiteouts from other entries. What they remove decides their order.
func classify(base string) (class int, target string) {
	if base == opaque {
		return classOpaque, ""
	}
	if target, ok := strings.CutPrefix(base, whiteout); ok {
		return classWhiteout, target
	}
	return classEntry, base
}

// header returns what is written for an entry, which holds nothing but what was looked at.
func (v *verifier) header(h *tar.Header, name string, class int) (*tar.Header, error) {
	if err := checkNumbers(h, name); err != nil {
		return nil, err
	}
	clean := &tar.Header{
		Typeflag: h.Typeflag, Name: h.Name, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid,
		ModTime: h.ModTime.UTC().Truncate(time.Second),
	}
	if class != classEntry {
		if h.Typeflag != tar.TypeReg || h.Size != 0 || len(xattrsOf(h)) > 0 || class == classWhiteout && badWhiteout(name) {
			return nil, refuse(name, "is no proper mark of a removed file")
		}
		return clean, nil
	}
	switch h.Typeflag {
	case tar.TypeReg:
		clean.Size = h.Size
		v.files[v.hash(name)] = struct{}{}
	case tar.TypeDir:
	case tar.TypeSymlink:
		if why := badTarget(h.Linkname); why != "" {
			return nil, refuse(name, "%s", why)
		}
		clean.Linkname = h.Linkname
	case tar.TypeLink:
		if _, ok := v.files[v.hash(h.Linkname)]; !ok {
			return nil, refuse(name, "is a hard link to what is no file of the layer before it")
		}
		clean.Linkname = h.Linkname
	default:
		return nil, refuse(name, "is neither file, directory nor link")
	}
	if h.Typeflag != tar.TypeReg && h.Size != 0 {
		return nil, refuse(name, "has content that its type cannot have")
	}
	return clean, copyXattrs(clean, h, name)
}

func checkNumbers(h *tar.Header, name string) error {
	allowed := int64(0o777)
	if h.Typeflag == tar.TypeDir {
		allowed = 0o7777
	}
	switch {
	case h.Mode&^allowed != 0 || h.Mode < 0:
		return refuse(name, "has permissions that a layer may not set: %#o", h.Mode)
	case h.Uid < 0 || h.Gid < 0 || h.Uid > math.MaxUint32-1 || h.Gid > math.MaxUint32-1:
		return refuse(name, "belongs to a user or group that cannot be")
	case h.Size < 0:
		return refuse(name, "has a negative size")
	case h.ModTime.Unix() < 0 || h.ModTime.Year() > 9999:
		return refuse(name, "has a time that cannot be")
	}
	return nil
}

func xattrsOf(h *tar.Header) map[string]string {
	out := map[string]string{}
	for key, value := range h.PAXRecords {
		if key, ok := strings.CutPrefix(key, xattrKey); ok {
			out[key] = value
		}
	}
	return out
}

// copyXattrs takes over the extended attributes that are allowed. Other records only say again, or in a way of
// their own, what is in the header.
func copyXattrs(clean, h *tar.Header, name string) error {
	total := 0
	for key, value := range xattrsOf(h) {
		if !wantedXattr(key) || h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
			return refuse(name, "has an extended attribute that a layer may not set")
		}
		if total += len(key) + len(value); total > maxXattr {
			return refuse(name, "has more than %d bytes of extended attributes", maxXattr)
		}
		if clean.PAXRecords == nil {
			clean.PAXRecords = map[string]string{}
		}
		clean.PAXRecords[xattrKey+key] = value
	}
	return nil
}

// write writes an entry and its content.
func (v *verifier) write(h *tar.Header, class int) error {
	if err := v.limits.add(&v.summary, h.Size); err != nil {
		return err
	}
	if class != classEntry {
		v.summary.Entries--
		v.summary.Removed++
	}
	if err := v.out.WriteHeader(h); err != nil {
		return fmt.Errorf("cannot write layer: %w", err)
	}
	for left := h.Size; left > 0; {
		n, err := io.ReadFull(v.in, v.buf[:min(left, int64(len(v.buf)))])
		if err != nil {
			return v.broken(err)
		}
		if _, err := v.out.Write(v.buf[:n]); err != nil {
			return fmt.Errorf("cannot write layer: %w", err)
		}
		left -= int64(n)
	}
	return nil
}

// broken tells input that is no tar from input that cannot be read.
func (v *verifier) broken(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrInsecurePath) {
		return refuse("", "The layer that the build left is no proper tar file: %s", err)
	}
	return fmt.Errorf("cannot read layer: %w", err)
}

// outOfReach are the directories that a layer has nothing to do with.
var outOfReach = []string{"proc", "sys", "dev"}

func badPath(p string) string {
	switch {
	case p == "" || p[0] == '/' || path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../"):
		return "is no plain relative path"
	case !utf8.ValidString(p):
		return "has a name that is not UTF-8"
	case strings.ContainsRune(p, 0):
		return "has a name that no file can have"
	case len(p) > maxPath:
		return "has too long a name"
	}
	first, _, _ := strings.Cut(p, "/")
	if slices.Contains(outOfReach, first) {
		return "is where no layer may write"
	}
	for part := range strings.SplitSeq(p, "/") {
		if len(part) > maxName+len(whiteout) {
			return "has too long a name"
		}
	}
	return ""
}

// badWhiteout says whether a whiteout would remove something else than one name of its directory.
func badWhiteout(name string) bool {
	target := strings.TrimPrefix(path.Base(name), whiteout)
	return target == "" || target == "." || target == ".." || strings.HasPrefix(target, whiteout)
}
