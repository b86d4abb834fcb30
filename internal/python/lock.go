package python

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	maxPackages = 5000
	maxHashes   = 200
	maxLine     = 64 << 10
	maxURL      = 2048
)

// Package is one package of a lock.
type Package struct {
	// Name is in its normal form.
	Name string `json:"name"`
	// Version is the version that was chosen.
	Version string `json:"version"`
	// SHA256 are the hashes, in hex, of which a file must have one.
	SHA256 []string `json:"sha256"`
	// Requested says that it was asked for, and is not there only because another needs it.
	Requested bool `json:"requested,omitempty"`
	// URL is where the file was found. It holds no credentials.
	URL string `json:"url,omitempty"`
	// Direct says that the package was asked for by its URL, and not by its version.
	Direct bool `json:"direct,omitempty"`
	// Yanked says that its authors have withdrawn this version.
	Yanked bool `json:"yanked,omitempty"`
}

// Lock is what is installed, and nothing else.
type Lock struct {
	// Python is the version that it was resolved for, and Platform the machine; empty if not known.
	Python, Platform string
	// Packages are sorted by name.
	Packages []Package
}

var (
	nameRE     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,126}[a-z0-9])?$`)
	versionRE  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}$`)
	sha256RE   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	plainRE    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)
	separators = regexp.MustCompile(`[-_.]+`)
)

// NormalName returns the form of a name by which packages are compared.
func NormalName(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// FromSource says whether the package has to be built.
func (p Package) FromSource() bool {
	u, err := url.Parse(p.URL)
	return err == nil && p.URL != "" && path.Ext(u.Path) != ".whl"
}

// FromSource says whether any package has to be built.
func (l *Lock) FromSource() bool {
	return slices.ContainsFunc(l.Packages, Package.FromSource)
}

// finish sorts the lock and checks that it makes sense.
func (l *Lock) finish() error {
	if len(l.Packages) > maxPackages {
		return fmt.Errorf("there are more than %d packages", maxPackages)
	}
	slices.SortFunc(l.Packages, func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
	for i, p := range l.Packages {
		if i > 0 && l.Packages[i-1].Name == p.Name {
			return fmt.Errorf("package %q is there twice", p.Name)
		}
		if err := p.check(); err != nil {
			return err
		}
	}
	if !plainRE.MatchString(l.Python) || !plainRE.MatchString(l.Platform) {
		l.Python, l.Platform = "", ""
	}
	return nil
}

func (p Package) check() error {
	switch {
	case !nameRE.MatchString(p.Name):
		return fmt.Errorf("%q is no name of a package", text.Line(p.Name, 60))
	case !versionRE.MatchString(p.Version):
		return fmt.Errorf("package %q has no proper version: %q", p.Name, text.Line(p.Version, 60))
	case len(p.SHA256) == 0 || len(p.SHA256) > maxHashes:
		return fmt.Errorf("package %q has %d hashes", p.Name, len(p.SHA256))
	}
	for _, h := range p.SHA256 {
		if !sha256RE.MatchString(h) {
			return fmt.Errorf("package %q has a hash that is none", p.Name)
		}
	}
	return nil
}

// Requirements writes the lock as pip and uv read it. The same lock gives the same text.
func (l *Lock) Requirements() []byte {
	var b strings.Builder
	b.WriteString("# All packages with the hashes of their files. Install with: pip install --no-deps --require-hashes -r FILE\n")
	if l.Python != "" {
		fmt.Fprintf(&b, "# Resolved for Python %s on %s\n", l.Python, l.Platform)
	}
	for _, p := range l.Packages {
		if p.Direct {
			fmt.Fprintf(&b, "%s @ %s", p.Name, p.URL)
		} else {
			fmt.Fprintf(&b, "%s==%s", p.Name, p.Version)
		}
		hashes := slices.Clone(p.SHA256)
		slices.Sort(hashes)
		for _, h := range slices.Compact(hashes) {
			b.WriteString(" \\\n    --hash=sha256:" + h)
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

// ParseRequirements reads a lock that Requirements wrote, or another tool that writes hashes: uv, pip-tools. It
// takes exact versions with hashes and nothing else: no options, no files, no links.
func ParseRequirements(r io.Reader) (*Lock, error) {
	l := &Lock{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	logical := ""
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "#") {
			l.header(line)
			line = ""
		}
		more := strings.HasSuffix(line, `\`)
		if logical += " " + strings.TrimSuffix(line, `\`); len(logical) > maxLine {
			return nil, errors.New("cannot read lock: a line is too long")
		}
		if more {
			continue
		}
		if err := l.line(logical); err != nil {
			return nil, fmt.Errorf("cannot read lock: %w", err)
		}
		logical = ""
	}
	if err := errors.Join(lines.Err(), l.line(logical), l.finish()); err != nil {
		return nil, fmt.Errorf("cannot read lock: %w", err)
	}
	return l, nil
}

func (l *Lock) header(comment string) {
	if rest, ok := strings.CutPrefix(comment, "# Resolved for Python "); ok {
		l.Python, l.Platform, _ = strings.Cut(rest, " on ")
	}
}

// line reads one requirement.
func (l *Lock) line(line string) error {
	if comment := strings.Index(line, " #"); comment >= 0 {
		line = line[:comment]
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	if len(l.Packages) >= maxPackages {
		return fmt.Errorf("there are more than %d packages", maxPackages)
	}
	p := Package{}
	for len(words) > 0 {
		hash, ok := strings.CutPrefix(words[len(words)-1], "--hash=sha256:")
		if !ok {
			break
		}
		p.SHA256 = append(p.SHA256, hash)
		words = words[:len(words)-1]
	}
	slices.Reverse(p.SHA256)
	switch {
	case len(words) == 3 && words[1] == "@":
		u, err := plainURL(words[2])
		if err != nil {
			return err
		}
		p.Name, p.URL, p.Direct = NormalName(words[0]), u, true
		p.Version = versionOf(u)
	case len(words) == 1:
		name, version, _ := strings.Cut(words[0], "==")
		p.Name, p.Version = NormalName(name), version
	default:
		return fmt.Errorf("%q is no exact version with hashes", text.Line(line, 100))
	}
	l.Packages = append(l.Packages, p)
	return nil
}

// versionOf reads the version from the name of a file, which is name-version-….whl or name-version.tar.gz.
func versionOf(u string) string {
	base := path.Base(u)
	for _, suffix := range []string{".whl", ".tar.gz", ".zip", ".tar.bz2"} {
		if stem, ok := strings.CutSuffix(base, suffix); ok {
			parts := strings.Split(stem, "-")
			if suffix == ".whl" && len(parts) > 1 {
				return parts[1]
			}
			return parts[len(parts)-1]
		}
	}
	return ""
}

// plainURL checks where a file comes from and takes credentials away.
func plainURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(raw) > maxURL ||
		strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%q is no URL of a file", Redact(text.Line(raw, 100)))
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String(), nil
}

func unsupported(format string, args ...any) error {
	return failure.New(failure.UnsupportedFile, format, args...)
}
