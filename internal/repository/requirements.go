package repository

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	maxIncludes = 20
	maxLines    = 20_000
)

// passed are options of requirements files that change which files are taken, and reach nothing else.
var passed = []string{"--pre", "--prefer-binary", "--require-hashes", "--only-binary", "--no-binary"}

// indexes are options that name where packages come from.
var indexes = []string{"-i", "--index-url", "--extra-index-url", "--pypi-url"}

// outside are options that lead elsewhere.
var outside = []string{"-f", "--find-links", "--no-index", "--trusted-host"}

// requirementsReader reads requirements files as pip does, with those that they include.
type requirementsReader struct {
	*Repository
	wishes   *Wishes
	includes int
	lines    int
}

func (r *Repository) requirements(w *Wishes) error {
	reader := &requirementsReader{Repository: r, wishes: w}
	if err := reader.file(r.Packages, false); err != nil {
		return err
	}
	w.Hashed = w.Hashed || slices.ContainsFunc(w.Requirements, func(line string) bool { return strings.Contains(line, "--hash=") })
	return nil
}

func (r *requirementsReader) file(name string, constraints bool) error {
	if r.includes++; r.includes > maxIncludes {
		return unsupported("%q includes more than %d files", shown(r.wishes.File), maxIncludes)
	}
	data, err := r.read(name)
	if err != nil {
		return err
	}
	logical, start := "", 0
	for i, line := range strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n") {
		if r.lines++; r.lines > maxLines {
			return unsupported("%q has more than %d lines", shown(r.wishes.File), maxLines)
		}
		if logical == "" {
			start = i + 1
		}
		// As pip does it: comments may be whole lines, also inside a continued one.
		line, comment := uncomment(line)
		if more, continued := strings.CutSuffix(line, `\`); continued && !comment {
			logical += more + " "
			continue
		}
		logical = strings.TrimSpace(logical + line)
		if logical != "" {
			if err := r.line(name, start, logical, constraints); err != nil {
				return err
			}
		}
		logical = ""
	}
	if logical = strings.TrimSpace(logical); logical != "" {
		return r.line(name, start, logical, constraints)
	}
	return nil
}

var commentRE = regexp.MustCompile(`(^|\s+)#.*$`)

func uncomment(line string) (string, bool) {
	out := commentRE.ReplaceAllString(line, "")
	return out, out != line
}

func (r *requirementsReader) line(file string, number int, line string, constraints bool) error {
	where := fmt.Sprintf("%s:%d", shown(file), number)
	if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return unsupported("%s has a control character in it", where)
	}
	if strings.HasPrefix(line, "-") {
		return r.option(file, where, line, constraints)
	}
	if err := r.checkTail(where, line); err != nil {
		return err
	}
	if constraints {
		if isLocal(line) || strings.Contains(line, "://") {
			return unsupported("%s: a constraint has to name a version of a package", where)
		}
		r.wishes.Constraints = append(r.wishes.Constraints, line)
		return nil
	}
	return r.requirement(file, where, line)
}

// option handles a line that is an option.
func (r *requirementsReader) option(file, where, line string, constraints bool) error {
	name, value := splitOption(line)
	switch {
	case slices.Contains([]string{"-r", "--requirement", "-c", "--constraint"}, name):
		to, err := r.inside(file, value)
		if err != nil {
			return unsupported("%s includes %q, which is not in the repository", where, shown(value))
		}
		return r.file(to, constraints || strings.HasPrefix(strings.TrimLeft(name, "-"), "c"))
	case name == "-e" || name == "--editable":
		if value == "" || strings.Contains(value, ":") {
			return unsupported("%s: %q is not in the repository: only projects in it can be installed from their source", where, hidden(value))
		}
		return r.local(file, where, value)
	case slices.Contains(passed, name):
		if name == "--require-hashes" {
			r.wishes.Hashed = true
			return nil
		}
		if value != "" {
			name += "=" + value
		}
		r.wishes.Requirements = append(r.wishes.Requirements, name)
		return nil
	case slices.Contains(indexes, name):
		r.wishes.index(where, value)
		return nil
	case slices.Contains(outside, name):
		return unsupported("%s has %s, which a repository may not set: indexes are set by an admin in CNBiConfig, spec.packageIndex", where, name)
	}
	return unsupported("%s has the option %q, which cannot be honoured", where, text.Line(name, 40))
}

// splitOption splits --name=value, --name value, -nvalue and -n value.
func splitOption(line string) (name, value string) {
	if !strings.HasPrefix(line, "--") && len(line) > 2 {
		return line[:2], strings.TrimLeft(line[2:], " \t=")
	}
	end := strings.IndexAny(line, "= \t")
	if end < 0 {
		return line, ""
	}
	return line[:end], strings.TrimSpace(line[end+1:])
}

// checkTail looks at options behind a requirement.
func (r *requirementsReader) checkTail(where, line string) error {
	words := strings.Fields(line)
	for _, word := range words[1:] {
		if strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--hash=") && !strings.HasPrefix(word, "--hash") {
			name, _ := splitOption(word)
			return unsupported("%s has the option %q, which cannot be honoured", where, text.Line(name, 40))
		}
	}
	return nil
}

