package python_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/meteor-zone/meteor-operator/internal/python"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// index is a package index of made-up packages.
type index struct {
	url   string
	files map[string][]file
	// answer is the status of the pages of some projects.
	answer map[string]int
}

type file struct {
	name, yanked, python string
	data                 []byte
}

func newIndex(t *testing.T) *index {
	t.Helper()
	i := &index{files: map[string][]file{}, answer: map[string]int{}}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// simple is the index's URL, with credentials that must never be seen again.
func (i *index) simple() string {
	return strings.Replace(i.url, "://", "://ann:secret-word@", 1) + "/simple"
}

// ServeHTTP implements http.Handler.
func (i *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	project := parts[min(1, len(parts)-1)]
	files, known := i.files[project]
	switch status := i.answer[project]; {
	case status != 0 && (parts[0] == "simple" || status == http.StatusGone):
		w.WriteHeader(status)
	case !known:
		w.WriteHeader(http.StatusNotFound)
	case parts[0] == "simple":
		w.Header().Set("Content-Type", "text/html")
		for _, f := range files {
			attributes := ""
			if f.yanked != "" {
				attributes = fmt.Sprintf(" data-yanked=%q", f.yanked)
			}
			if f.python != "" {
				attributes += fmt.Sprintf(" data-requires-python=%q", html.EscapeString(f.python))
			}
			fmt.Fprintf(w, "<a href=\"/files/%s/%s\"%s>%s</a>\n", project, f.name, attributes, f.name)
		}
	default:
		for _, f := range files {
			if f.name == parts[len(parts)-1] {
				_, _ = w.Write(f.data)
			}
		}
	}
}

// wheel adds a wheel; lines go into its metadata, extra files into it.
func (i *index) wheel(t *testing.T, name, version string, edit func(*file), extra map[string]string, lines ...string) {
	t.Helper()
	stem := strings.ReplaceAll(name, "-", "_") + "-" + version
	content := map[string]string{
		stem + ".dist-info/METADATA": fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s", name, version, strings.Join(append(lines, ""), "\n")),
		stem + ".dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		stem + ".dist-info/RECORD":   "",
	}
	for path, text := range extra {
		content[strings.ReplaceAll(path, "STEM", stem)] = text
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, path := range sortedKeys(content) {
		w, err := z.Create(path)
		must(t, err)
		_, err = w.Write([]byte(content[path]))
		must(t, err)
	}
	must(t, z.Close())
	f := file{name: stem + "-py3-none-any.whl", data: buf.Bytes()}
	if edit != nil {
		edit(&f)
	}
	i.files[name] = append(i.files[name], f)
}

// sdist adds a source package with its own build back end, which needs nothing installed.
func (i *index) sdist(t *testing.T, name, version, backend string) {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
	for path, text := range map[string]string{
		"PKG-INFO":       metadata,
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
		"backend.py":     backend,
	} {
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name + "-" + version + "/" + path, Mode: 0o644, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		must(t, err)
	}
	must(t, w.Close())
	must(t, z.Close())
	i.files[name] = append(i.files[name], file{name: name + "-" + version + ".tar.gz", data: buf.Bytes()})
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// findInterpreters finds this machine's Pythons that have pip.
var findInterpreters = sync.OnceValue(func() []string {
	var found []string
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		// The name may be that of a script which chooses one.
		out, err := exec.Command(name, "-c", "import sys, pip; print(sys.executable)").Output()
		if path := strings.TrimSpace(string(out)); err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found
})

func interpreters(t *testing.T) []string {
	t.Helper()
	found := findInterpreters()
	if len(found) == 0 {
		t.Fatal("this needs python3 with pip and venv (Debian: python3-pip, python3-venv)")
	}
	return found
}

// environment is a Python environment, as a base image has one.
type environment struct {
	python, root string
}

func newEnvironment(t *testing.T, interpreter, root string) *environment {
	t.Helper()
	must(t, os.RemoveAll(root))
	out, err := exec.Command(interpreter, "-m", "venv", "--without-pip", filepath.Join(root, "app")).CombinedOutput()
	if err != nil {
		t.Fatalf("cannot create an environment: %v\n%s", err, out)
	}
	return &environment{python: interpreter, root: root}
}

func (e *environment) bin() string { return filepath.Join(e.root, "app/bin/python") }

// pip runs pip for this environment, as the builder does.
func (e *environment) pip(t *testing.T, args []string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(e.python, args...)
	home := t.TempDir()
	cmd.Env = append(append(os.Environ(), "PIP_CONFIG_FILE="+os.DevNull, "PIP_PYTHON="+e.bin(), "HOME="+home), python.Env(false)...)
	cmd.Env = append(cmd.Env, "PIP_RETRIES=1", "PIP_TIMEOUT=3")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// resolve has pip resolve requirements and returns the paths of report and log.
func (e *environment) resolve(t *testing.T, from python.Index, requirements ...string) (report, log string, err error) {
	t.Helper()
	dir := t.TempDir()
	list := filepath.Join(dir, "requirements.txt")
	report, log = filepath.Join(dir, "report.json"), filepath.Join(dir, "pip.log")
	must(t, os.WriteFile(list, []byte(strings.Join(requirements, "\n")+"\n"), 0o600))
	out, err := e.pip(t, python.ResolveArgs(report, log, from, list))
	if err != nil {
		t.Logf("pip said:\n%s", out)
	}
	return report, log, err
}

// install has pip install a lock.
func (e *environment) install(t *testing.T, from python.Index, lock []byte) (log string, err error) {
	t.Helper()
	dir := t.TempDir()
	list := filepath.Join(dir, "requirements.lock")
	log = filepath.Join(dir, "pip.log")
	must(t, os.WriteFile(list, lock, 0o600))
	out, err := e.pip(t, python.InstallArgs(list, log, from))
	if err != nil {
		t.Logf("pip said:\n%s", out)
		return log, err
	}
	compile := exec.Command(e.bin(), python.CompileArgs(list)...)
	compile.Env = append(os.Environ(), python.Env(false)...)
	if out, err := compile.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("compiling: %v\n%s", err, out)
	}
	return log, err
}
