package repository_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/python"
	"github.com/meteor-zone/meteor-operator/internal/repository"
)

// image is an environment of this machine's Python.
func image(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "app")
	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", root).CombinedOutput(); err != nil {
		t.Fatalf("this needs python3 with venv: %v\n%s", err, out)
	}
	return root
}

// assembler makes one for a repository with files.
func assembler(t *testing.T, root string, files map[string]string) (*repository.Assembler, *bytes.Buffer) {
	t.Helper()
	content := map[string]string{}
	for name, text := range files {
		kind, rest, ok := strings.Cut(name, ":")
		if ok {
			content[kind+":content/"+rest] = text
		} else {
			content["content/"+name] = text
		}
	}
	dir, printed := folder(t, content), &bytes.Buffer{}
	_, hasPostBuild := files["x:postBuild"]
	return &repository.Assembler{
		Request: &repository.Request{Name: "notes", Plan: &repository.Plan{Kind: repository.Layer}, Wishes: &repository.Wishes{}, PostBuild: hasPostBuild},
		Dir:     dir, Work: t.TempDir(), Python: filepath.Join(root, "bin/python"), Home: "/somewhere", Output: printed,
		Classify: func(r io.Reader) *failure.Failure { return python.Classify(r, python.Index{}) },
	}, printed
}

// names lists the files below a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	out := []string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, p)
			out = append(out, name)
		}
		return err
	}))
	return out
}

// server starts the extension as a notebook server does, without one, and prints what it logs.
const server = `
import logging, sys, types
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
import meteor_repository as m
app = types.SimpleNamespace(root_dir=sys.argv[1], log=logging.getLogger())
assert m._jupyter_server_extension_points() == [{"module": "meteor_repository"}]
m.load_jupyter_server_extension(app)
`

func start(t *testing.T, root, home string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "bin/python"), "-B", "-c", server, home)
	cmd.Dir = t.TempDir() // Python finds modules where it is started
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the server would not have started: %v\n%s", err, out)
	}
	return string(out)
}

func TestContentReachesTheNotebook(t *testing.T) {
	root, home := image(t), t.TempDir()
	a, _ := assembler(t, root, map[string]string{"a.ipynb": "one", "x:bin/run": "#!/bin/sh\n", "l:b.ipynb": "a.ipynb"})
	must(t, a.Run(t.Context()))
	place := filepath.Join(root, "share/meteor/repository/notes")
	want := []string{"a.ipynb", "b.ipynb", "bin/run"}
	if diff := cmp.Diff(want, names(t, place)); diff != "" {
		t.Errorf("in the image: -want, +got:\n%s", diff)
	}
	for _, config := range []string{"jupyter_server_config.d", "jupyter_notebook_config.d"} {
		data, err := os.ReadFile(filepath.Join(root, "etc/jupyter", config, "meteor_repository.json"))
		if err != nil || !strings.Contains(string(data), `"meteor_repository": true`) {
			t.Errorf("%s: %s, %v", config, data, err)
		}
	}
	// The image's files may be somebody else's, and read-only.
	must(t, os.Chmod(filepath.Join(place, "a.ipynb"), 0o444))
	if got := start(t, root, home); !strings.Contains(got, "INFO The repository notes was put into "+home) {
		t.Errorf("logged %q", got)
	}
	if diff := cmp.Diff(want, names(t, filepath.Join(home, "notes"))); diff != "" {
		t.Errorf("in the notebook: -want, +got:\n%s", diff)
	}
	must(t, os.WriteFile(filepath.Join(home, "notes/a.ipynb"), []byte("mine"), 0o644))
	must(t, os.Remove(filepath.Join(home, "notes/bin/run")))
	if got := start(t, root, home); got != "" {
		t.Errorf("logged %q", got)
	}
	if data, err := os.ReadFile(filepath.Join(home, "notes/a.ipynb")); err != nil || string(data) != "mine" {
		t.Errorf("what was there became %q, %v", data, err)
	}
	if got := names(t, home); len(got) != 2 {
		t.Errorf("the home folder holds %v", got)
	}
}

func TestTheNotebookStartsWithoutContent(t *testing.T) {
	root := image(t)
	a, _ := assembler(t, root, map[string]string{"a.ipynb": "one"})
	must(t, a.Run(t.Context()))
	if got := start(t, root, "/proc/nowhere"); !strings.Contains(got, "WARNING The repository notes could not be put into /proc/nowhere") {
		t.Errorf("logged %q", got)
	}
	must(t, os.RemoveAll(filepath.Join(root, "share/meteor")))
	if got := start(t, root, t.TempDir()); got != "" {
		t.Errorf("logged %q", got)
	}
}

