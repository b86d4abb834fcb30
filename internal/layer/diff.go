package layer

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"
)

// change is a file or directory that the layer names, be it only because of what is in it.
type change struct {
	name string
	stat entry
	// inode is set for files that have several names.
	inode inode
	// before is what was noted under this name, if it was of the same type.
	before *entry
	// changed says that it is new or other than it was.
	changed bool
	// opaque says that nothing is left of what was in here.
	opaque bool
	// removed are the names that are gone from this directory.
	removed  []string
	children []*change
}

type inode struct{ dev, ino uint64 }

func (c *change) isDir() bool { return c.stat.isDir() }

// differ compares a tree with what is there now.
type differ struct {
	walker
	limits Limits
	count  int
}

// compare fills in what changed in a directory. It returns how much of what was noted is left as it was.
func (d *differ) compare(fd int, dir string, c *change, before *folder) (survivors int, err error) {
	names, partial, err := d.names(fd, dir)
	if err != nil {
		return 0, err
	}
	if before == nil {
		before = &folder{}
	}
	if partial || before.partial {
		survivors++
	}
	old := before.entries
	for _, name := range names {
		for len(old) > 0 && old[0].name < name {
			c.removed = append(c.removed, old[0].name)
			old = old[1:]
		}
		var was *entry
		if len(old) > 0 && old[0].name == name {
			was, old = &old[0], old[1:]
		}
		left, err := d.child(fd, dir, name, c, was)
		if err != nil {
			return 0, err
		}
		survivors += left
	}
	for i := range old {
		c.removed = append(c.removed, old[i].name)
	}
	return survivors, nil
}

// child compares one name in a directory.
func (d *differ) child(fd int, dir, name string, parent *change, was *entry) (survivors int, err error) {
	p := path.Join(dir, name)
	var st unix.Stat_t
	err = unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return 0, fmt.Errorf("cannot look at %q: %w", "/"+p, err)
	}
	if err != nil || !belongs(st.Mode) {
		if was != nil && was.mode&unix.S_IFMT == st.Mode&unix.S_IFMT {
			return 1, nil
		}
		if was != nil {
			parent.removed = append(parent.removed, name)
		}
		return 0, nil
	}
	c := &change{name: name, stat: newEntry(name, &st)}
	if was != nil && was.mode&unix.S_IFMT == st.Mode&unix.S_IFMT {
		c.before = was
	}
	if c.isDir() {
		return d.directory(fd, p, parent, c, was)
	}
	if c.before != nil && same(c.before, &c.stat) {
		return 1, nil
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 {
		c.inode = inode{dev: uint64(st.Dev), ino: st.Ino} //nolint:unconvert // int32 on some platforms
	}
	c.changed = true
	return 0, d.keep(parent, c)
}

// directory compares a directory in a directory.
func (d *differ) directory(fd int, p string, parent, c *change, was *entry) (survivors int, err error) {
	var before *folder
	if c.before != nil {
		before = c.before.dir
		c.changed = c.before.mode != c.stat.mode
	} else {
		c.changed = true
		c.opaque = was != nil
	}
	sub, err := openDir(fd, c.name)
	if isUnreadable(err) {
		if before != nil && before.partial {
			return 1, nil
		}
		return 0, refuse(p, "cannot be read by the user that made it")
	}
	if err != nil {
		return 0, fmt.Errorf("cannot open %q: %w", "/"+p, err)
	}
	defer release(sub)
	survivors, err = d.compare(sub, p, c, before)
	if err != nil {
		return 0, err
	}
	if before != nil {
		c.opaque = survivors == 0 && len(before.entries) > 0 && c.lost()
		if len(before.entries) == 0 && !before.partial {
			// An empty directory that is still there is something that is left.
			survivors++
		}
	}
	if c.changed || c.opaque || len(c.removed) > 0 || len(c.children) > 0 {
		return survivors, d.keep(parent, c)
	}
	return survivors, nil
}

// lost says whether anything at all is gone from in here.
func (c *change) lost() bool {
	if len(c.removed) > 0 {
		return true
	}
	for _, child := range c.children {
		if child.lost() {
			return true
		}
	}
	return false
}

func (d *differ) keep(parent, c *change) error {
	if d.count++; d.count > d.limits.Entries {
		return refuse("", "The build changed more than %d files, the most that a layer may hold", d.limits.Entries)
	}
	parent.children = append(parent.children, c)
	return nil
}

// prune takes away what the layer need not name. It says whether anything is left.
func (c *change) prune(inOpaque bool) bool {
	if inOpaque {
		c.opaque, c.removed = false, nil
	}
	if c.opaque {
		c.removed = nil
	}
	kept := c.children[:0]
	for _, child := range c.children {
		if child.prune(inOpaque || c.opaque) {
			kept = append(kept, child)
		}
	}
	clear(c.children[len(kept):])
	c.children = kept
	return c.changed || c.opaque || inOpaque || len(c.removed) > 0 || len(kept) > 0
}

func same(before, now *entry) bool {
	return before.mode == now.mode && before.size == now.size && before.mtime == now.mtime && before.ctime == now.ctime
}

// belongs says whether files of a type belong into an image.
func belongs(mode uint32) bool {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK:
		return true
	}
	return false
}
