package bundle

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const module = "github.com/meteor-zone/meteor-operator"

// TestDockerfiles wants all that is copied from the checkout to be there, and not to be kept from container engines by
// .dockerignore; and all packages that the operator's image is compiled from to be copied.
func TestDockerfiles(t *testing.T) {
	for _, file := range []string{"Dockerfile", "bundle.Dockerfile", "catalog.Dockerfile"} {
		for _, from := range copied(t, file) {
			if _, err := os.Stat(filepath.Join(root, from)); err != nil {
				t.Errorf("%s copies %s: %v", file, from, err)
			}
			if !sent(t, from) {
				t.Errorf("%s copies %s, which .dockerignore keeps from it", file, from)
			}
		}
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}}", "./cmd/...", "./hack/image")
	list.Dir = root
	packages, err := list.Output()
	must(t, err)
	there := copied(t, "Dockerfile")
	for pkg := range strings.Lines(string(packages)) {
		dir, ours := strings.CutPrefix(strings.TrimSpace(pkg), module+"/")
		if ours && !slices.ContainsFunc(there, func(from string) bool { return below(dir, from) }) {
			t.Errorf("the Dockerfile compiles %s and does not copy it", dir)
		}
	}
}

// copied are the paths in the checkout that a Dockerfile copies.
func copied(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.Open(filepath.Join(root, file))
	must(t, err)
	defer content.Close()
	parsed, err := parser.Parse(content)
	must(t, err)
	var out []string
	for _, instruction := range parsed.AST.Children {
		if !strings.EqualFold(instruction.Value, "copy") || len(instruction.Flags) > 0 {
			continue
		}
		for n := instruction.Next; n != nil && n.Next != nil; n = n.Next {
			out = append(out, path.Clean(n.Value))
		}
	}
	if len(out) == 0 {
		t.Errorf("%s copies nothing", file)
	}
	return out
}

// sent tells whether .dockerignore, which begins by leaving all out, lets a path in.
func sent(t *testing.T, name string) bool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	must(t, err)
	lines := strings.Split(string(content), "\n")
	if lines[0] != "*" {
		t.Fatal(".dockerignore does not begin by leaving all out")
	}
	return slices.ContainsFunc(lines, func(line string) bool {
		let, in := strings.CutPrefix(line, "!")
		return in && below(name, let)
	})
}

// below tells whether a path is a folder or in it.
func below(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }
