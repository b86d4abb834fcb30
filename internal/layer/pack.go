package layer

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	xattrKey = "SCHILY.xattr."
)

// Pack writes what changed since before was noted as a tar. Nothing may change the file system meanwhile; what
// does is an error.
func Pack(w io.Writer, o Options, before *Tree) (Summary, error) {
	if o.Epoch.IsZero() {
		o.Epoch = DefaultEpoch
	}
	o.Limits = o.Limits.orDefault()
	fd, err := openRoot(o.Root)
	if err != nil {
		return Summary{}, err
	}
	defer release(fd)
	d := &differ{walker: walker{filter: newFilter(o), depth: o.Limits.Depth}, limits: o.Limits}
	root := &change{}
	if _, err := d.compare(fd, "", root, before.root); err != nil {
		return Summary{}, fmt.Errorf("cannot compare file system: %w", err)
	}
	root.prune(false)

	buffered := bufio.NewWriterSize(w, 256<<10)
	p := &packer{out: tar.NewWriter(buffered), options: o, linked: map[inode]string{}, buf: make([]byte, 256<<10)}
	if err := p.inside(fd, "", root, nil, owner{}); err != nil {
		return Summary{}, fmt.Errorf("cannot pack layer: %w", err)
	}
	if err := errors.Join(p.out.Close(), buffered.Flush()); err != nil {
		return Summary{}, fmt.Errorf("cannot write layer: %w", err)
	}
	return p.summary, nil
}

type packer struct {
	out     *tar.Writer
	options Options
	summary Summary
	// linked is where the content of a file with several names was written.
	linked map[inode]string
	buf    []byte
}

type owner struct{ uid, gid uint32 }

// inside writes what is in a directory. The order is such that a reader need remember little to check it.
func (p *packer) inside(fd int, dir string, c, parent *change, own owner) error {
	if c.opaque {
		if err := p.gone(dir, opaque); err != nil {
			return err
		}
	}
	for _, name := range c.removed {
		if err := p.gone(dir, whiteout+name); err != nil {
			return err
		}
	}
	for _, child := range c.children {
		if err := p.child(fd, path.Join(dir, child.name), child, c, parent, own); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) child(fd int, name string, c, parent, grandparent *change, own owner) error {
	if err := checkName(name, c.name); err != nil {
		return err
	}
	if c.before != nil {
		own = owner{uid: c.before.uid, gid: c.before.gid}
	}
	h := p.header(name, c, own)
	switch c.stat.mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return p.directory(fd, h, c, parent, own)
	case unix.S_IFLNK:
		return p.symlink(fd, h, c)
	}
	if first, ok := p.linked[c.inode]; ok && c.inode != (inode{}) {
		h.Typeflag, h.Linkname = tar.TypeLink, first
		return p.write(h)
	}
	if c.inode != (inode{}) {
		p.linked[c.inode] = name
	}
	return p.file(fd, h, c, restamp(c, parent, grandparent))
}

func (p *packer) header(name string, c *change, own owner) *tar.Header {
	h := &tar.Header{
		Name: name, Uid: int(own.uid), Gid: int(own.gid),
		Mode: int64(mode(c)), ModTime: p.options.Epoch.Truncate(time.Second),
	}
	if c.keepsTime() {
		h.ModTime = time.Unix(max(c.stat.mtime/int64(time.Second), 0), 0)
	}
	return h
}

// keepsTime says whether a file holds what it held, so that its time is part of the base image.
func (c *change) keepsTime() bool {
	return !c.isDir() && c.before != nil && c.before.mtime == c.stat.mtime && c.before.size == c.stat.size
}

// mode is what the permissions become.
func mode(c *change) uint32 {
	m := c.stat.mode & 0o7777
	if !c.isDir() {
		m &= 0o777
	}
	if !c.changed {
		return m
	}
	return m&^0o070 | m>>3&0o070
}

// directory writes a directory and what is in it.
func (p *packer) directory(fd int, h *tar.Header, c, parent *change, own owner) error {
	sub, err := openDir(fd, c.name)
	if err != nil {
		return fmt.Errorf("cannot open %q: %w", "/"+h.Name, err)
	}
	defer release(sub)
	dir := h.Name
	h.Typeflag, h.Name = tar.TypeDir, dir+"/"
	if err := p.xattrs(sub, h); err != nil {
		return err
	}
	if err := p.write(h); err != nil {
		return err
	}
	return p.inside(sub, dir, c, parent, own)
}

