package book

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// Root is the folder of an image that a site is in.
const Root = "site"

// leftovers are what tools leave that is no part of a site.
var leftovers = []string{".doctrees", ".buildinfo"}

// isPage tells pages from what tools add to find them by.
func isPage(name string) bool {
	return path.Ext(name) == ".html" && !slices.Contains([]string{"genindex.html", "search.html", "py-modindex.html"}, path.Base(name))
}

// tidy takes out of a site what does not belong there, makes the rest readable, and counts its pages.
func tidy(html string) (*Report, error) {
	root, err := os.OpenRoot(html)
	if err != nil {
		return nil, fmt.Errorf("cannot open the site: %w", err)
	}
	defer root.Close()
	r := &Report{}
	err = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(leftovers, d.Name()):
			if err := root.RemoveAll(p); err != nil {
				return err
			}
			return fs.SkipDir
		case d.IsDir():
			return root.Chmod(p, 0o755)
		case !d.Type().IsRegular() || slices.Contains(leftovers, d.Name()):
			return root.Remove(p)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		r.Bytes += info.Size()
		if isPage(d.Name()) {
			r.Pages++
		}
		return root.Chmod(p, 0o644)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot tidy the site: %w", err)
	}
	if info, err := root.Lstat("index.html"); err != nil || !info.Mode().IsRegular() {
		return nil, failure.New(failure.BuildFailed, "The book has no first page: nothing in it becomes index.html")
	}
	return r, nil
}

// Pack writes a site as a layer. The folder's place in the file system is work, where nothing else is.
func Pack(out, html, work string) error {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return fmt.Errorf("cannot make folder: %w", err)
	}
	o := layer.Options{Root: work}
	before, err := layer.Note(o)
	if err != nil {
		return err
	}
	if err := os.Rename(html, filepath.Join(work, Root)); err != nil {
		return fmt.Errorf("cannot move the site: %w", err)
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("cannot create layer: %w", err)
	}
	w := layer.NewHoleWriter(f)
	_, err = layer.Pack(w, o, before)
	return errors.Join(err, w.Close())
}

// Check reads a layer that a process left which is not trusted, and sees that it holds a site and nothing else: what
// goes on top of the image that serves it must not change what that runs. It counts what it finds.
func Check(r io.Reader) (*Report, error) {
	in := tar.NewReader(bufio.NewReaderSize(r, 256<<10))
	report, index := &Report{}, false
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, failure.New(failure.UnsupportedFile, "The site that the build left is no proper tar file: %s", err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		inside := name == Root && h.Typeflag == tar.TypeDir || strings.HasPrefix(name, Root+"/")
		plain := h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeDir
		if !inside || !plain || path.Clean(name) != name || strings.HasPrefix(path.Base(name), ".wh.") {
			return nil, failure.New(failure.UnsupportedFile, "The site that the build left holds %q, which is no file of a site", name)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		index = index || name == Root+"/index.html"
		report.Bytes += h.Size
		if isPage(name) {
			report.Pages++
		}
	}
	if !index {
		return nil, failure.New(failure.UnsupportedFile, "The site that the build left has no index.html")
	}
	return report, nil
}
