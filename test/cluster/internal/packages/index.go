package packages

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Make writes the indexes into a directory: open is for everyone, and private
// has the files of one package more. Of the private index's packages only the
// list holds all.
func Make(ctx context.Context, dir string) error {
	open, err := madeUp()
	if err != nil {
		return err
	}
	real, err := fromDebian(ctx)
	if err != nil {
		return err
	}
	big, err := large(largeFile)
	if err != nil {
		return err
	}
	open = append(append(open, real...), big)
	private, err := madeUpPrivate()
	if err != nil {
		return err
	}
	if err := writeIndex(filepath.Join(dir, "open"), open, nil); err != nil {
		return err
	}
	return writeIndex(filepath.Join(dir, "private"), private, open)
}

// writeIndex writes the files of distributions, a page for each project, and
// the list of all projects, those too whose files are elsewhere.
func writeIndex(dir string, all, elsewhere []distribution) error {
	projects := map[string][]distribution{}
	for _, d := range all {
		project := normalised(d.project)
		projects[project] = append(projects[project], d)
		if err := write(filepath.Join(dir, "files", d.filename), d.content); err != nil {
			return err
		}
		if len(d.metadata) > 0 {
			if err := write(filepath.Join(dir, "files", d.filename+".metadata"), d.metadata); err != nil {
				return err
			}
		}
	}
	names := map[string]bool{}
	for _, d := range elsewhere {
		names[normalised(d.project)] = true
	}
	for project, files := range projects {
		names[project] = true
		if err := write(filepath.Join(dir, "simple", project, "index.html"), projectPage(project, files)); err != nil {
			return err
		}
	}
	return write(filepath.Join(dir, "simple", "index.html"), listPage(slices.Sorted(maps.Keys(names))))
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot make the index: %w", err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("cannot make the index: %w", err)
	}
	return nil
}

func listPage(names []string) []byte {
	var links []string
	for _, name := range names {
		links = append(links, fmt.Sprintf(`<a href="/simple/%[1]s/">%[1]s</a>`, name))
	}
	return page("Simple index", links)
}

func projectPage(project string, files []distribution) []byte {
	files = slices.SortedFunc(slices.Values(files), func(a, b distribution) int { return strings.Compare(a.filename, b.filename) })
	var links []string
	for _, d := range files {
		var attributes strings.Builder
		if d.requiresPython != "" {
			fmt.Fprintf(&attributes, ` data-requires-python="%s"`, html.EscapeString(d.requiresPython))
		}
		if len(d.metadata) > 0 {
			// Older clients know the second by its first name only.
			fmt.Fprintf(&attributes, ` data-core-metadata="sha256=%[1]s" data-dist-info-metadata="sha256=%[1]s"`, Sum(d.metadata))
		}
		if d.yanked != "" {
			fmt.Fprintf(&attributes, ` data-yanked="%s"`, html.EscapeString(d.yanked))
		}
		links = append(links, fmt.Sprintf(`<a href="../../files/%[1]s#sha256=%[2]s"%[3]s>%[1]s</a>`, d.filename, Sum(d.content), attributes.String()))
	}
	return page("Links for "+project, links)
}

func page(title string, links []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html>\n<head><meta name=\"pypi:repository-version\" content=\"1.0\"><title>%s</title></head>\n<body>\n", title)
	for _, link := range links {
		fmt.Fprintf(&b, "%s<br>\n", link)
	}
	b.WriteString("</body>\n</html>\n")
	return b.Bytes()
}
