package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// kubePrograms are the names under which the combined Kubernetes binary is
// started.
var kubePrograms = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet"}

// smaller are the linker's flags that leave out what only a debugger reads.
const smaller = "-s -w"

// Kube builds the combined Kubernetes binary. The directory that it returns
// holds a link for each program.
func (b *Builder) Kube(ctx context.Context) (string, error) {
	source := filepath.Join(b.Checkout, "test/cluster/kube")
	version, err := required(filepath.Join(source, "go.mod"), "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	flags := kubeLinkFlags(version)
	k, err := key(source, flags)
	if err != nil {
		return "", err
	}
	return b.once("kube", k, func(dir string) error {
		if err := b.compile(ctx, source, "-ldflags", flags, "-o", filepath.Join(dir, "kube"), "."); err != nil {
			return err
		}
		for _, name := range kubePrograms {
			if err := os.Symlink("kube", filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// kubeLinkFlags stamps the version, by which clients tell what a cluster can do.
// Nothing in them changes from build to build.
func kubeLinkFlags(version string) string {
	minor, _, _ := strings.Cut(strings.TrimPrefix(version, "v1."), ".")
	values := []string{
		"gitVersion=" + version, "gitMajor=1", "gitMinor=" + minor, "gitTreeState=clean",
		"gitCommit=" + strings.Repeat("0", 40), "buildDate=1970-01-01T00:00:00Z",
	}
	flags := smaller
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, v := range values {
			flags += " -X " + pkg + "." + v
		}
	}
	return flags
}

// DNS builds CoreDNS; the directory that it returns holds "coredns".
func (b *Builder) DNS(ctx context.Context) (string, error) {
	source := filepath.Join(b.Checkout, "test/cluster/dns")
	k, err := key(source, smaller)
	if err != nil {
		return "", err
	}
	return b.once("dns", k, func(dir string) error {
		return b.compile(ctx, source, "-ldflags", smaller, "-o", filepath.Join(dir, "coredns"), ".")
	})
}

// Pause builds the first process of every pod; the directory that it returns
// holds "pause".
func (b *Builder) Pause(ctx context.Context) (string, error) {
	k, err := key(filepath.Join(b.Checkout, "test/cluster/cmd/pause"), smaller)
	if err != nil {
		return "", err
	}
	return b.once("pause", k, func(dir string) error {
		return b.compile(ctx, b.Checkout, "-ldflags", smaller, "-o", filepath.Join(dir, "pause"), "./test/cluster/cmd/pause")
	})
}

// required is the version at which a go.mod requires a module.
func required(file, module string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", file, err)
	}
	mod, err := modfile.ParseLax(file, content, nil)
	if err != nil {
		return "", fmt.Errorf("cannot parse %s: %w", file, err)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", file, module)
}

// Checkout finds the root of the main module from a directory inside of it.
func Checkout(dir string) (string, error) {
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && modfile.ModulePath(content) == "github.com/meteor-zone/meteor-operator" {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this inside a checkout of the operator")
		}
		dir = filepath.Dir(dir)
	}
}
