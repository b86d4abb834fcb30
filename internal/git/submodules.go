package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/config"
)

const maxModules = 1 << 20

// submodules fills the folders of submodules.
func (c *cloner) submodules(ctx context.Context, m *module, w *writer) error {
	if len(w.modules) == 0 {
		return nil
	}
	known, err := w.moduleFile()
	if err != nil {
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(w.modules)) {
		s, ok := known[p]
		if !ok {
			c.ignore("%s: a submodule without an entry in .gitmodules", w.shown(p))
			continue
		}
		sub := &module{path: path.Join(m.path, p), commit: w.modules[p], depth: m.depth + 1}
		if sub.depth > c.Limits.Depth {
			return unsupported("Submodule %q is nested deeper than %d repositories", w.shown(p), c.Limits.Depth)
		}
		if len(c.result.Submodules) >= c.Limits.Submodules {
			return unsupported("The repository has more than %d submodules", c.Limits.Submodules)
		}
		if sub.address, err = resolveURL(m.address, s.URL); err != nil {
			return unsupported("Submodule %q cannot be used, its URL in .gitmodules is not fit: %s", w.shown(p), err)
		}
		c.result.Submodules = append(c.result.Submodules, sub.path)
		root, err := w.root.OpenRoot(p)
		if err != nil {
			return fmt.Errorf("cannot open folder: %w", err)
		}
		if err := errors.Join(c.clone(ctx, sub, root), root.Close()); err != nil {
			return err
		}
	}
	return nil
}

// moduleFile reads .gitmodules, by path.
func (w *writer) moduleFile() (map[string]*config.Submodule, error) {
	info, err := w.root.Lstat(".gitmodules")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxModules) {
		return nil, unsupported("%q is no plain file of at most %s", w.shown(".gitmodules"), amount(maxModules))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read .gitmodules: %w", err)
	}
	f, err := w.root.Open(".gitmodules")
	if err != nil {
		return nil, fmt.Errorf("cannot read .gitmodules: %w", err)
	}
	data, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot read .gitmodules: %w", err)
	}
	modules := config.NewModules()
	if err := modules.Unmarshal(data); err != nil {
		return nil, unsupported("%q cannot be read", w.shown(".gitmodules"))
	}
	out := map[string]*config.Submodule{}
	for _, s := range modules.Submodules {
		out[path.Clean(s.Path)] = s
	}
	return out, nil
}

func resolveURL(parent *address, raw string) (*address, error) {
	if strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../") {
		return parent.relative(raw)
	}
	a, err := parseURL(raw)
	if err == nil && a.scheme == "http" && parent.scheme != "http" {
		err = errors.New("it is not encrypted, and the repository's own is")
	}
	return a, err
}
