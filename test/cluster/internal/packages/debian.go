package packages

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// repackaged is a package of Debian's that becomes a wheel.
type repackaged struct {
	// from are the Debian packages that hold it.
	from []string
	// requires is what upstream declares; Debian's packaging drops it.
	requires []string
	// unbundled is what upstream carries along and Debian made a requirement of.
	unbundled []string
	// libraries are the Debian packages with the shared libraries that it needs
	// and that the smallest Debian does not have. They become part of the wheel.
	libraries []string
}

var fromDebianPackages = []repackaged{
	{
		from: []string{"python3-pandas", "python3-pandas-lib"},
		requires: []string{
			"python-dateutil>=2.8.1", "pytz>=2020.1",
			`numpy>=1.20.3; python_version < "3.10"`, `numpy>=1.21.0; python_version >= "3.10"`, `numpy>=1.23.2; python_version >= "3.11"`,
		},
	},
	{from: []string{"python3-numpy"}, libraries: []string{"libblas3", "liblapack3", "libgfortran5", "libquadmath0"}},
	{from: []string{"python3-dateutil"}, requires: []string{"six>=1.5"}},
	{from: []string{"python3-tz"}},
	{from: []string{"python3-six"}},
	{from: []string{"python3-boto3"}, requires: []string{"botocore<1.30.0,>=1.29.27", "jmespath<2.0.0,>=0.7.1", "s3transfer<0.7.0,>=0.6.0"}},
	{
		from:      []string{"python3-botocore"},
		requires:  []string{"jmespath<2.0.0,>=0.7.1", "python-dateutil<3.0.0,>=2.1", "urllib3<1.27,>=1.25.4"},
		unbundled: []string{"requests"},
	},
	{from: []string{"python3-s3transfer"}, requires: []string{"botocore<2.0a.0,>=1.12.36"}},
	{from: []string{"python3-jmespath"}},
	{from: []string{"python3-urllib3"}, unbundled: []string{"six"}},
	{from: []string{"python3-requests"}, requires: []string{"chardet<6,>=3.0.2", "idna<4,>=2.5", "urllib3<1.27,>=1.21.1", "certifi>=2017.4.17"}},
	{from: []string{"python3-chardet"}},
	{from: []string{"python3-idna"}},
	{from: []string{"python3-certifi"}},
	// What pip builds source distributions with.
	{from: []string{"python3-setuptools", "python3-pkg-resources"}},
	{from: []string{"python3-wheel"}},
}

const modules = "usr/lib/python3/dist-packages/"

// fromDebian downloads Debian's packages with the machine's apt and repackages
// them.
func fromDebian(ctx context.Context) ([]distribution, error) {
	dir, err := os.MkdirTemp("", "debian-packages-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory for Debian's packages: %w", err)
	}
	defer os.RemoveAll(dir)
	var names []string
	for _, r := range fromDebianPackages {
		names = append(append(names, r.from...), r.libraries...)
	}
	if err := download(ctx, dir, names); err != nil {
		return nil, err
	}
	var all []distribution
	for _, r := range fromDebianPackages {
		d, err := r.repackage(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("cannot repackage %s: %w", r.from[0], err)
		}
		all = append(all, d)
	}
	return all, nil
}

func download(ctx context.Context, dir string, names []string) error {
	// The user that apt would take on may not write here.
	get := append([]string{"-o", "APT::Sandbox::User=root", "-q", "download"}, names...)
	if _, err := command(ctx, dir, "apt-get", get...); err == nil {
		return nil
	}
	// The lists may be absent, or older than what the mirror has.
	if _, err := command(ctx, dir, "apt-get", "-q", "update"); err != nil {
		return err
	}
	_, err := command(ctx, dir, "apt-get", get...)
	return err
}

// command runs a program and returns what it prints.
func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// unpacked are the regular files of Debian packages that lie in a directory.
func unpacked(ctx context.Context, dir string, names []string) ([]file, error) {
	var all []file
	for _, name := range names {
		found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
		if err != nil || len(found) != 1 {
			return nil, errors.Join(fmt.Errorf("there is not one package %s but %d", name, len(found)), err)
		}
		content, err := command(ctx, dir, "dpkg-deb", "--fsys-tarfile", found[0])
		if err != nil {
			return nil, err
		}
		files, err := untar(content)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		all = append(all, files...)
	}
	return all, nil
}

func untar(content []byte) ([]file, error) {
	var all []file
	t := tar.NewReader(bytes.NewReader(content))
	for {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		body, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		all = append(all, file{name: strings.TrimPrefix(path.Clean(header.Name), "/"), content: body, mode: header.FileInfo().Mode()})
	}
}

