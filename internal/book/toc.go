package book

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// maxSettings bounds the files that say how a book is made.
const maxSettings = 1 << 20

// toc is a table of contents, with all levels below the parts made one.
type toc struct {
	root  string
	parts []tocPart
}

type tocPart struct {
	caption string
	entries []tocEntry
}

type tocEntry struct{ page, url, title string }

// tocNode is any level of a _toc.yml, whose present and older formats differ in what lists are called.
type tocNode struct {
	Root     string    `json:"root"`
	File     string    `json:"file"`
	Glob     string    `json:"glob"`
	URL      string    `json:"url"`
	Title    string    `json:"title"`
	Caption  string    `json:"caption"`
	Part     string    `json:"part"`
	Parts    []tocNode `json:"parts"`
	Chapters []tocNode `json:"chapters"`
	Sections []tocNode `json:"sections"`
	Subtrees []tocNode `json:"subtrees"`
	Entries  []tocNode `json:"entries"`
}

// config is what a _config.yml says that matters here.
type config struct {
	Title   words `json:"title"`
	Author  words `json:"author"`
	Execute struct {
		Notebooks   any      `json:"execute_notebooks"`
		AllowErrors bool     `json:"allow_errors"`
		Timeout     *float64 `json:"timeout"`
	} `json:"execute"`
}

// words are a line of text in settings. Of a list or a map, which other tools' files of the same name can have there,
// nothing is taken.
type words string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(data []byte) error {
	const limit = 200
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	switch value.(type) {
	case string, float64, bool:
		*w = words(text.Line(fmt.Sprint(value), limit))
	}
	return nil
}

// execution is when notebooks are run: auto (those without output), force or off.
func (c *config) execution() string {
	switch v := c.Execute.Notebooks.(type) {
	case bool:
		if !v {
			return "off"
		}
	case string:
		switch v {
		case "off":
			return "off"
		case "force":
			return "force"
		}
	}
	return "auto"
}

// timeout is how many seconds one cell may run; Jupyter Book's default is 30.
func (c *config) timeout() int {
	const usual, longest = 30, 24 * 60 * 60
	switch t := c.Execute.Timeout; {
	case t == nil:
		return usual
	case *t <= 0:
		return longest
	default:
		return int(min(*t, longest))
	}
}

func readConfig(dir string) (config, error) {
	var c config
	err := readYAML(dir, configFile, &c)
	return c, err
}

// readTOC reads the table of contents, if there is one.
func readTOC(dir string) (*toc, error) {
	var top any
	if err := readYAML(dir, tocFile, &top); err != nil || top == nil {
		return nil, err
	}
	var node tocNode
	if list, ok := top.([]any); ok {
		// The oldest format is a list, whose first entry is the root.
		top = map[string]any{"chapters": list}
	}
	data, err := yaml.Marshal(top)
	if err == nil {
		err = yaml.Unmarshal(data, &node)
	}
	if err != nil {
		return nil, unreadable(tocFile, err)
	}
	t := &toc{root: clean(node.Root)}
	if t.root == "" && len(node.Chapters) > 0 {
		first := &node.Chapters[0]
		t.root, first.File = clean(first.File), ""
	}
	if t.root == "" {
		return nil, failure.New(failure.UnsupportedFile, "%s names no root", tocFile)
	}
	if err := t.add(dir, "", node, 0); err != nil {
		return nil, err
	}
	return t, nil
}

// add adds a node and all below it to the part that it is in.
func (t *toc) add(dir, caption string, node tocNode, depth int) error {
	const deepest = 20
	if depth > deepest {
		return failure.New(failure.UnsupportedFile, "%s is nested deeper than %d levels", tocFile, deepest)
	}
	if own := node.Caption + node.Part; own != "" {
		caption = text.Line(own, 200)
	}
	if len(t.parts) == 0 || t.parts[len(t.parts)-1].caption != caption {
		t.parts = append(t.parts, tocPart{caption: caption})
	}
	last := &t.parts[len(t.parts)-1]
	switch {
	case node.File != "":
		last.entries = append(last.entries, tocEntry{page: clean(node.File)})
	case node.URL != "":
		last.entries = append(last.entries, tocEntry{url: text.Line(node.URL, 1024), title: text.Line(node.Title, 200)})
	case node.Glob != "":
		found, err := fs.Glob(os.DirFS(dir), clean(node.Glob))
		if err != nil {
			return failure.New(failure.UnsupportedFile, "%s has a glob that is none: %s", tocFile, err)
		}
		for _, page := range found {
			last.entries = append(last.entries, tocEntry{page: stem(page)})
		}
	}
	for _, child := range slices.Concat(node.Chapters, node.Sections, node.Entries, node.Parts, node.Subtrees) {
		if err := t.add(dir, caption, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func clean(page string) string {
	if page == "" {
		return ""
	}
	return path.Clean(page)
}

func readYAML(dir, name string, into any) error {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSettings {
		return failure.New(failure.UnsupportedFile, "%s is no plain file, or too large", name)
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		return unreadable(name, err)
	}
	return nil
}

func unreadable(name string, err error) error {
	return failure.New(failure.UnsupportedFile, "%s cannot be read: %s", name, text.Line(err.Error(), 300))
}

// check sees that all pages are there.
func (s *source) check() error {
	if s.toc == nil {
		return nil
	}
	names := []string{s.toc.root}
	for _, part := range s.toc.parts {
		for _, e := range part.entries {
			if e.page != "" {
				names = append(names, e.page)
			}
		}
	}
	for _, name := range names {
		if _, ok := s.page(name); !ok {
			return failure.New(failure.UnsupportedFile, "%s names the page %q, which is not there as .md, .rst or .ipynb", tocFile, text.Line(name, 200))
		}
	}
	return nil
}

// plan is what the book's table of contents comes to where it has none.
func (s *source) plan() *toc {
	if s.toc != nil {
		return s.toc
	}
	t := &toc{root: stem(s.root()), parts: []tocPart{{}}}
	for _, page := range s.pages {
		if stem(page) == t.root || !isContent(page) {
			continue
		}
		t.parts[0].entries = append(t.parts[0].entries, tocEntry{page: stem(page)})
	}
	return t
}

// directive writes a part of the table of contents as a toctree, by reStructuredText or MyST.
func (p tocPart) directive(markdown bool) string {
	var b strings.Builder
	if markdown {
		b.WriteString("\n```{toctree}\n")
	} else {
		b.WriteString("\n\n.. toctree::\n")
	}
	indent := map[bool]string{true: "", false: "   "}[markdown]
	fmt.Fprintf(&b, "%s:maxdepth: 2\n", indent)
	if p.caption != "" {
		fmt.Fprintf(&b, "%s:caption: %s\n", indent, p.caption)
	}
	b.WriteString("\n")
	for _, e := range p.entries {
		switch {
		case e.url == "":
			fmt.Fprintf(&b, "%s/%s\n", indent, e.page)
		case e.title == "":
			fmt.Fprintf(&b, "%s%s\n", indent, e.url)
		default:
			fmt.Fprintf(&b, "%s%s <%s>\n", indent, e.title, e.url)
		}
	}
	if markdown {
		b.WriteString("```\n")
	}
	return b.String()
}
