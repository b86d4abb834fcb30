package book

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// tree writes files and returns their folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func reasonOf(err error) failure.Reason {
	var f *failure.Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return ""
}

func TestFind(t *testing.T) {
	cases := map[string]struct {
		reason string
		files  map[string]string
		home   string
		pages  []string
		want   failure.Reason
	}{
		"Notebooks": {
			reason: "notebooks are a book",
			files:  map[string]string{"README.md": "", "a/b.ipynb": "{}", ".ipynb_checkpoints/b.ipynb": "", "venv/x.md": "", "code.py": ""},
			home:   ".", pages: []string{"README.md", "a/b.ipynb"},
		},
		"Text":    {reason: "so is a text", files: map[string]string{"guide.md": ""}, home: ".", pages: []string{"guide.md"}},
		"Docs":    {reason: "a book can be in docs", files: map[string]string{"docs/_toc.yml": "root: a", "docs/a.md": "", "b.ipynb": ""}, home: "docs", pages: []string{"a.md"}},
		"Sphinx":  {reason: "a Sphinx project is one", files: map[string]string{"doc/conf.py": "", "doc/index.rst": ""}, home: "doc", pages: []string{"index.rst"}},
		"Code":    {reason: "what is about the repository is none", files: map[string]string{"README.md": "", "LICENSE.md": "", "code.py": ""}, want: failure.BookNotFound},
		"Empty":   {reason: "nothing is none", want: failure.BookNotFound},
		"NoPages": {reason: "a table of contents without pages is none", files: map[string]string{"_toc.yml": "root: a"}, want: failure.BookNotFound},
		"BadToc":  {reason: "what cannot be read is told", files: map[string]string{"_toc.yml": "a: [", "a.md": ""}, want: failure.UnsupportedFile},
		"NoRoot":  {reason: "and what says too little", files: map[string]string{"_toc.yml": "format: jb-book", "a.md": ""}, want: failure.UnsupportedFile},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, c.files)
			s, err := find(dir, "name")
			if got := reasonOf(err); got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("%s: %v", c.reason, err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(append([]string{filepath.Join(dir, c.home)}, c.pages...), append([]string{s.dir}, s.pages...)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestTOC(t *testing.T) {
	page := func(name string) tocEntry { return tocEntry{page: name} }
	cases := map[string]struct {
		text string
		want *toc
	}{
		"Parts": {
			text: "format: jb-book\nroot: intro\nparts:\n- caption: One\n  chapters:\n  - file: a\n    sections:\n    - file: a/b\n- caption: Two\n  chapters:\n  - url: https://x.example\n    title: X\n",
			want: &toc{root: "intro", parts: []tocPart{{}, {"One", []tocEntry{page("a"), page("a/b")}}, {"Two", []tocEntry{{url: "https://x.example", title: "X"}}}}},
		},
		"Chapters": {text: "root: intro\nchapters:\n- file: ./a\n", want: &toc{root: "intro", parts: []tocPart{{"", []tocEntry{page("a")}}}}},
		"Article":  {text: "format: jb-article\nroot: intro\nsections:\n- glob: g*\n", want: &toc{root: "intro", parts: []tocPart{{"", []tocEntry{page("g1"), page("g2")}}}}},
		"List":     {text: "- file: intro\n- file: a\n", want: &toc{root: "intro", parts: []tocPart{{"", []tocEntry{page("a")}}}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readTOC(tree(t, map[string]string{tocFile: c.text, "g1.md": "", "g2.ipynb": ""}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(toc{}, tocPart{}, tocEntry{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if _, err := readTOC(tree(t, map[string]string{tocFile: "root: a\nchapters:\n" + nested(30)})); reasonOf(err) != failure.UnsupportedFile {
		t.Errorf("thirty levels: %v", err)
	}
	if got, err := readTOC(t.TempDir()); got != nil || err != nil {
		t.Errorf("no table of contents: %v, %v", got, err)
	}
}

func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat("  ", i) + "- file: a\n" + strings.Repeat("  ", i) + "  sections:\n")
	}
	return b.String() + strings.Repeat("  ", depth) + "- file: a\n"
}

func TestMissingPagesAreTold(t *testing.T) {
	s, err := find(tree(t, map[string]string{"_toc.yml": "root: a\nchapters:\n- file: b\n", "a.md": ""}), "name")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.check(); reasonOf(err) != failure.UnsupportedFile || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("check: %v", err)
	}
}

func TestFirstPageLeadsToAll(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		root  string
		want  []string
	}{
		"Readme":   {map[string]string{"README.md": "# Hi\n", "a.ipynb": "{}"}, "README", []string{"# Hi", "```{toctree}", "/a\n"}},
		"Own":      {map[string]string{"index.rst": "Hi\n==\n\n.. toctree::\n\n   a\n", "a.md": ""}, "index", []string{".. toctree::\n\n   a\n"}},
		"None":     {map[string]string{"a.md": "", "b.ipynb": "{}"}, "index", []string{"name\n====\n", "   /a\n", "   /b\n"}},
		"Notebook": {map[string]string{"_toc.yml": "root: a\nchapters:\n- file: b\n", "_config.yml": "title: T\n", "a.ipynb": "{}", "b.md": ""}, "contents", []string{"T\n=\n", "   /a\n", "   /b\n"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := find(tree(t, c.files), "name")
			if err != nil {
				t.Fatal(err)
			}
			m := &maker{source: s}
			contents, err := m.complete()
			if err != nil {
				t.Fatal(err)
			}
			root, err := m.linkPages(contents)
			if err != nil || root != c.root {
				t.Fatalf("linkPages = %q, %v", root, err)
			}
			file, ok := m.page(root)
			if !ok {
				file = root + ".rst"
			}
			data, err := os.ReadFile(filepath.Join(s.dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(data), want) {
					t.Errorf("%s lacks %q:\n%s", file, want, data)
				}
			}
			if n := strings.Count(string(data), "toctree"); name == "Own" && n != 1 {
				t.Errorf("%d tables of contents:\n%s", n, data)
			}
		})
	}
}

func TestExecution(t *testing.T) {
	cases := map[string]struct {
		text    string
		want    string
		seconds int
	}{
		"Nothing": {"", "auto", 30},
		"False":   {"execute:\n  execute_notebooks: off\n", "off", 30},
		"Text":    {"execute:\n  execute_notebooks: 'off'\n  timeout: 5\n", "off", 5},
		"Force":   {"execute:\n  execute_notebooks: force\n  timeout: -1\n", "force", 86400},
		"Cache":   {"execute:\n  execute_notebooks: cache\n", "auto", 30},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readConfig(tree(t, map[string]string{configFile: c.text}))
			if err != nil || got.execution() != c.want || got.timeout() != c.seconds {
				t.Errorf("%s, %d s, %v", got.execution(), got.timeout(), err)
			}
		})
	}
}

// A _config.yml can be Jekyll's, which has other things under the same names.
func TestOtherConfigurations(t *testing.T) {
	cases := map[string]struct{ text, title, author string }{
		"Usual":  {"title: A book\nauthor: Somebody\n", "A book", "Somebody"},
		"Number": {"title: 2024\n", "2024", ""},
		"Map":    {"title: Blog\nauthor:\n  name: Somebody\n", "Blog", ""},
		"List":   {"title: Blog\nauthor: [a, b]\n", "Blog", ""},
		"Lines":  {"title: |\n  One\n  two\n", "One two", ""},
		"Null":   {"title:\n", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readConfig(tree(t, map[string]string{configFile: c.text}))
			if err != nil || string(got.Title) != c.title || string(got.Author) != c.author {
				t.Errorf("%q by %q, %v", got.Title, got.Author, err)
			}
		})
	}
}

// The words are those of nbsphinx 0.8, Jupyter Book 1 and nbconvert 6.5.
func TestFailedNotebook(t *testing.T) {
	cases := map[string]struct{ log, want string }{
		"Nbsphinx": {
			"reading sources... [100%] a\n\nNotebook error:\nCellExecutionError in dir/a b.ipynb:\n------------------\nx\n------------------\n\n\x1b[0;31mNameError\x1b[0m: name 'x' is not defined\nNameError: name 'x' is not defined\n\nYou can ignore this error by\n",
			`Notebook "dir/a b.ipynb" could not be run: NameError: name 'x' is not defined`,
		},
		"JupyterBook": {
			"/w/source/a.ipynb: WARNING: Executing notebook failed: CellExecutionError [mystnb.exec]\n",
			`Notebook "a.ipynb" could not be run: a cell failed`,
		},
		"Nbconvert": {
			"[NbConvertApp] Converting notebook /w/source/a.ipynb to html\nTraceback (most recent call last):\nnbclient.exceptions.CellExecutionError: An error occurred while executing the following cell:\n------------------\n1/0\n------------------\n\nZeroDivisionError: division by zero\nZeroDivisionError: division by zero\n",
			`Notebook "a.ipynb" could not be run: ZeroDivisionError: division by zero`,
		},
		"Timeout": {
			"CellTimeoutError in a.ipynb:\nA cell timed out while it was being executed, after 30 seconds.\n",
			`Notebook "a.ipynb" could not be run: a cell took longer than it may; execute.timeout in _config.yml allows more`,
		},
		"Good": {"build succeeded.\n", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := &maker{source: &source{dir: "/w/source"}}
			m.log.WriteString(c.log)
			err := m.failedNotebook()
			if c.want == "" && err == nil {
				return
			}
			if reasonOf(err) != failure.BuildFailed || !strings.HasSuffix(err.Error(), ": "+c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// What is packed passes the check, and the second one too that every layer has to pass.
func TestPackAndCheck(t *testing.T) {
	html := tree(t, map[string]string{"index.html": "1", "a/b.html": "22", "search.html": "", "_static/x.css": "333", ".doctrees/x": "", ".buildinfo": ""})
	if err := os.Symlink("/etc/passwd", filepath.Join(html, "link.html")); err != nil {
		t.Fatal(err)
	}
	told, err := tidy(html)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "site.tar")
	if err := Pack(file, html, filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	counted, err := Check(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	want := &Report{Pages: 2, Bytes: 6}
	if diff := cmp.Diff([]*Report{want, want}, []*Report{told, counted}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := layer.Verify(io.Discard, bytes.NewReader(data), layer.Limits{}); err != nil {
		t.Error(err)
	}
}

func TestCheckRefuses(t *testing.T) {
	cases := map[string]*tar.Header{
		"Outside":  {Name: "builder", Typeflag: tar.TypeReg},
		"Climbing": {Name: "site/../builder", Typeflag: tar.TypeReg},
		"Link":     {Name: "site/a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"Hard":     {Name: "site/a", Typeflag: tar.TypeLink, Linkname: "builder"},
		"Device":   {Name: "site/a", Typeflag: tar.TypeChar},
		"Whiteout": {Name: "site/.wh.a", Typeflag: tar.TypeReg},
		"File":     {Name: "site", Typeflag: tar.TypeReg},
		"Similar":  {Name: "sites/a", Typeflag: tar.TypeReg},
		"NoIndex":  {Name: "site/a.html", Typeflag: tar.TypeReg},
	}
	for name, h := range cases {
		t.Run(name, func(t *testing.T) {
			var data bytes.Buffer
			w := tar.NewWriter(&data)
			entries := []*tar.Header{{Name: "site/", Typeflag: tar.TypeDir}, {Name: "site/index.html", Typeflag: tar.TypeReg}, h}
			if name == "NoIndex" {
				entries = []*tar.Header{h}
			}
			for _, entry := range entries {
				if err := w.WriteHeader(entry); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Check(&data); reasonOf(err) != failure.UnsupportedFile {
				t.Errorf("Check: %v", err)
			}
		})
	}
	if _, err := Check(strings.NewReader("nonsense")); reasonOf(err) != failure.UnsupportedFile {
		t.Errorf("Check of nonsense: %v", err)
	}
}

func TestParseReport(t *testing.T) {
	if _, err := ParseReport([]byte(`{"tool":"Sphinx","pages":3,"bytes":4}`)); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "{}", `{"tool":"Other"}`, `{"tool":"Sphinx","pages":-1}`, `{"tool":"Sphinx","pages":99999999}`, `{"tool":"` + strings.Repeat("x", 2000) + `"}`} {
		if got, err := ParseReport([]byte(text)); err == nil {
			t.Errorf("%.40q is read as %+v", text, got)
		}
	}
}

func TestHandler(t *testing.T) {
	site := fstest.MapFS{
		"index.html": {Data: []byte("home")}, "a/index.html": {Data: []byte("a")}, "a/b.css": {Data: []byte("b")}, "empty/x.txt": {Data: []byte("x")},
		"with space.ipynb": {Data: []byte("{}")}, "404.html": {Data: []byte("none")},
	}
	h := Handler(site, "v1")
	cases := map[string]struct {
		method, path, etag string
		code               int
		body, kind         string
	}{
		"Home":      {path: "/", code: 200, body: "home", kind: "text/html; charset=utf-8"},
		"Folder":    {path: "/a/", code: 200, body: "a"},
		"NoSlash":   {path: "/a", code: 301},
		"File":      {path: "/a/b.css", code: 200, body: "b", kind: "text/css; charset=utf-8"},
		"Blank":     {path: "/with%20space.ipynb", code: 200, body: "{}", kind: "application/x-ipynb+json"},
		"NoIndex":   {path: "/empty/", code: 404, body: "none"},
		"Absent":    {path: "/nope", code: 404, body: "none"},
		"Climbing":  {path: "/../../etc/passwd", code: 404, body: "none"},
		"Encoded":   {path: "/..%2f..%2fetc/passwd", code: 404, body: "none"},
		"Post":      {method: http.MethodPost, path: "/", code: 405},
		"Head":      {method: http.MethodHead, path: "/", code: 200},
		"Unchanged": {path: "/", etag: `"v1"`, code: 304},
		"Changed":   {path: "/", etag: `"v0"`, code: 200, body: "home"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			req := httptest.NewRequest(method, "http://site.example"+c.path, nil)
			if c.etag != "" {
				req.Header.Set("If-None-Match", c.etag)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != c.code || c.body != "" && w.Body.String() != c.body || c.kind != "" && w.Header().Get("Content-Type") != c.kind {
				t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
			}
			if w.Header().Get("Last-Modified") != "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", w.Header())
			}
			if c.code == 301 && w.Header().Get("Location") != "./a/" {
				t.Errorf("location %q", w.Header().Get("Location"))
			}
		})
	}
}

// image makes a folder of programs that stand for a book image's, and leads the way to it.
func image(t *testing.T, programs map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
}

// What stands for Jupyter Book makes a page that has its arguments, and the table of contents that it found.
const jupyterBook = `
while [ $# -gt 1 ]; do [ "$1" = --path-output ] && out=$2; shift; done
mkdir -p "$out/_build/html"
cat "$1/_toc.yml" > "$out/_build/html/index.html"
`

func TestBuild(t *testing.T) {
	notebook := map[string]string{"README.md": "# Hi", "a.ipynb": `{"cells":[]}`}
	cases := map[string]struct {
		reason   string
		programs map[string]string
		files    map[string]string
		tool     Tool
		index    string
		want     failure.Reason
	}{
		"JupyterBook": {
			reason:   "Jupyter Book comes first, and is given the table of contents that it cannot do without",
			programs: map[string]string{"jupyter-book": jupyterBook, "python3": "exit 0"}, files: notebook,
			tool: JupyterBook, index: "chapters:\n- file: a\nformat: jb-book\nroot: README\n",
		},
		"FailedNotebook": {
			reason:   "Jupyter Book only warns of a notebook that fails",
			programs: map[string]string{"jupyter-book": jupyterBook + `echo "$1/a.ipynb: WARNING: Executing notebook failed: CellExecutionError"`}, files: notebook,
			want: failure.BuildFailed,
		},
		"Allowed": {
			reason:   "which can be allowed",
			programs: map[string]string{"jupyter-book": jupyterBook + `echo "$1/a.ipynb: WARNING: Executing notebook failed: CellExecutionError"`},
			files:    map[string]string{"a.ipynb": "{}", "_config.yml": "execute:\n  allow_errors: true\n"},
			tool:     JupyterBook, index: "chapters:\n- file: a\nformat: jb-book\nroot: index\n",
		},
		"Nothing":    {reason: "an image without any tool is the admin's", programs: map[string]string{"python3": "exit 1"}, files: notebook, want: failure.ImageInvalid},
		"NoSphinx":   {reason: "so is one that lacks what a project needs", programs: map[string]string{"python3": `[ "$2" != "import sphinx" ]`}, files: map[string]string{"conf.py": "", "index.rst": ""}, want: failure.ImageInvalid},
		"Fails":      {reason: "a tool that fails is told by its last words", programs: map[string]string{"jupyter-book": "echo Broken; exit 3"}, files: notebook, want: failure.BuildFailed},
		"OtherBook":  {reason: "a Jupyter Book of another version is not used", programs: map[string]string{"jupyter-book": "exit 0"}, files: notebook, want: failure.ImageInvalid},
		"Repository": {reason: "no book, no build", programs: map[string]string{"jupyter-book": "exit 0"}, files: map[string]string{"README.md": ""}, want: failure.BookNotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			image(t, c.programs)
			html, report, err := Build(t.Context(), Options{Source: tree(t, c.files), Name: "name", Work: t.TempDir(), Python: "python3", Output: io.Discard})
			if got := reasonOf(err); got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("%s: %v", c.reason, err)
			}
			if err != nil {
				return
			}
			index, err := os.ReadFile(filepath.Join(html, "index.html"))
			if err != nil || report.Tool != c.tool || string(index) != c.index {
				t.Errorf("%s: %+v, %q, %v", c.reason, report, index, err)
			}
		})
	}
}
