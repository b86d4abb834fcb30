package repository

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

type pipSource struct {
	URL string `json:"url" toml:"url"`
}

// pipEntry is a package of a Pipfile or its lock.
type pipEntry struct {
	Version  string   `json:"version"`
	Hashes   []string `json:"hashes"`
	Extras   []string `json:"extras"`
	Markers  string   `json:"markers"`
	Path     string   `json:"path"`
	File     string   `json:"file"`
	Git      string   `json:"git"`
	Hg       string   `json:"hg"`
	Svn      string   `json:"svn"`
	Platform string   `json:"sys_platform"`
	Python   string   `json:"python_version"`
}

func (r *Repository) pipfileLock(w *Wishes) error {
	data, err := r.read(r.Packages)
	if err != nil {
		return err
	}
	var lock struct {
		Meta struct {
			Sources  []pipSource `json:"sources"`
			Requires struct {
				Python string `json:"python_version"`
			} `json:"requires"`
		} `json:"_meta"`
		Default map[string]pipEntry `json:"default"`
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return unsupported("%q is no lock of pipenv: %s", shown(r.Packages), text.Line(err.Error(), 200))
	}
	w.Hashed = true
	r.pipSources(w, lock.Meta.Sources, lock.Meta.Requires.Python)
	return r.pipEntries(w, lock.Default)
}

func (r *Repository) pipfile(w *Wishes) error {
	data, err := r.read(r.Packages)
	if err != nil {
		return err
	}
	var file struct {
		Source   []pipSource `toml:"source"`
		Requires struct {
			Python string `toml:"python_version"`
		} `toml:"requires"`
		Packages map[string]any `toml:"packages"`
	}
	if err := toml.Unmarshal(data, &file); err != nil {
		return unsupported("%q is no Pipfile: %s", shown(r.Packages), text.Line(err.Error(), 200))
	}
	r.pipSources(w, file.Source, file.Requires.Python)
	entries := map[string]pipEntry{}
	for name, value := range file.Packages {
		e := pipEntry{}
		if version, ok := value.(string); ok {
			e.Version = version
		} else if data, err := json.Marshal(value); err != nil || json.Unmarshal(data, &e) != nil {
			return unsupported("%s: package %q is not written as pipenv writes one", shown(r.Packages), text.Line(name, 60))
		}
		entries[name] = e
	}
	return r.pipEntries(w, entries)
}

func (r *Repository) pipSources(w *Wishes, sources []pipSource, python string) {
	for _, s := range sources {
		w.index(shown(r.Packages), s.URL)
	}
	if python != "" {
		w.Ignored = append(w.Ignored, fmt.Sprintf("%s: Python %s, since the base image's is used", r.Packages, text.Line(python, 20)))
	}
}

func (r *Repository) pipEntries(w *Wishes, entries map[string]pipEntry) error {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e := entries[name]
		line, err := r.pipLine(name, e)
		if err != nil {
			return err
		}
		if line == "" {
			to, err := r.inside(r.Packages, e.local())
			if err != nil {
				return unsupported("%s: package %q is at %q, which is not in the repository", shown(r.Packages), text.Line(name, 60), shown(hidden(e.local())))
			}
			if len(e.Extras) > 0 {
				to += "[" + strings.Join(e.Extras, ",") + "]"
			}
			w.Locals = append(w.Locals, to)
			continue
		}
		if w.Hashed && len(e.Hashes) == 0 {
			return unsupported("%s: package %q has no hashes: make the lock again with pipenv lock", shown(r.Packages), text.Line(name, 60))
		}
		w.Requirements = append(w.Requirements, line)
	}
	return nil
}

func (e pipEntry) local() string {
	if e.Path != "" {
		return e.Path
	}
	return e.File
}

// pipLine writes an entry as a requirement; empty for what is in the repository.
func (r *Repository) pipLine(name string, e pipEntry) (string, error) {
	if e.Git+e.Hg+e.Svn != "" {
		return "", unsupported("%s takes package %q from a version control system, which has no hash that could be locked: name a release of it", shown(r.Packages), text.Line(name, 60))
	}
	if strings.Contains(e.local(), "://") {
		return "", unsupported("%s takes package %q from a URL: name a release of it", shown(r.Packages), text.Line(name, 60))
	}
	if e.local() != "" {
		return "", nil
	}
	line := name
	if len(e.Extras) > 0 {
		line += "[" + strings.Join(e.Extras, ",") + "]"
	}
	if version := strings.TrimSpace(e.Version); version != "" && version != "*" {
		if !strings.ContainsAny(version[:1], "=<>!~") {
			version = "==" + version
		}
		line += version
	}
	markers := []string{}
	if e.Markers != "" {
		markers = append(markers, "("+e.Markers+")")
	}
	for _, m := range []struct{ name, value string }{{"sys_platform", e.Platform}, {"python_version", e.Python}} {
		if m.value != "" {
			markers = append(markers, m.name+" "+m.value)
		}
	}
	if len(markers) > 0 {
		line += " ; " + strings.Join(markers, " and ")
	}
	for _, h := range e.Hashes {
		line += " --hash=" + h
	}
	if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c == 0x7f }) || strings.HasPrefix(line, "-") || strings.ContainsAny(name, " \t/@:#;") {
		return "", unsupported("%s: package %q is not written as pipenv writes one", shown(r.Packages), text.Line(name, 60))
	}
	return line, nil
}

// project is the part of pyproject.toml that says what kind of project it is.
type project struct {
	Build   map[string]any `toml:"build-system"`
	Project *struct {
		Dependencies []string `toml:"dependencies"`
		Dynamic      []string `toml:"dynamic"`
	} `toml:"project"`
	Tool map[string]any `toml:"tool"`
}

func (r *Repository) readProject(name string) (*project, error) {
	data, err := r.read(name)
	if err != nil {
		return nil, err
	}
	p := &project{}
	if err := toml.Unmarshal(data, p); err != nil {
		return nil, unsupported("%q cannot be read: %s", shown(name), text.Line(err.Error(), 200))
	}
	return p, nil
}

// isProject tells a project from a file that only configures tools. One that cannot be read is told of later.
func (r *Repository) isProject(name string) bool {
	if !r.isFile(name) {
		return false
	}
	p, err := r.readProject(name)
	return err != nil || p.Build != nil || p.Project != nil || p.Tool["poetry"] != nil
}

func (r *Repository) pyproject(w *Wishes) error {
	p, err := r.readProject(r.Packages)
	if err != nil {
		return err
	}
	// Without a build system it is a list of dependencies and nothing that could be installed.
	if p.Build == nil && p.Project != nil {
		for i, line := range p.Project.Dependencies {
			reader := &requirementsReader{Repository: r, wishes: w}
			if err := reader.line(r.Packages+" dependency", i+1, strings.TrimSpace(line), false); err != nil {
				return err
			}
		}
		return nil
	}
	w.Locals = []string{path.Dir(r.Packages)}
	return nil
}
