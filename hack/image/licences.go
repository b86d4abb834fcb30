package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// licence are the names of files that say under what terms a module is given.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright)([._-].*)?$`)

// compiledIn are the modules of others that the binaries hold, and the standard library.
func compiledIn(binaries []string) ([]debug.Module, error) {
	seen := map[debug.Module]bool{}
	for _, binary := range binaries {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return nil, fmt.Errorf("cannot read what %s was built from: %w", binary, err)
		}
		seen[debug.Module{Path: "std", Version: info.GoVersion}] = true
		for _, dependency := range info.Deps {
			if dependency.Replace != nil {
				dependency = dependency.Replace
			}
			seen[*dependency] = true
		}
	}
	var out []debug.Module
	for module := range seen {
		out = append(out, module)
	}
	slices.SortFunc(out, func(a, b debug.Module) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// addLicences adds the modules' terms to the image's files.
func addLicences(ctx context.Context, modules []debug.Module, files map[string]string) error {
	dirs, err := sources(ctx)
	if err != nil {
		return err
	}
	for _, module := range modules {
		entries, err := os.ReadDir(dirs[module.Path])
		if err != nil {
			return fmt.Errorf("cannot look for the licence of %s: %w", module.Path, err)
		}
		found := false
		for _, entry := range entries {
			if entry.Type().IsRegular() && licence.MatchString(entry.Name()) {
				files[path.Join("/licenses/third-party", module.Path, entry.Name())] = filepath.Join(dirs[module.Path], entry.Name())
				found = true
			}
		}
		if !found {
			return fmt.Errorf("%s says nowhere under what terms it is given", module.Path)
		}
	}
	return nil
}

// sources are the folders of all modules that the main one needs, and of the standard library.
func sources(ctx context.Context) (map[string]string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-json", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the modules: %w", err)
	}
	dirs := map[string]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var module struct{ Path, Dir string }
		if err := decoder.Decode(&module); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("cannot read the list of modules: %w", err)
		}
		dirs[module.Path] = module.Dir
	}
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot find Go: %w", err)
	}
	dirs["std"] = strings.TrimSpace(string(goroot))
	return dirs, nil
}
