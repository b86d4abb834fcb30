// Package look gathers what can be seen from inside an image: its Python, what is installed and $HOME. It runs
// in the user's image, as the image's own user would, and neither trusts what it finds there nor depends on
// anything being there, a shell included.
package look

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/text"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

const (
	// Timeout is how long the image's Python has to answer.
	Timeout = 20 * time.Second
	// resultBytes is what the look may take as a quoted JSON string. Kubernetes gives all containers of a pod
	// 12 KiB for their last words, each an equal share; this fits where the pod has seven, Tekton's own wrapping
	// of it included.
	resultBytes = 1500
)

// Gather looks around. It always returns a look; what went wrong is in it.
func Gather(ctx context.Context) *validate.Look {
	look := &validate.Look{Home: home()}
	python := firstOnPath("python3", "python")
	if python == "" {
		return look
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	answer, problem := ask(ctx, python)
	look.Problem = problem
	if answer == nil {
		return look
	}
	look.Python = answer.python
	look.Pip = answer.pip()
	look.Software = answer.software()
	packages := answer.packages()
	look.PackagesTotal = len(packages)
	fit(look, packages)
	return look
}

// fit fills in as many packages as the result has room for.
func fit(look *validate.Look, packages []validate.Package) {
	look.Problem = text.Line(look.Problem, 200)
	room := resultBytes - quotedSize(look) - len(`\"packages\":\"\",`)
	for room < 0 && len(look.Software) > 0 {
		look.Software = look.Software[:len(look.Software)-1]
		room = resultBytes - quotedSize(look) - len(`\"packages\":\"\",`)
	}
	look.Packages, _ = validate.PackPackages(packages, room)
}

// quotedSize is the size of the look as a JSON string within JSON.
func quotedSize(look *validate.Look) int {
	// Strings, numbers and booleans can always be encoded.
	data, _ := json.Marshal(look)
	quoted, _ := json.Marshal(string(data))
	return len(quoted)
}

func home() validate.Home {
	path := os.Getenv("HOME")
	h := validate.Home{Path: text.Line(path, 200)}
	if !filepath.IsAbs(path) {
		return h
	}
	f, err := os.CreateTemp(path, ".meteor-look-*")
	if err != nil {
		return h
	}
	h.Writable = f.Close() == nil && os.Remove(f.Name()) == nil
	return h
}

func firstOnPath(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
