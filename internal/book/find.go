package book

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// Files that say what a book is made of.
const (
	tocFile    = "_toc.yml"
	configFile = "_config.yml"
	sphinxFile = "conf.py"
)

// homes are where repositories have their books, the first that has one counts.
var homes = []string{".", "docs", "doc", "book", "docs/source", "doc/source"}

// notPages are texts about a repository, which alone make no book; nor are directories pages that others make.
var (
	notPages = []string{"readme", "license", "licence", "contributing", "changelog", "code_of_conduct", "security", "support", "authors", "owners"}
	notRead  = []string{"_build", "node_modules", "venv", "env", "__pycache__"}
)

// source is a book as its author wrote it, in a folder of its own that may be written to.
type source struct {
	// dir is where the book is, and name what it is called.
	dir, name string
	// pages are the paths of all texts and notebooks in it, sorted.
	pages []string
	// toc is the table of contents, nil if there is none.
	toc *toc
	// config is what _config.yml says.
	config config
	// sphinx is true when the book brings its own conf.py.
	sphinx bool
}

// find looks for the book in a repository.
func find(root, name string) (*source, error) {
	home, found := ".", false
	for _, dir := range homes {
		for _, file := range []string{tocFile, configFile, sphinxFile} {
			if info, err := os.Lstat(filepath.Join(root, dir, file)); err == nil && info.Mode().IsRegular() && !found {
				home, found = dir, true
			}
		}
	}
	s := &source{dir: filepath.Join(root, home), name: name}
	var err error
	if s.pages, err = pagesIn(s.dir); err != nil {
		return nil, err
	}
	if !found && !slices.ContainsFunc(s.pages, isContent) {
		return nil, failure.New(failure.BookNotFound, "The repository holds no book: there is neither a %s, a Sphinx project nor a notebook in it, nor a text besides those about the repository itself", tocFile)
	}
	_, err = os.Stat(filepath.Join(s.dir, sphinxFile))
	s.sphinx = err == nil
	if s.config, err = readConfig(s.dir); err != nil {
		return nil, err
	}
	if s.toc, err = readTOC(s.dir); err != nil {
		return nil, err
	}
	if len(s.pages) == 0 {
		return nil, failure.New(failure.BookNotFound, "The repository's book has no pages: there are neither texts (.md, .rst) nor notebooks beside its %s", tocFile)
	}
	return s, nil
}

func isContent(page string) bool {
	base := strings.ToLower(path.Base(page))
	ext := path.Ext(base)
	return ext == ".ipynb" || !slices.Contains(notPages, strings.TrimSuffix(base, ext))
}

// pagesIn lists the texts and notebooks of a folder, by slash-separated paths.
func pagesIn(dir string) ([]string, error) {
	var pages []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if strings.HasPrefix(name, ".") || slices.Contains(notRead, name) {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err == nil && d.Type().IsRegular() && slices.Contains([]string{".ipynb", ".md", ".rst"}, path.Ext(name)) {
			pages = append(pages, filepath.ToSlash(rel))
		}
		return err
	})
	slices.Sort(pages)
	return pages, err
}

// page finds the file of a page that a table of contents names without its ending.
func (s *source) page(name string) (string, bool) {
	for _, ext := range []string{"", ".md", ".ipynb", ".rst"} {
		if slices.Contains(s.pages, name+ext) {
			return name + ext, true
		}
	}
	return "", false
}

// root is the page that a book without a table of contents begins with; empty if none offers itself.
func (s *source) root() string {
	for _, name := range []string{"index", "intro", "README", "readme", "Readme"} {
		if page, ok := s.page(name); ok {
			return page
		}
	}
	return ""
}

func stem(page string) string { return strings.TrimSuffix(page, path.Ext(page)) }
