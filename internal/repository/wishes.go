package repository

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// Wishes are the packages that a repository wants, in a form that an installer can be given.
type Wishes struct {
	// File is where they were found, empty if there are none.
	File string
	// Requirements are lines for pip, from the package index or from https URLs.
	Requirements []string
	// Constraints are lines that limit versions.
	Constraints []string
	// Locals are paths of projects and archives in the repository, with extras as in ./pkg[dev].
	Locals []string
	// Hashed says that every requirement has to have a hash.
	Hashed bool
	// Conda is the path of an environment for conda.
	Conda string
	// Indexes are what files say of package indexes. They are only looked at: packages come from those that are set up.
	Indexes []NamedIndex
	// Ignored says what is left out.
	Ignored []string
}

// Wishes reads the file that says which packages are wanted.
func (r *Repository) Wishes() (*Wishes, error) {
	w := &Wishes{File: r.Packages}
	var err error
	switch path.Base(r.Packages) {
	case ".":
	case "environment.yml", "environment.yaml":
		w.Conda = r.Packages
	case "Pipfile.lock":
		err = r.pipfileLock(w)
	case "Pipfile":
		err = r.pipfile(w)
	case "requirements.txt":
		err = r.requirements(w)
	case "pyproject.toml":
		err = r.pyproject(w)
	case "setup.py":
		w.Locals = []string{path.Dir(r.Packages)}
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// NamedIndex is a package index that a file names.
type NamedIndex struct {
	// Where is the file, and the line if it matters.
	Where string
	// URL is what is there.
	URL string
}

func (w *Wishes) index(where, url string) {
	w.Indexes = append(w.Indexes, NamedIndex{Where: where, URL: url})
}

// public are the names of Python's own index, which is what files name by default.
var public = []string{"https://pypi.org", "https://pypi.python.org"}

// CheckIndexes refuses indexes that are neither Python's own nor among those that are set up: which packages come
// from where is the admin's to say, and another index might have others of the same names.
func (w *Wishes) CheckIndexes(setUp ...string) error {
	known := slices.Clone(public)
	for _, u := range setUp {
		known = append(known, plainIndex(u))
	}
	for _, i := range w.Indexes {
		if !slices.Contains(known, plainIndex(i.URL)) {
			return unsupported("%s names package index %q, which is not one of those that an admin has set up in CNBiConfig, spec.packageIndex", i.Where, hidden(i.URL))
		}
	}
	return nil
}

// plainIndex is a URL in the form in which two are compared.
func plainIndex(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		u.User = nil
		raw = u.String()
	}
	return strings.TrimSuffix(strings.TrimRight(raw, "/"), "/simple")
}
