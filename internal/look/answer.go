package look

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// unknown stands for the version of what is there without saying its version.
const unknown = "unknown"

// wellKnown is what a person choosing an image asks for first, by distribution and in the order in which it is
// shown. The first ones are always looked for as modules too.
var wellKnown = []struct{ distribution, module, name string }{
	{"jupyterlab", "jupyterlab", "JupyterLab"},
	{"notebook", "notebook", "Notebook"},
	{"jupyter-server", "jupyter_server", "Jupyter Server"},
	{"jupyterhub", "jupyterhub", "JupyterHub"},
	{"pip", "pip", "pip"},
	{"tensorflow", "", "TensorFlow"},
	{"torch", "", "PyTorch"},
	{"scikit-learn", "", "scikit-learn"},
	{"pandas", "", "pandas"},
	{"numpy", "", "NumPy"},
	{"scipy", "", "SciPy"},
	{"matplotlib", "", "Matplotlib"},
	{"elyra", "", "Elyra"},
	{"boto3", "", "boto3"},
}

var (
	separators      = regexp.MustCompile(`[-_.]+`)
	requirementName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*`)
)

// answer is what the image's Python said.
type answer struct {
	python   string
	complete bool
	modules  map[string]bool
	// installed holds the first distribution of each name, as the first one on the path is the one imported.
	installed map[string]validate.Package
	required  map[string]bool
}

func parse(output, mark string) *answer {
	a := &answer{modules: map[string]bool{}, installed: map[string]validate.Package{}, required: map[string]bool{}}
	for line := range strings.SplitSeq(output, "\n") {
		fields := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		if len(fields) < 2 || fields[0] != mark {
			continue
		}
		a.note(fields[1], fields[2:])
	}
	return a
}

func (a *answer) note(kind string, fields []string) {
	switch {
	case kind == "python" && len(fields) == 1:
		a.python = fields[0]
	case kind == "module" && len(fields) == 1:
		a.modules[fields[0]] = true
	case kind == "dist" && len(fields) == 2:
		p := validate.Package{Name: fields[0], Version: fields[1]}
		if _, known := a.installed[normal(p.Name)]; !known && validate.ValidPackage(p) {
			a.installed[normal(p.Name)] = p
		}
	case kind == "requires" && len(fields) == 1:
		a.required[normal(requirementName.FindString(fields[0]))] = true
	case kind == "end":
		a.complete = true
	}
}

// pip returns pip's version.
func (a *answer) pip() string {
	if p, ok := a.installed["pip"]; ok {
		return p.Version
	}
	if a.modules["pip"] || firstOnPath("pip", "pip3") != "" {
		return unknown
	}
	return ""
}

func (a *answer) software() []validate.Package {
	list := []validate.Package{{Name: "Python", Version: a.python}}
	for _, w := range wellKnown {
		p, installed := a.installed[w.distribution]
		switch {
		case installed:
			list = append(list, validate.Package{Name: w.name, Version: p.Version})
		case w.module != "" && a.modules[w.module]:
			list = append(list, validate.Package{Name: w.name, Version: unknown})
		}
	}
	return list
}

// packages returns all installed distributions: first those that were asked for, then those that are there only
// because another one needs them, each part by name.
func (a *answer) packages() []validate.Package {
	rank := func(p validate.Package) int {
		if a.required[normal(p.Name)] {
			return 1
		}
		return 0
	}
	list := make([]validate.Package, 0, len(a.installed))
	for _, p := range a.installed {
		list = append(list, p)
	}
	slices.SortFunc(list, func(x, y validate.Package) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(normal(x.Name), normal(y.Name)))
	})
	return list
}

func normal(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}