func (p *packer) symlink(fd int, h *tar.Header, c *change) error {
	buf := make([]byte, maxPath+1)
	n, err := unix.Readlinkat(fd, c.name, buf)
	if err != nil {
		return fmt.Errorf("cannot read link %q: %w", "/"+h.Name, err)
	}
	h.Typeflag, h.Linkname = tar.TypeSymlink, string(buf[:n])
	if why := badTarget(h.Linkname); why != "" {
		return refuse(h.Name, "%s", why)
	}
	return p.write(h)
}

// file writes a file. What stamp replaces is its first bytes.
func (p *packer) file(fd int, h *tar.Header, c *change, stamp *source) error {
	in, err := unix.Openat(fd, c.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if isUnreadable(err) {
		return refuse(h.Name, "cannot be read by the user that made it")
	}
	if err != nil {
		return fmt.Errorf("cannot open %q: %w", "/"+h.Name, err)
	}
	defer release(in)
	h.Typeflag, h.Size = tar.TypeReg, c.stat.size
	if err := p.xattrs(in, h); err != nil {
		return err
	}
	if err := p.write(h); err != nil {
		return err
	}
	for left := h.Size; left > 0; {
		n, err := readSome(in, p.buf[:min(left, int64(len(p.buf)))])
		if err != nil {
			return fmt.Errorf("cannot read %q: %w", "/"+h.Name, err)
		}
		if n == 0 {
			return refuse(h.Name, "was still being changed after the build had ended")
		}
		if left == h.Size {
			stamp.apply(p.buf[:n], p.options.Epoch)
		}
		if _, err := p.out.Write(p.buf[:n]); err != nil {
			return fmt.Errorf("cannot write layer: %w", err)
		}
		left -= int64(n)
	}
	var st unix.Stat_t
	if err := unix.Fstat(in, &st); err != nil {
		return fmt.Errorf("cannot look at %q: %w", "/"+h.Name, err)
	}
	if st.Size != c.stat.size || st.Mtim.Nano() != c.stat.mtime {
		return refuse(h.Name, "was still being changed after the build had ended")
	}
	return nil
}

// gone writes a mark of what was removed.
func (p *packer) gone(dir, mark string) error {
	name := path.Join(dir, mark)
	if !utf8.ValidString(name) {
		return refuse(name, "has a name that is not UTF-8")
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, ModTime: p.options.Epoch.Truncate(time.Second)}
	if err := p.write(h); err != nil {
		return err
	}
	p.summary.Entries--
	p.summary.Removed++
	return nil
}

func (p *packer) write(h *tar.Header) error {
	if err := p.options.Limits.add(&p.summary, h.Size); err != nil {
		return err
	}
	if err := p.out.WriteHeader(h); err != nil {
		return fmt.Errorf("cannot write layer: %q: %w", "/"+h.Name, err)
	}
	return nil
}

// xattrs adds the extended attributes that users can set.
func (p *packer) xattrs(fd int, h *tar.Header) error {
	n, err := unix.Flistxattr(fd, p.buf)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot list the attributes of %q: %w", "/"+h.Name, err)
	}
	total := 0
	for _, key := range strings.Split(strings.TrimSuffix(string(p.buf[:n]), "\x00"), "\x00") {
		if !wantedXattr(key) {
			continue
		}
		size, err := unix.Fgetxattr(fd, key, p.buf)
		if err != nil {
			return fmt.Errorf("cannot read attribute %q of %q: %w", key, "/"+h.Name, err)
		}
		if total += len(key) + size; total > maxXattr {
			return refuse(h.Name, "has more than %d bytes of extended attributes", maxXattr)
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[xattrKey+key] = string(p.buf[:size])
	}
	return nil
}

// wantedXattr says whether an attribute goes into the image. Those of overlay file systems would take effect where
// the image is unpacked.
func wantedXattr(key string) bool {
	return strings.HasPrefix(key, "user.") && !strings.HasPrefix(key, "user.overlay.") &&
		utf8.ValidString(key) && !strings.Contains(key, "=")
}

func checkName(p, name string) error {
	switch {
	case !utf8.ValidString(p):
		return refuse(p, "has a name that is not UTF-8")
	case strings.HasPrefix(name, whiteout):
		return refuse(p, "has a name that layers reserve for what was removed")
	case len(name) > maxName || len(p) > maxPath:
		return refuse(p, "has too long a name")
	}
	return nil
}

func badTarget(target string) string {
	switch {
	case target == "":
		return "is a link to nothing"
	case !utf8.ValidString(target):
		return "is a link to a name that is not UTF-8"
	case len(target) > maxPath || strings.Contains(target, "\x00"):
		return "is a link to a name that no file can have"
	}
	return ""
}

func readSome(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
