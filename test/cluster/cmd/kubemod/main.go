// Command kubemod writes the go.mod and go.sum of test/cluster/kube for one
// version of Kubernetes:
//
//	go run ./test/cluster/cmd/kubemod v1.34.4
//
// Kubernetes requires its staging modules at v0.0.0 and replaces them by
// directories that its published module does not hold. Here they are pinned to
// the release that belongs to the version; everything else is required exactly
// as Kubernetes itself requires it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

const (
	kubernetes = "k8s.io/kubernetes"
	modulePath = "github.com/meteor-zone/meteor-operator/test/cluster/kube"
	target     = "test/cluster/kube"
)

func main() {
	if len(os.Args) != 2 || !strings.HasPrefix(os.Args[1], "v1.") {
		fmt.Fprintln(os.Stderr, "usage: go run ./test/cluster/cmd/kubemod v1.MINOR.PATCH")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(version string) error {
	source, err := download(version)
	if err != nil {
		return err
	}
	upstream, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return fmt.Errorf("cannot read the go.mod of Kubernetes: %w", err)
	}
	mod, err := pinned(upstream, version)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(source, "go.sum"))
	if err != nil {
		return fmt.Errorf("cannot read the go.sum of Kubernetes: %w", err)
	}
	if err := os.WriteFile(filepath.Join(target, "go.mod"), mod, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(target, "go.sum"), sums, 0o644); err != nil {
		return err
	}
	// Adds the checksums of the staging modules and says early what is missing.
	list := exec.Command("go", "list", "-mod=mod", "-deps", ".")
	list.Dir, list.Stderr = target, os.Stderr
	if err := list.Run(); err != nil {
		return fmt.Errorf("cannot resolve the packages of %s: %w", target, err)
	}
	return nil
}

func download(version string) (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", kubernetes+"@"+version).Output()
	if err != nil {
		return "", fmt.Errorf("cannot download %s@%s: %w", kubernetes, version, err)
	}
	var got struct{ Dir string }
	if err := json.Unmarshal(out, &got); err != nil {
		return "", fmt.Errorf("cannot read the answer of go mod download: %w", err)
	}
	return got.Dir, nil
}

// pinned turns the go.mod of Kubernetes into one that requires Kubernetes.
func pinned(upstream []byte, version string) ([]byte, error) {
	from, err := modfile.Parse("go.mod", upstream, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot parse the go.mod of Kubernetes: %w", err)
	}
	staging := "v0." + strings.TrimPrefix(version, "v1.")
	to := new(modfile.File)
	if err := to.AddModuleStmt(modulePath); err != nil {
		return nil, err
	}
	if err := to.AddGoStmt(from.Go.Version); err != nil {
		return nil, err
	}
	for _, g := range from.Godebug {
		if err := to.AddGodebug(g.Key, g.Value); err != nil {
			return nil, err
		}
	}
	require := []*modfile.Require{{Mod: module.Version{Path: kubernetes, Version: version}}}
	for _, r := range from.Require {
		if r.Mod.Version != "v0.0.0" {
			require = append(require, r)
			continue
		}
		require = append(require, &modfile.Require{Mod: module.Version{Path: r.Mod.Path, Version: staging}})
		if err := to.AddReplace(r.Mod.Path, "", r.Mod.Path, staging); err != nil {
			return nil, err
		}
	}
	to.SetRequireSeparateIndirect(require)
	to.SortBlocks()
	to.Cleanup()
	return to.Format()
}