var directRE = regexp.MustCompile(`^([A-Za-z0-9._-]+\s*(?:\[[^\]]*\])?)\s*@\s*(\S+)(.*)$`)

func (r *requirementsReader) requirement(file, where, line string) error {
	target, name := line, ""
	if m := directRE.FindStringSubmatch(line); m != nil {
		name, target = m[1], m[2]
		if !strings.Contains(target, ":") {
			return unsupported("%s: %q is neither a version nor a URL", where, hidden(target))
		}
	}
	if strings.Contains(target, "://") || strings.HasPrefix(target, "file:") {
		return r.direct(where, line, strings.Fields(target)[0])
	}
	if name == "" && isLocal(target) {
		return r.local(file, where, target)
	}
	r.wishes.Requirements = append(r.wishes.Requirements, line)
	return nil
}

// direct handles a package that is named by its URL.
func (r *requirementsReader) direct(where, line, target string) error {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return unsupported("%s has a URL that cannot be read", where)
	case strings.HasPrefix(u.Scheme, "git+"), strings.HasPrefix(u.Scheme, "hg+"), strings.HasPrefix(u.Scheme, "svn+"), strings.HasPrefix(u.Scheme, "bzr+"):
		return unsupported("%s takes a package from %q, which has no hash that could be locked: name a release of it, or the https URL of an archive", where, hidden(target))
	case u.User != nil:
		return unsupported("%s has credentials in a URL, which would be for everyone to read: take them out", where)
	case u.Scheme != "https":
		return unsupported("%s takes a package from %q: only https URLs and files in the repository can be honoured", where, hidden(target))
	}
	r.wishes.Requirements = append(r.wishes.Requirements, line)
	return nil
}

// hidden shows a URL without credentials.
func hidden(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.User != nil {
		u.User = nil
		raw = u.String()
	} else if err != nil {
		raw = "…"
	}
	return text.Line(raw, 120)
}

var archives = []string{".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar"}

// isLocal says whether pip takes it for a path.
func isLocal(target string) bool {
	target = strings.Fields(target + " .")[0]
	if strings.Contains(target, "://") {
		return false
	}
	plain := strings.SplitN(target, "[", 2)[0]
	return strings.HasPrefix(plain, ".") || strings.Contains(plain, "/") || strings.HasPrefix(plain, "~") ||
		slices.ContainsFunc(archives, func(suffix string) bool { return strings.HasSuffix(plain, suffix) })
}

func (r *requirementsReader) local(file, where, target string) error {
	fields := strings.Fields(target)
	if len(fields) > 1 {
		return unsupported("%s: markers and options behind a path cannot be honoured", where)
	}
	name, extras, has := strings.Cut(fields[0], "[")
	// pip takes paths as seen from where it is started, which is the top.
	to, err := r.inside("", name)
	if err != nil && path.Dir(file) != "." {
		to, err = r.inside(file, name)
	}
	if err != nil {
		return unsupported("%s: %q is not in the repository", where, shown(name))
	}
	if has {
		to += "[" + extras
	}
	r.wishes.Locals = append(r.wishes.Locals, to)
	return nil
}

// inside returns a path that is named in a file, if it leads to something in the repository.
func (r *Repository) inside(file, to string) (string, error) {
	p := path.Join(path.Dir(file), to)
	if path.IsAbs(to) || p == ".." || strings.HasPrefix(p, "../") || to == "" {
		return "", unsupported("%q is not in the repository", shown(to))
	}
	// A root does not follow links out of it.
	if _, err := r.root.Stat(p); err != nil {
		return "", unsupported("%q is not in the repository", shown(to))
	}
	return p, nil
}
