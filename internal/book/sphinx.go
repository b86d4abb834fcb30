package book

import (
	"bytes"
	"context"
	_ "embed" // for the configuration
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// sphinxConfig is the conf.py of books that bring none. What differs between books it reads from a file.
//
//go:embed conf.py
var sphinxConfig []byte

// sphinxSettings is that file.
type sphinxSettings struct {
	Project     string `json:"project"`
	Author      string `json:"author"`
	Root        string `json:"root"`
	Execute     string `json:"execute"`
	AllowErrors bool   `json:"allowErrors"`
	Timeout     int    `json:"timeout"`
}

// runSphinx makes the book with Sphinx.
func (m *maker) runSphinx(ctx context.Context) (string, error) {
	html, doctrees := m.path("html"), m.path("doctrees")
	command := []string{m.Python, "-m", "sphinx", "-b", "html", "-d", doctrees, "-j", "1"}
	if m.sphinx {
		return html, m.run(ctx, m.dir, append(command, m.dir, html)...)
	}
	if err := m.check(); err != nil {
		return "", err
	}
	t, err := m.complete()
	if err != nil {
		return "", err
	}
	root, err := m.linkPages(t)
	if err != nil {
		return "", err
	}
	confDir := m.path("conf")
	settings, err := json.Marshal(sphinxSettings{
		Project: m.title(), Author: string(m.config.Author), Root: root,
		Execute: m.config.execution(), AllowErrors: m.config.Execute.AllowErrors, Timeout: m.config.timeout(),
	})
	if err != nil {
		return "", fmt.Errorf("cannot encode settings: %w", err)
	}
	if err := os.MkdirAll(confDir, 0o755); err != nil {
		return "", fmt.Errorf("cannot make folder: %w", err)
	}
	for name, data := range map[string][]byte{"conf.py": sphinxConfig, "book.json": settings} {
		if err := os.WriteFile(filepath.Join(confDir, name), data, 0o644); err != nil {
			return "", fmt.Errorf("cannot write settings: %w", err)
		}
	}
	if err := m.run(ctx, m.dir, append(command, "-c", confDir, m.dir, html)...); err != nil {
		return "", err
	}
	return html, redirect(html, root)
}

// linkPages has the first page lead to all others, and returns its name. A notebook cannot, so it gets a page before it.
func (m *maker) linkPages(t *toc) (string, error) {
	page, _ := m.page(t.root)
	file := filepath.Join(m.dir, filepath.FromSlash(page))
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the first page: %w", err)
	}
	parts, root := t.parts, t.root
	switch {
	case path.Ext(page) == ".ipynb":
		root = "contents"
		for m.taken(root) {
			root += "-"
		}
		file, page = filepath.Join(m.dir, root+".rst"), root+".rst"
		title := m.title()
		content = fmt.Appendf(nil, "%s\n%s\n", title, strings.Repeat("=", len(title)))
		parts = append([]tocPart{{entries: []tocEntry{{page: t.root}}}}, parts...)
	case m.toc == nil && bytes.Contains(content, []byte("toctree")):
		return root, nil
	}
	for _, part := range parts {
		if len(part.entries) > 0 {
			content = append(content, part.directive(path.Ext(page) == ".md")...)
		}
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return "", fmt.Errorf("cannot write the first page: %w", err)
	}
	return root, nil
}

func (m *maker) taken(name string) bool {
	_, ok := m.page(name)
	return ok
}

// redirect makes a site begin with the given page, if that is not its index already.
func redirect(html, root string) error {
	index := filepath.Join(html, "index.html")
	if root == "index" {
		return nil
	}
	if _, err := os.Lstat(index); err == nil {
		return nil
	}
	content := fmt.Sprintf("<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"refresh\" content=\"0; url=%[1]s.html\">\n<title>%[1]s</title>\n<a href=\"%[1]s.html\">%[1]s</a>\n", escapePath(root))
	if err := os.WriteFile(index, []byte(content), 0o644); err != nil {
		return fmt.Errorf("cannot write the first page: %w", err)
	}
	return nil
}

// jupyterBook makes the book with Jupyter Book.
func (m *maker) jupyterBook(ctx context.Context) (string, error) {
	if err := m.check(); err != nil {
		return "", err
	}
	if m.toc == nil {
		t, err := m.complete()
		if err != nil {
			return "", err
		}
		if err := writeTOC(m.dir, t); err != nil {
			return "", err
		}
	}
	out := m.path("book")
	if err := m.run(ctx, m.dir, "jupyter-book", "build", "--path-output", out, m.dir); err != nil {
		return "", err
	}
	if err := m.failedNotebook(); err != nil && !m.config.Execute.AllowErrors {
		return "", err
	}
	html := filepath.Join(out, "_build", "html")
	if _, err := os.Stat(filepath.Join(html, "index.html")); err != nil {
		return "", failure.New(failure.ImageInvalid, "The image that books are built in has a Jupyter Book that left no index.html: use one of version 1")
	}
	return html, nil
}

// writeTOC writes the table of contents that a book lacks.
func writeTOC(dir string, t *toc) error {
	chapters := []map[string]string{}
	for _, part := range t.parts {
		for _, e := range part.entries {
			chapters = append(chapters, map[string]string{"file": e.page})
		}
	}
	data, err := yaml.Marshal(map[string]any{"format": "jb-book", "root": t.root, "chapters": chapters})
	if err != nil {
		return fmt.Errorf("cannot encode the table of contents: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, tocFile), data, 0o644); err != nil {
		return fmt.Errorf("cannot write the table of contents: %w", err)
	}
	return nil
}
