package book

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// nbconvert makes one page after the other. A text goes as a notebook with one cell; reStructuredText stays out.
func (m *maker) nbconvert(ctx context.Context) (string, error) {
	html := m.path("html")
	if err := m.check(); err != nil {
		return "", err
	}
	t := m.plan()
	var listed []string
	for _, page := range m.pages {
		if path.Ext(page) == ".rst" {
			continue
		}
		if err := m.convert(ctx, html, page); err != nil {
			return "", err
		}
		listed = append(listed, stem(page))
	}
	if _, err := os.Stat(filepath.Join(html, "index.html")); err == nil {
		return html, nil
	}
	return html, m.writeIndex(filepath.Join(html, "index.html"), t, listed)
}

// convert makes one page.
func (m *maker) convert(ctx context.Context, html, page string) error {
	file := filepath.Join(m.dir, filepath.FromSlash(page))
	run := false
	if path.Ext(page) == ".md" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", page, err)
		}
		cell := map[string]any{"cell_type": "markdown", "metadata": map[string]any{}, "source": string(text)}
		data, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 4, "metadata": map[string]any{}, "cells": []any{cell}})
		if err != nil {
			return fmt.Errorf("cannot encode %s: %w", page, err)
		}
		file = filepath.Join(m.path("tmp"), path.Base(stem(page))+".ipynb")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return fmt.Errorf("cannot write %s: %w", page, err)
		}
	} else if how := m.config.execution(); how == "force" || how == "auto" && !hasOutput(file) {
		run = true
	}
	out := filepath.Join(html, filepath.FromSlash(path.Dir(page)))
	command := []string{m.Python, "-m", "nbconvert", "--to", "html", "--output-dir", out, "--ExecutePreprocessor.timeout=" + strconv.Itoa(m.config.timeout())}
	if run {
		command = append(command, "--execute")
	}
	if m.config.Execute.AllowErrors {
		command = append(command, "--allow-errors")
	}
	return m.run(ctx, filepath.Dir(file), append(command, "--", file)...)
}

// hasOutput tells whether somebody has run a notebook. One that cannot be read is left to who makes a page of it.
func hasOutput(file string) bool {
	var notebook struct {
		Cells []struct {
			Outputs []json.RawMessage `json:"outputs"`
		} `json:"cells"`
	}
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &notebook) != nil {
		return true
	}
	for _, cell := range notebook.Cells {
		if len(cell.Outputs) > 0 {
			return true
		}
	}
	return false
}

var indexTemplate = template.Must(template.New("index").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
<ul>
{{- range .Pages}}
<li><a href="{{.}}.html">{{.}}</a>
{{- end}}
</ul>
</html>
`))

// writeIndex writes the page that leads to all others, the root first.
func (m *maker) writeIndex(file string, t *toc, listed []string) error {
	pages := []string{}
	if t.root != "" {
		pages = append(pages, t.root)
	}
	for _, page := range listed {
		if page != t.root {
			pages = append(pages, page)
		}
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("cannot write the first page: %w", err)
	}
	defer f.Close()
	if err := indexTemplate.Execute(f, map[string]any{"Title": m.title(), "Pages": pages}); err != nil {
		return fmt.Errorf("cannot write the first page: %w", err)
	}
	return nil
}
