package layer

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Tree is a file system as it was noted.
type Tree struct {
	root *folder
	// Entries counts what was noted.
	Entries int
}

// folder is a noted directory.
type folder struct {
	// entries are sorted by name.
	entries []entry
	// partial says that not everything in here was noted.
	partial bool
}

// entry is what is remembered of a file. There may be a million of them, so it is small. The change time tells of
// everything that can happen to a file's content, owner, permissions and extended attributes. Inode numbers are
// not compared: overlay file systems may hand out others when a file is looked up again.
type entry struct {
	name         string
	size         int64
	mtime, ctime int64
	dir          *folder
	mode         uint32
	uid, gid     uint32
}

func (e *entry) isDir() bool {
	return e.mode&unix.S_IFMT == unix.S_IFDIR
}

// Note remembers a file system. What may not be read is left out, of the layer too.
func Note(o Options) (*Tree, error) {
	n := &noter{walker: walker{filter: newFilter(o), depth: o.Limits.orDefault().Depth}}
	fd, err := openRoot(o.Root)
	if err != nil {
		return nil, err
	}
	defer release(fd)
	root, err := n.folder(fd, "")
	if err != nil {
		return nil, fmt.Errorf("cannot note file system: %w", err)
	}
	return &Tree{root: root, Entries: n.entries}, nil
}

type noter struct {
	walker
	entries int
}

func (n *noter) folder(fd int, dir string) (*folder, error) {
	names, partial, err := n.names(fd, dir)
	if err != nil {
		return nil, err
	}
	f := &folder{entries: make([]entry, 0, len(names)), partial: partial}
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			if errors.Is(err, unix.ENOENT) {
				continue
			}
			return nil, fmt.Errorf("cannot look at %q: %w", path.Join("/", dir, name), err)
		}
		e := newEntry(name, &st)
		if e.isDir() {
			if e.dir, err = n.sub(fd, path.Join(dir, name), name); err != nil {
				return nil, err
			}
		}
		f.entries = append(f.entries, e)
	}
	n.entries += len(f.entries)
	return f, nil
}

// sub notes a directory in a directory.
func (n *noter) sub(parent int, dir, name string) (*folder, error) {
	fd, err := openDir(parent, name)
	if isUnreadable(err) {
		return &folder{partial: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %q: %w", "/"+dir, err)
	}
	defer release(fd)
	return n.folder(fd, dir)
}

func newEntry(name string, st *unix.Stat_t) entry {
	return entry{
		name: name, size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
		mode: st.Mode, uid: st.Uid, gid: st.Gid,
	}
}

// walker lists directories.
type walker struct {
	filter filter
	depth  int
	buf    []byte
}

// names returns the sorted names in a directory, and whether some were left out.
func (w *walker) names(fd int, dir string) (names []string, partial bool, err error) {
	if strings.Count(dir, "/") >= w.depth {
		return nil, false, refuse(dir, "is nested deeper than %d directories", w.depth)
	}
	if w.buf == nil {
		w.buf = make([]byte, 64<<10)
	}
	for {
		read, err := unix.ReadDirent(fd, w.buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("cannot list %q: %w", "/"+dir, err)
		}
		if read == 0 {
			break
		}
		_, _, names = unix.ParseDirent(w.buf[:read], -1, names)
	}
	slices.Sort(names)
	if out := w.filter.in(dir); out != nil {
		all := len(names)
		names = slices.DeleteFunc(names, out)
		partial = len(names) != all
	}
	return names, partial, nil
}

func openRoot(root string) (int, error) {
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open %q: %w", root, err)
	}
	return fd, nil
}

func openDir(parent int, name string) (int, error) {
	return unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// release closes what was only read.
func release(fd int) {
	_ = unix.Close(fd)
}

func isUnreadable(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
}
