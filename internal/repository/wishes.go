package repository

import (
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

// index says what is made of an index that a repository names: Python's own is the one that is meant by default.
func (w *Wishes) index(where, url string) error {
	trimmed := strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/simple")
	if slices.Contains([]string{"https://pypi.org", "https://pypi.python.org", "https://files.pythonhosted.org"}, trimmed) {
		w.Ignored = append(w.Ignored, where+": index "+trimmed+", packages come from the index that is set up here")
		return nil
	}
	return unsupported("%s names a package index, which a repository may not: indexes are set by an admin in CNBiConfig, spec.packageIndex", where)
}
