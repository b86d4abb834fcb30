package repository

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	maxFile    = 4 << 20
	maxIgnored = 12
)

// Kind is how an image is built.
type Kind string

// The kinds.
const (
	// Layer is the installation of packages and content on top of a base image.
	Layer Kind = "layer"
	// Containerfile is what a Containerfile says.
	Containerfile Kind = "containerfile"
)

// ContainerfileNames are the files that describe a whole image, the first that is there counts.
var ContainerfileNames = []string{"Containerfile", "Dockerfile"}

// PackageFiles are the files that say which packages are wanted, the first that is there counts.
var PackageFiles = []string{
	"environment.yml", "environment.yaml", "Pipfile.lock", "Pipfile", "requirements.txt", "pyproject.toml", "setup.py",
}

// Unsupported are files that ask for what a layer cannot give, and what is said of each.
var Unsupported = map[string]string{
	"apt.txt":           "packages of the operating system cannot be installed without root: use a base image that has them, or a Containerfile",
	"install.R":         "R packages cannot be installed: use a base image that has them, or a Containerfile",
	"DESCRIPTION":       "R packages cannot be installed: use a base image that has them, or a Containerfile",
	"default.nix":       "Nix cannot be used: use a Containerfile",
	"Project.toml":      "Julia packages cannot be installed: use a base image that has them, or a Containerfile",
	"JuliaProject.toml": "Julia packages cannot be installed: use a base image that has them, or a Containerfile",
	"REQUIRE":           "Julia packages cannot be installed: use a base image that has them, or a Containerfile",
}

// noted are files that change nothing, although people may think that they do.
var noted = map[string]string{
	"runtime.txt":    "the Python is the base image's",
	"start":          "the image is started as the base image says",
	"poetry.lock":    "versions are resolved anew",
	"uv.lock":        "versions are resolved anew",
	"pdm.lock":       "versions are resolved anew",
	"conda-lock.yml": "versions are resolved anew",
}

// aicoeFile configures builds by AICoE-CI.
const aicoeFile = ".aicoe-ci.yaml"

// postBuild is the program that is run at the end.
const postBuild = "postBuild"

// Repository is what was found in one.
type Repository struct {
	root *os.Root
	// Containerfile is the path of one, empty if there is none.
	Containerfile string
	// Base is the image that the repository wants to be built on, BaseFile where it says so.
	Base, BaseFile string
	// Packages is the path of the file that says which packages are wanted, empty if there is none.
	Packages string
	// PostBuild says that there is such a program.
	PostBuild bool
	// Ignored says what was found and is not used.
	Ignored []string

	unsupported []string
	overlay     string
}

// Look recognises what is in a folder.
func Look(dir string) (*Repository, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open repository: %w", err)
	}
	r := &Repository{root: root}
	config, err := r.aicoe()
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if err := r.findContainerfile(config); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	r.findPackages()
	r.PostBuild = r.isFile(postBuild)
	r.findOthers()
	return r, nil
}

// Close forgets the folder.
func (r *Repository) Close() error { return r.root.Close() }

func unsupported(format string, args ...any) error {
	return failure.New(failure.UnsupportedFile, format, args...)
}

// isFile says whether there is a file, or a link to one, of that name.
func (r *Repository) isFile(name string) bool {
	info, err := r.root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (r *Repository) isDir(name string) bool {
	info, err := r.root.Stat(name)
	return err == nil && info.IsDir()
}

func (r *Repository) ignore(format string, args ...any) {
	if len(r.Ignored) < maxIgnored {
		r.Ignored = append(r.Ignored, text.Line(fmt.Sprintf(format, args...), 160))
	}
}

// read returns a file's content.
func (r *Repository) read(name string) ([]byte, error) {
	f, err := r.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unsupported("%q is not in the repository", shown(name))
	}
	if err != nil {
		return nil, unsupported("%q cannot be read: %s", shown(name), err)
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		err = unsupported("%q is no plain file of at most %d MiB", shown(name), maxFile>>20)
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, maxFile))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return data, nil
}

func shown(name string) string { return text.Line(name, 200) }

// findContainerfile looks for a Containerfile, by what AICoE-CI's configuration says about it.
func (r *Repository) findContainerfile(config *aicoeBuild) error {
	if config.fromSource() {
		for _, name := range ContainerfileNames {
			if r.isFile(name) {
				r.ignore("%s: %s says build-stratergy: Source", name, aicoeFile)
			}
		}
		return nil
	}
	if name := config.DockerfilePath; name != "" {
		clean := path.Clean(name)
		if path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || !r.isFile(clean) {
			return unsupported("%s names %q as dockerfile-path, which is not in the repository", aicoeFile, shown(name))
		}
		r.Containerfile = clean
		return nil
	}
	for _, name := range ContainerfileNames {
		switch {
		case !r.isFile(name):
		case r.Containerfile != "":
			r.ignore("%s: %s is used", name, r.Containerfile)
		default:
			r.Containerfile = name
		}
	}
	return nil
}

// findPackages looks in the overlay first, if there is one.
func (r *Repository) findPackages() {
	for _, dir := range slices.Compact([]string{r.overlay, ""}) {
		for _, name := range PackageFiles {
			name = path.Join(dir, name)
			if strings.HasSuffix(name, "pyproject.toml") && !r.isProject(name) || !r.isFile(name) {
				continue
			}
			if r.Packages == "" {
				r.Packages = name
			} else {
				r.ignore("%s: %s is used", name, r.Packages)
			}
		}
	}
}

func (r *Repository) findOthers() {
	for name := range Unsupported {
		if r.isFile(name) {
			r.unsupported = append(r.unsupported, name)
		}
	}
	slices.Sort(r.unsupported)
	var names []string
	for name := range noted {
		if r.isFile(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		r.ignore("%s: %s", name, noted[name])
	}
	for _, dir := range []string{"binder", ".binder"} {
		if r.isDir(dir) {
			r.ignore("%s: only files at the top are looked at", dir)
		}
	}
}
