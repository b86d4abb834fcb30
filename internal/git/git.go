package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// Limits bound what is fetched.
type Limits struct {
	// PackBytes is how much the server may send for a repository, compressed.
	PackBytes int64
	// Bytes is how much all files together may hold.
	Bytes int64
	// Files is how many files there may be.
	Files int
	// Objects is how many objects the server may send for a repository.
	Objects int
	// Submodules is how many there may be, Depth how deep they may be nested.
	Submodules, Depth int

	// history says that old versions of files come along.
	history bool
}

// DefaultLimits are more than a repository of notebooks should need.
var DefaultLimits = Limits{PackBytes: 1 << 30, Bytes: 1 << 30, Files: 100_000, Objects: 1_000_000, Submodules: 50, Depth: 5}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	for _, f := range []struct{ have, want *int64 }{{&l.PackBytes, &d.PackBytes}, {&l.Bytes, &d.Bytes}} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	for _, f := range []struct{ have, want *int }{
		{&l.Files, &d.Files}, {&l.Objects, &d.Objects}, {&l.Submodules, &d.Submodules}, {&l.Depth, &d.Depth},
	} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	return l
}

// objectBytes is how much all objects together may hold: the files, and the directories that they are in.
func (l Limits) objectBytes() int64 {
	if l.history {
		return 4*l.Bytes + maxPlain
	}
	return l.Bytes + maxPlain
}

// Options say what to get.
type Options struct {
	// URL is where the repository is.
	URL string
	// Ref is a branch, a tag or a commit; empty for the default branch.
	Ref string
	// Commit is the commit that Ref stood for when it was looked up before. If it is set, this commit is fetched,
	// wherever Ref may be now.
	Commit string
	// Secret is the folder that the git Secret is mounted at; it may be absent. SecretName is for messages.
	Secret, SecretName string
	// CA is a file of certificates to trust besides the public ones; it may be absent.
	CA string
	// Limits bound what is fetched; DefaultLimits where zero.
	Limits Limits
	// Timeout bounds everything.
	Timeout time.Duration
	// Scratch is a folder for what is downloaded; the system's if empty.
	Scratch string
}

// Result is what was got.
type Result struct {
	// Commit is the commit's hash.
	Commit string
	// Ref is the full name of the branch or tag that was meant, empty for a commit.
	Ref string
	// Files and Bytes count what was written.
	Files int
	Bytes int64
	// Submodules are the paths of those that were filled.
	Submodules []string
	// Ignored says what was found and not honoured, by path.
	Ignored []string
}

// Clone writes the files of one commit into a folder, which has to be empty. Every error that is about the
// repository is a *failure.Failure.
func Clone(ctx context.Context, dir string, o Options) (*Result, error) {
	o.Limits = o.Limits.orDefault()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	a, err := parseURL(o.URL)
	if errors.Is(err, errCredentials) {
		return nil, authFailed("The repository's URL cannot be used: %s", err)
	}
	if err != nil {
		return nil, failure.New(failure.UnsupportedFile, "The repository's URL cannot be used: %s", err)
	}
	c, err := newCloner(o, a)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open folder: %w", err)
	}
	err = errors.Join(c.clone(ctx, &module{address: a, ref: o.Ref, commit: plumbing.NewHash(o.Commit)}, root), root.Close())
	if err != nil {
		return nil, err
	}
	return &c.result, nil
}

// cloner clones a repository and its submodules.
type cloner struct {
	Options
	secret *secret
	origin *address
	ca     []byte
	result Result
}

func newCloner(o Options, a *address) (*cloner, error) {
	s, err := loadSecret(o.Secret, o.SecretName)
	if err != nil {
		return nil, err
	}
	ca, err := loadCA(o.CA)
	if err != nil {
		return nil, err
	}
	return &cloner{Options: o, secret: s, origin: a, ca: ca}, nil
}

// module is a repository, or a submodule of one.
type module struct {
	address *address
	// ref is what was asked for, commit what it has to be if it is known.
	ref    string
	commit plumbing.Hash
	// path is where a submodule is, empty for the repository itself.
	path  string
	depth int
}

func (m *module) String() string {
	if m.path == "" {
		return fmt.Sprintf("Repository %q", m.address)
	}
	return fmt.Sprintf("Submodule %q (%q)", m.path, m.address)
}

func (c *cloner) clone(ctx context.Context, m *module, root *os.Root) error {
	s := c.secret
	if !m.address.sameServer(c.origin) {
		s = &secret{}
	}
	f := &fetch{module: m, secret: s, ca: c.ca, limits: c.Limits, scratch: c.Scratch, timeout: c.Timeout}
	got, err := f.run(ctx)
	if err != nil {
		return f.classify(err)
	}
	err = c.checkout(ctx, got, m, root)
	return errors.Join(f.classify(err), got.close())
}
