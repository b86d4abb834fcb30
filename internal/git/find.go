package git

import (
	"context"
	"errors"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// Find asks the server what a branch or tag stands for, and fetches nothing. A full commit is taken at its word. Every
// error that is about the repository is a *failure.Failure.
func Find(ctx context.Context, o Options) (string, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	a, err := parseURL(o.URL)
	if errors.Is(err, errCredentials) {
		return "", authFailed("The repository's URL cannot be used: %s", err)
	}
	if err != nil {
		return "", failure.New(failure.UnsupportedFile, "The repository's URL cannot be used: %s", err)
	}
	c, err := newCloner(o, a)
	if err != nil {
		return "", err
	}
	f := &fetch{module: &module{address: a, ref: o.Ref}, secret: c.secret, ca: c.ca, limits: DefaultLimits, timeout: o.Timeout}
	commit, err := f.find(ctx)
	if err != nil {
		return "", f.classify(err)
	}
	return commit.String(), nil
}

func (f *fetch) find(ctx context.Context) (plumbing.Hash, error) {
	var err error
	if f.auth, err = f.secret.method(f.address); err != nil {
		return plumbing.ZeroHash, err
	}
	session, err := f.connect(ctx)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	refs, err := session.AdvertisedReferencesContext(ctx)
	defer quietly(session)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	t, err := f.choose(refs)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if peeled, ok := refs.Peeled[t.ref]; ok {
		// What an annotated tag is about.
		return peeled, nil
	}
	return t.hash, nil
}