func TestPostBuild(t *testing.T) {
	cases := map[string]struct {
		script, printed string
		reason          failure.Reason
		message         string
	}{
		"Good":          {script: "#!/bin/sh\n[ -z \"$PIP_INDEX_URL\" ] || echo $PIP_INDEX_URL; echo $HOME; echo $REPO_DIR | sed 's#.*/share#share#'; echo made > made; cat a\n", printed: "/somewhere\nshare/meteor/repository/notes\none"},
		"Fails":         {script: "#!/bin/sh\necho first; echo 'https://u:s3cret@h/x' >&2; exit 3\n", reason: failure.BuildFailed, message: "The repository's postBuild ended with exit code 3: first; https://"},
		"Silent":        {script: "#!/bin/sh\nexit 4\n", reason: failure.BuildFailed, message: "exit code 4: it printed nothing"},
		"Killed":        {script: "#!/bin/sh\nkill -9 $$\n", reason: failure.BuildFailed, message: "memory"},
		"NoInterpreter": {script: "echo\n", reason: failure.UnsupportedFile, message: "#!/bin/sh"},
		"Unknown":       {script: "#!/no/such/thing\n", reason: failure.UnsupportedFile, message: "does not have the interpreter"},
	}
	cases["Index"] = cases["Good"]
	root := image(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, printed := assembler(t, root, map[string]string{"a": "one", "x:postBuild": tc.script})
			if name == "Index" {
				a.Index.URL = "https://index.example/simple"
				tc.printed = a.Index.URL + "\n" + tc.printed
			}
			err := a.Run(t.Context())
			if tc.reason == "" {
				must(t, err)
				if printed.String() != tc.printed {
					t.Errorf("printed %q, want %q", printed, tc.printed)
				}
				return
			}
			var f *failure.Failure
			if !errors.As(err, &f) || f.Reason != tc.reason || !strings.Contains(f.Message, tc.message) || strings.Contains(f.Message, "s3cret") {
				t.Errorf("got %v, want %s with %q", err, tc.reason, tc.message)
			}
		})
	}
}

func TestS2I(t *testing.T) {
	t.Cleanup(func() { _ = os.RemoveAll("/tmp/src") })
	root, scripts := image(t), t.TempDir()
	a, printed := assembler(t, root, map[string]string{"a": "one"})
	a.Request.Plan.S2I, a.Request.Plan.Scripts = true, scripts
	a.Index = python.Index{URL: "https://index.example/simple", TrustedHosts: []string{"index.example"}}
	var f *failure.Failure
	if err := a.Run(t.Context()); !errors.As(err, &f) || f.Reason != failure.ImageInvalid {
		t.Errorf("without assemble: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(scripts, "assemble"), []byte("#!/bin/sh\necho $PIP_INDEX_URL $PIP_TRUSTED_HOST $HOME; cat /tmp/src/a\n"), 0o755))
	must(t, a.Run(t.Context()))
	if want := "https://index.example/simple index.example /somewhere\none"; printed.String() != want {
		t.Errorf("printed %q, want %q", printed, want)
	}
	must(t, os.WriteFile(filepath.Join(scripts, "assemble"), []byte("#!/bin/sh\necho no; exit 1\n"), 0o755))
	if err := a.Run(t.Context()); !errors.As(err, &f) || f.Reason != failure.BuildFailed || !strings.Contains(f.Message, "assemble ended with exit code 1: no") {
		t.Errorf("a failing assemble: %v", err)
	}
}

func TestConda(t *testing.T) {
	root, bin := image(t), t.TempDir()
	a, printed := assembler(t, root, map[string]string{"environment.yml": "dependencies: [x]\n"})
	a.Request.Wishes.Conda = "environment.yml"
	wantUnsupported(t, a.Run(t.Context()), `"environment.yml" needs conda or mamba`)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	must(t, os.WriteFile(filepath.Join(bin, "conda"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o755))
	must(t, a.Run(t.Context()))
	if want := "env update --prefix " + root + " --file " + filepath.Join(a.Dir, "content/environment.yml") + "\n"; printed.String() != want {
		t.Errorf("printed %q, want %q", printed, want)
	}
}

func TestRequest(t *testing.T) {
	dir := t.TempDir()
	want := &repository.Request{
		Name: "n", URL: "u", Commit: "c", Plan: &repository.Plan{Kind: repository.Layer, Files: []string{"requirements.txt"}},
		Wishes: &repository.Wishes{File: "requirements.txt", Requirements: []string{"a", "b"}, Constraints: []string{"c<1"}},
	}
	must(t, want.Save(dir))
	got, err := repository.Load(dir)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	data, err := os.ReadFile(filepath.Join(dir, "requirements.txt"))
	must(t, err)
	if want := "--constraint " + filepath.Join(dir, "constraints.txt") + "\na\nb\n"; string(data) != want {
		t.Errorf("requirements are %q, want %q", data, want)
	}
}
