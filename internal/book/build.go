package book

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/build"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/repository"
)

// Options say what to make a book of, and where.
type Options struct {
	// Source is the folder of the repository, which stays as it is, and Name what the repository is called.
	Source, Name string
	// Work is a folder for everything in between.
	Work string
	// Python is the image's Python.
	Python string
	// Output takes what the tools print.
	Output io.Writer
}

// maker makes one book.
type maker struct {
	Options
	*source
	log bytes.Buffer
}

// Build makes a site of a repository's book, and returns the folder that it is in. It uses Jupyter Book where there is
// one, else Sphinx, else nbconvert. It runs the repository's notebooks. Every error that is about the repository or the
// image is a *failure.Failure.
func Build(ctx context.Context, o Options) (string, *Report, error) {
	root := o.path("source")
	if err := repository.Copy(o.Source, root); err != nil {
		return "", nil, err
	}
	for _, name := range []string{"home", "tmp", "html"} {
		if err := os.MkdirAll(o.path(name), 0o755); err != nil {
			return "", nil, fmt.Errorf("cannot make folder: %w", err)
		}
	}
	found, err := find(root, o.Name)
	if err != nil {
		return "", nil, err
	}
	m := &maker{Options: o, source: found}
	tool, err := m.tool(ctx)
	if err != nil {
		return "", nil, err
	}
	make := map[Tool]func(context.Context) (string, error){
		JupyterBook: m.jupyterBook, Sphinx: m.runSphinx, Nbconvert: m.nbconvert,
	}[tool]
	html, err := make(ctx)
	if err != nil {
		return "", nil, err
	}
	report, err := tidy(html)
	if err != nil {
		return "", nil, err
	}
	report.Tool = tool
	return html, report, nil
}

func (o *Options) path(name string) string { return filepath.Join(o.Work, name) }

// tool finds what the image has. A Sphinx project is Sphinx's, whatever else there is.
func (m *maker) tool(ctx context.Context) (Tool, error) {
	_, err := exec.LookPath("jupyter-book")
	switch {
	case err == nil && (!m.sphinx || m.toc != nil):
		return JupyterBook, nil
	case m.has(ctx, "sphinx"):
		return Sphinx, nil
	case m.sphinx:
		return "", failure.New(failure.ImageInvalid, "The repository is a Sphinx project, and the image that books are built in has no Sphinx")
	case m.has(ctx, "nbconvert"):
		return Nbconvert, nil
	}
	return "", failure.New(failure.ImageInvalid, "The image that books are built in has neither Jupyter Book, Sphinx nor nbconvert")
}

// has tells whether the image's Python has a module.
func (m *maker) has(ctx context.Context, module string) bool {
	return exec.CommandContext(ctx, m.Python, "-c", "import "+module).Run() == nil
}

// run runs a program in a folder, with places of its own for everything that it may want to write.
func (m *maker) run(ctx context.Context, dir string, command ...string) error {
	m.log.Reset()
	home := m.path("home")
	err := build.Run(ctx, build.Options{
		Commands: [][]string{command},
		Env: []string{
			"HOME=" + home, "TMPDIR=" + m.path("tmp"), "USER=meteor", "LOGNAME=meteor", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "PYDEVD_DISABLE_FILE_VALIDATION=1",
			"JUPYTER_RUNTIME_DIR=" + filepath.Join(home, "runtime"), "IPYTHONDIR=" + filepath.Join(home, "ipython"), "MPLCONFIGDIR=" + filepath.Join(home, "matplotlib"),
		},
		Dir:    dir,
		Output: io.MultiWriter(m.Output, &m.log),
	})
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return m.classify(exit)
	}
	return err
}

// complete makes the pages that the book's table of contents lacks: the root, and what leads to all others.
func (m *maker) complete() (*toc, error) {
	t := m.plan()
	if t.root != "" {
		return t, nil
	}
	t.root = "index"
	title := m.title()
	content := fmt.Sprintf("%s\n%s\n", title, strings.Repeat("=", len(title)))
	if err := os.WriteFile(filepath.Join(m.dir, "index.rst"), []byte(content), 0o644); err != nil {
		return nil, fmt.Errorf("cannot write the first page: %w", err)
	}
	m.pages = append(m.pages, "index.rst")
	return t, nil
}

func (m *maker) title() string {
	if m.config.Title != "" {
		return string(m.config.Title)
	}
	return m.name
}
