package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	maxLink  = 4095
	maxDepth = 100
	maxNote  = 20
)

var lfsPointer = []byte("version https://git-lfs.github.com/spec/")

// checkout writes a commit's files.
func (c *cloner) checkout(ctx context.Context, got *fetched, m *module, root *os.Root) error {
	if m.path == "" {
		c.result.Commit, c.result.Ref = got.commit.Hash.String(), got.ref
	}
	w := &writer{cloner: c, ctx: ctx, pack: got.pack, root: root, base: m.path, modules: map[string]plumbing.Hash{}}
	if err := w.tree(got.commit.TreeHash, "", 0); err != nil {
		return err
	}
	if err := w.symlinks(); err != nil {
		return err
	}
	return c.submodules(ctx, m, w)
}

// writer writes a tree below a root, which nothing that it does can leave.
type writer struct {
	*cloner
	ctx  context.Context
	pack *pack
	root *os.Root
	// base is where the root is in the whole, for messages.
	base    string
	links   []link
	modules map[string]plumbing.Hash
}

type link struct{ path, target string }

func (w *writer) shown(p string) string { return text.Line(path.Join(w.base, p), 200) }

func unsupported(format string, args ...any) error {
	return failure.New(failure.UnsupportedFile, format, args...)
}

func (w *writer) tree(hash plumbing.Hash, dir string, depth int) error {
	if depth > maxDepth {
		return unsupported("%q is nested deeper than %d folders", w.shown(dir), maxDepth)
	}
	o, err := w.pack.object(hash, plumbing.TreeObject)
	if err != nil {
		return err
	}
	tree := &object.Tree{}
	if err := tree.Decode(o); err != nil {
		return broken("%s", err)
	}
	for _, e := range tree.Entries {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.entry(e, path.Join(dir, e.Name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) entry(e object.TreeEntry, p string, depth int) error {
	if err := w.checkName(e.Name, p); err != nil {
		return err
	}
	if w.result.Files++; w.result.Files > w.Limits.Files {
		return &tooLargeError{fmt.Sprintf("it has more than %d files and folders, the limit", w.Limits.Files)}
	}
	switch e.Mode {
	case filemode.Dir:
		if err := w.root.Mkdir(p, 0o755); err != nil {
			return w.unwritable(p, err)
		}
		return w.tree(e.Hash, p, depth+1)
	case filemode.Regular, filemode.Deprecated:
		return w.file(e.Hash, p, 0o644)
	case filemode.Executable:
		return w.file(e.Hash, p, 0o755)
	case filemode.Symlink:
		return w.link(e.Hash, p)
	case filemode.Submodule:
		w.modules[p] = e.Hash
		if err := w.root.Mkdir(p, 0o755); err != nil {
			return w.unwritable(p, err)
		}
		return nil
	default:
		return unsupported("%q is of a kind that git repositories do not have", w.shown(p))
	}
}

// checkName refuses what git itself refuses.
func (w *writer) checkName(name, p string) error {
	if name == "" || name == "." || name == ".." || strings.EqualFold(name, ".git") ||
		strings.ContainsAny(name, "/\x00") || len(name) > 255 || len(p) > maxLink {
		return unsupported("The repository has a file with the name %q, which no file may have", w.shown(p))
	}
	return nil
}

func (w *writer) file(hash plumbing.Hash, p string, mode fs.FileMode) error {
	o, err := w.pack.find(hash, plumbing.BlobObject)
	if err != nil {
		return err
	}
	if o.size > w.Limits.Bytes {
		return &tooLargeError{fmt.Sprintf("file %q has %s, more than %s, the limit for all files", w.shown(p), amount(o.size), amount(w.Limits.Bytes))}
	}
	if w.result.Bytes += o.size; w.result.Bytes > w.Limits.Bytes {
		return &tooLargeError{fmt.Sprintf("its files have more than %s, the limit for all of them", amount(w.Limits.Bytes))}
	}
	r, err := w.pack.open(o)
	if err != nil {
		return err
	}
	f, err := w.root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return w.unwritable(p, err)
	}
	head := &prefix{}
	n, err := io.Copy(f, io.TeeReader(r, head))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write %q: %w", w.shown(p), err)
	}
	if n != o.size {
		return broken("a file has not the size that it says")
	}
	if o.size < 1024 && bytes.HasPrefix(head.data, lfsPointer) {
		w.ignore("%s: its content is in Git LFS, which is not fetched", w.shown(p))
	}
	return nil
}

// prefix remembers how a file begins.
type prefix struct{ data []byte }

// Write takes what is needed.
func (p *prefix) Write(b []byte) (int, error) {
	if room := len(lfsPointer) - len(p.data); room > 0 {
		p.data = append(p.data, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

// unwritable is for names that come twice, as a file and as a folder or link.
func (w *writer) unwritable(p string, err error) error {
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) {
		return unsupported("The repository has more than one file with the name %q", w.shown(p))
	}
	return fmt.Errorf("cannot write %q: %w", w.shown(p), err)
}

func (w *writer) link(hash plumbing.Hash, p string) error {
	o, err := w.pack.find(hash, plumbing.BlobObject)
	if err != nil {
		return err
	}
	if o.size == 0 || o.size > maxLink {
		return unsupported("%q is a symbolic link to nothing sensible", w.shown(p))
	}
	r, err := w.pack.open(o)
	if err != nil {
		return err
	}
	target, err := io.ReadAll(r)
	if err != nil {
		return broken("%s", err)
	}
	w.links = append(w.links, link{p, string(target)})
	return nil
}

// symlinks are made last, so that nothing is ever written through one. Then each is followed: links through links
// may leave the folder although each of them looks as if it did not.
func (w *writer) symlinks() error {
	for _, l := range w.links {
		to := path.Join(path.Dir(l.path), l.target)
		if path.IsAbs(l.target) || to == ".." || strings.HasPrefix(to, "../") || strings.Contains(l.target, "\x00") {
			return w.leaves(l)
		}
		if err := w.root.Symlink(l.target, l.path); err != nil {
			return w.unwritable(l.path, err)
		}
	}
	for _, l := range w.links {
		_, err := w.root.Stat(l.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENOTDIR) {
			return w.leaves(l)
		}
	}
	return nil
}

func (w *writer) leaves(l link) error {
	return unsupported("%q is a symbolic link to %q, outside of the repository", w.shown(l.path), text.Line(l.target, 200))
}

// ignore notes what is not honoured.
func (c *cloner) ignore(format string, args ...any) {
	if len(c.result.Ignored) < maxNote {
		c.result.Ignored = append(c.result.Ignored, fmt.Sprintf(format, args...))
	}
}
