package build

import (
	"context"
	"path/filepath"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/packages"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/repositories"
)

// Serve builds the servers that builds fetch from; the directory that it
// returns holds "serve".
func (b *Builder) Serve(ctx context.Context) (string, error) {
	sums, err := key(filepath.Join(b.Checkout, "test/cluster/internal/serve"), smaller)
	if err != nil {
		return "", err
	}
	k, err := key(filepath.Join(b.Checkout, "test/cluster/cmd/serve"), smaller, sums)
	if err != nil {
		return "", err
	}
	return b.once("serve", k, func(dir string) error {
		return b.compile(ctx, b.Checkout, "-ldflags", smaller, "-o", filepath.Join(dir, "serve"), "./test/cluster/cmd/serve")
	})
}

// Packages makes the package indexes; the directory that it returns holds them
// as "open" and "private".
func (b *Builder) Packages(ctx context.Context) (string, error) {
	k, err := b.contentKey("packages", "hostile")
	if err != nil {
		return "", err
	}
	return b.once("packages", k, func(dir string) error { return packages.Make(ctx, dir) })
}

// Repositories makes the git repositories; the directory that it returns holds
// them in "public" and "private".
func (b *Builder) Repositories(ctx context.Context) (string, error) {
	k, err := b.contentKey("repositories", "packages", "hostile")
	if err != nil {
		return "", err
	}
	return b.once("repositories", k, func(dir string) error { return repositories.Make(ctx, dir) })
}

// contentKey hashes packages of which every file counts, because they carry
// what they make.
func (b *Builder) contentKey(names ...string) (string, error) {
	k := ""
	for _, name := range names {
		var err error
		if k, err = keyOf(filepath.Join(b.Checkout, "test/cluster/internal", name), isNoTest, k); err != nil {
			return "", err
		}
	}
	return k, nil
}
