package layer

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// DefaultEpoch is the time of files that were written. It is the first that zip files, and so Python's wheels, can
// express.
var DefaultEpoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Limits bound a layer.
type Limits struct {
	// Bytes is how much all files together may hold.
	Bytes int64
	// Entries is how many files, directories, links and whiteouts there may be.
	Entries int
	// Depth is how deep directories may be nested.
	Depth int
}

// DefaultLimits are more than any useful notebook image needs.
var DefaultLimits = Limits{Bytes: 32 << 30, Entries: 1_000_000, Depth: 200}

const (
	maxName  = 255
	maxPath  = 4095
	maxXattr = 64 << 10
)

// Options say what belongs to the file system and how a layer is made of it.
type Options struct {
	// Root is the directory that stands for the image's root.
	Root string
	// Exclude lists absolute paths, as seen from Root, that are left alone with all that is in them.
	Exclude []string
	// Mounts lists the mount points, as absolute paths seen from Root. They are left alone too.
	Mounts []string
	// Epoch is the time of files that were written; DefaultEpoch if zero.
	Epoch time.Time
	// Limits bound the layer; DefaultLimits if zero.
	Limits Limits
}

// Summary is what a layer holds.
type Summary struct {
	// Entries counts files, directories and links.
	Entries int `json:"entries"`
	// Removed counts whiteouts.
	Removed int `json:"removed"`
	// Bytes is what the files hold.
	Bytes int64 `json:"bytes"`
}

// RefusedError is why something cannot go into an image. The image's author can mend it.
type RefusedError struct {
	// Path is the path in the image, if it is about one.
	Path string
	// Why says what is wrong.
	Why string
}

// Error returns one line for a person.
func (e *RefusedError) Error() string {
	if e.Path == "" {
		return e.Why
	}
	return fmt.Sprintf("%q %s", text.Line("/"+e.Path, 200), e.Why)
}

func refuse(path, format string, args ...any) error {
	return &RefusedError{Path: path, Why: fmt.Sprintf(format, args...)}
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = DefaultLimits.Bytes
	}
	if l.Entries == 0 {
		l.Entries = DefaultLimits.Entries
	}
	if l.Depth == 0 {
		l.Depth = DefaultLimits.Depth
	}
	return l
}

// add counts one more entry of some bytes.
func (l Limits) add(s *Summary, size int64) error {
	if s.Entries+s.Removed >= l.Entries {
		return refuse("", "The build changed more than %d files, the most that a layer may hold", l.Entries)
	}
	s.Entries++
	if s.Bytes += size; s.Bytes > l.Bytes || size > l.Bytes {
		return refuse("", "The build wrote more than %s, the most that a layer may hold", amount(l.Bytes))
	}
	return nil
}

func amount(bytes int64) string {
	const giga, mega = 1 << 30, 1 << 20
	if bytes%giga == 0 {
		return fmt.Sprintf("%d GiB", bytes/giga)
	}
	if bytes%mega == 0 {
		return fmt.Sprintf("%d MiB", bytes/mega)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// alwaysOut is what never belongs to an image.
var alwaysOut = []string{"/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/run"}

// caches are directories of downloaded or derived files that are of no use later, by the directory they are in.
var caches = map[string][]string{
	".cache": {"pip", "pip-tools", "pipenv", "uv", "pypoetry", "yarn", "node-gyp"},
	".npm":   {"_cacache", "_logs"},
}

// filter knows what is left out, by directory and name.
type filter map[string]map[string]bool

func newFilter(o Options) filter {
	f := filter{}
	for _, list := range [][]string{alwaysOut, o.Exclude, o.Mounts} {
		for _, p := range list {
			p = path.Clean("/" + p)
			f.add(strings.TrimPrefix(path.Dir(p), "/"), path.Base(p))
		}
	}
	return f
}

func (f filter) add(dir, name string) {
	if f[dir] == nil {
		f[dir] = map[string]bool{}
	}
	f[dir][name] = true
}

// in returns what tells the names that are left out of a directory, nil if there are none.
func (f filter) in(dir string) func(name string) bool {
	exact, cached := f[dir], caches[path.Base(dir)]
	if exact == nil && cached == nil {
		return nil
	}
	return func(name string) bool {
		if exact[name] {
			return true
		}
		for _, c := range cached {
			if c == name {
				return true
			}
		}
		return false
	}
}
