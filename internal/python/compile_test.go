package python_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/python"
)

// forks has Python note each process that a process of its own begins.
const forks = `
import os
fork = os.fork
def noted():
    with open(os.environ["FORKS"], "a") as f:
        f.write(".")
    return fork()
os.fork = noted
`

// modules installs a package of so many modules.
func modules(t *testing.T, site string, count int) {
	t.Helper()
	folder, info := filepath.Join(site, "many"), filepath.Join(site, "many-1.0.dist-info")
	must(t, os.MkdirAll(folder, 0o755))
	must(t, os.MkdirAll(info, 0o755))
	var record strings.Builder
	for i := range count {
		name := fmt.Sprintf("m%03d", i)
		fmt.Fprintf(&record, "many/%s.py,,\n", name)
		source := fmt.Sprintf("\"\"\"%s\"\"\"\nnames = {\"a\", \"b\", %q}\n\n\ndef f(a, b=%d):\n    return a + b if a in names else None\n", name, name, i)
		must(t, os.WriteFile(filepath.Join(folder, name+".py"), []byte(source), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(info, "RECORD"), []byte(record.String()), 0o644))
}

// compiled compiles the package below dir, and returns its byte code by name, and how many further processes that took.
func compiled(t *testing.T, interpreter, dir string) (code map[string]string, processes int) {
	t.Helper()
	cache := filepath.Join(dir, "many", "__pycache__")
	must(t, os.RemoveAll(cache))
	lock, log := filepath.Join(dir, "lock"), filepath.Join(dir, "forks")
	must(t, os.WriteFile(lock, []byte("many==1.0 \\\n    --hash=sha256:00\n"), 0o600))
	must(t, os.WriteFile(log, nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "sitecustomize.py"), []byte(forks), 0o600))
	cmd := exec.Command(interpreter, python.CompileArgs(lock)...)
	cmd.Env = append(append(os.Environ(), python.Env(false)...), "PYTHONPATH="+dir, "FORKS="+log)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("compiling: %v\n%s", err, out)
	}
	noted, err := os.ReadFile(log)
	must(t, err)
	files, err := filepath.Glob(filepath.Join(cache, "*.pyc"))
	must(t, err)
	code = map[string]string{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		must(t, err)
		code[filepath.Base(name)] = string(data)
	}
	return code, len(noted)
}

func TestCompile(t *testing.T) {
	for name, c := range map[string]struct {
		reason           string
		files, processes int
	}{
		"None": {reason: "nothing to compile, nothing to begin", files: 0, processes: 0},
		"One":  {reason: "a file needs no other process", files: 1, processes: 0},
		"Few":  {reason: "few files are compiled before others would be up", files: 31, processes: 0},
		"Many": {reason: "many are shared out", files: 32, processes: 4},
	} {
		t.Run(name, func(t *testing.T) {
			interpreter, dir := interpreters(t)[0], t.TempDir()
			modules(t, dir, c.files)
			code, processes := compiled(t, interpreter, dir)
			if len(code) != c.files || processes != c.processes {
				t.Errorf("\n%s\nwant %d files by %d more processes, got %d by %d", c.reason, c.files, c.processes, len(code), processes)
			}
			again, _ := compiled(t, interpreter, dir)
			if diff := cmp.Diff(code, again); diff != "" {
				t.Errorf("the same files gave other byte code:\n%s", diff)
			}
		})
	}
}