// aboutPackage are files of an installed package that say what it is.
var aboutPackage = regexp.MustCompile(`^[^/]+\.(?:egg|dist)-info/(.+)$`)

// extension tells for which Python, and which machine, a module was compiled.
var extension = regexp.MustCompile(`\.cpython-(\d+)-(\w+)-linux-gnu\.so$`)

func (r repackaged) repackage(ctx context.Context, dir string) (distribution, error) {
	all, err := unpacked(ctx, dir, r.from)
	if err != nil {
		return distribution{}, err
	}
	w := wheel{tag: pureTag}
	var info []byte
	for _, f := range all {
		name, ok := strings.CutPrefix(f.name, modules)
		if !ok {
			continue
		}
		if m := aboutPackage.FindStringSubmatch(name); m != nil {
			switch m[1] {
			case "PKG-INFO", "METADATA":
				info = f.content
			case "entry_points.txt":
				w.entryPoints = f.content
			}
			continue
		}
		if m := extension.FindStringSubmatch(name); m != nil {
			w.tag = fmt.Sprintf("cp%[1]s-cp%[1]s-linux_%[2]s", m[1], m[2])
		}
		w.files = append(w.files, file{name: name, content: f.content, mode: f.mode})
	}
	if len(info) == 0 {
		return distribution{}, errors.New("it says nothing of itself")
	}
	w.metadata = withRequirements(info, slices.Concat(r.requires, r.unbundled))
	w.name, w.version = field(info, "Name"), field(info, "Version")
	if err := w.bundle(ctx, dir, r.libraries); err != nil {
		return distribution{}, err
	}
	content, err := w.pack()
	return distribution{
		project: w.name, filename: w.filename(), content: content, metadata: w.metadata, requiresPython: field(info, "Requires-Python"),
	}, err
}

// field is the first value of a field in a package's metadata.
func field(metadata []byte, name string) string {
	head, _, _ := bytes.Cut(metadata, []byte("\n\n"))
	for line := range strings.Lines(string(head)) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// withRequirements adds requirements to metadata, and takes away the extras,
// whose requirements are not known, and mentions of files that are not there.
func withRequirements(metadata []byte, requires []string) []byte {
	head, body, _ := strings.Cut(string(metadata), "\n\n")
	var lines []string
	for line := range strings.Lines(head) {
		line = strings.TrimRight(line, "\n")
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "Metadata-Version":
			line = "Metadata-Version: 2.1"
		case "Provides-Extra", "License-File", "Requires-Dist":
			continue
		}
		lines = append(lines, line)
	}
	for _, r := range requires {
		lines = append(lines, "Requires-Dist: "+r)
	}
	return []byte(strings.Join(lines, "\n") + "\n\n" + body)
}

// bundle adds shared libraries to the wheel, in a directory of their own, and
// makes all that is compiled look for them there.
func (w *wheel) bundle(ctx context.Context, dir string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	found, err := unpacked(ctx, dir, names)
	if err != nil {
		return err
	}
	libs := inFilename(w.name) + ".libs"
	for i, f := range w.files {
		if extension.MatchString(f.name) {
			up := strings.Repeat("../", strings.Count(f.name, "/"))
			if w.files[i].content, err = withSearchPath(ctx, dir, f.content, "$ORIGIN/"+up+libs); err != nil {
				return err
			}
		}
	}
	for _, f := range found {
		name, ok := libraryName(f.name)
		if !ok {
			continue
		}
		content, err := withSearchPath(ctx, dir, f.content, "$ORIGIN")
		if err != nil {
			return err
		}
		w.files = append(w.files, file{name: libs + "/" + name, content: content, mode: 0o755})
	}
	return nil
}

var sharedLibrary = regexp.MustCompile(`^usr/lib/.*?([^/]+\.so\.\d+)[\d.]*$`)

// libraryName is the name by which programs ask for a shared library: that of
// its file without the minor version.
func libraryName(p string) (string, bool) {
	m := sharedLibrary.FindStringSubmatch(p)
	if m == nil {
		return "", false
	}
	return m[1], true
}

func withSearchPath(ctx context.Context, dir string, content []byte, searchPath string) ([]byte, error) {
	name := filepath.Join(dir, "patched.so")
	if err := os.WriteFile(name, content, 0o755); err != nil {
		return nil, fmt.Errorf("cannot patch a library: %w", err)
	}
	if _, err := command(ctx, dir, "patchelf", "--set-rpath", searchPath, name); err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}
