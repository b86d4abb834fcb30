package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cgroups = "/sys/fs/cgroup"

// MakeCgroup makes a cgroup at the root of each hierarchy.
func MakeCgroup(name string) error {
	if exists(filepath.Join(cgroups, "cgroup.controllers")) {
		return makeUnified(name)
	}
	roots, err := filepath.Glob(filepath.Join(cgroups, "*", "tasks"))
	if err != nil {
		return err
	}
	for _, tasks := range roots {
		dir := filepath.Join(filepath.Dir(tasks), name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make a cgroup: %w", err)
		}
		// A new cpuset is empty, and nothing runs in an empty one.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inherit(filepath.Dir(tasks), dir, file); err != nil {
				return err
			}
		}
	}
	return nil
}

func inherit(parent, child, file string) error {
	value, err := os.ReadFile(filepath.Join(parent, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(child, file), value, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot set up a cgroup: %w", err)
	}
	return nil
}

func makeUnified(name string) error {
	dir := filepath.Join(cgroups, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make a cgroup: %w", err)
	}
	for _, d := range []string{cgroups, dir} {
		if err := os.WriteFile(filepath.Join(d, "cgroup.subtree_control"), []byte("+cpu +cpuset +memory +pids"), 0o644); err != nil {
			return fmt.Errorf("cannot hand controllers on to a cgroup: %w", err)
		}
	}
	return nil
}

// RemoveCgroup kills what is left in a cgroup at the root of each hierarchy, and
// removes it with all below it.
func RemoveCgroup(name string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		left, err := removeOnce(name)
		if len(left) == 0 && err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot remove the cgroups %s: %w", strings.Join(left, " "), err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func removeOnce(name string) ([]string, error) {
	roots, err := filepath.Glob(filepath.Join(cgroups, "*", name))
	if err != nil {
		return nil, err
	}
	var left []string
	for _, root := range append(roots, filepath.Join(cgroups, name)) {
		var dirs []string
		err = errors.Join(err, ignoreAbsent(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return ignoreAbsent(err)
		})))
		slices.Reverse(dirs)
		for _, dir := range dirs {
			killAll(dir)
			if unix.Rmdir(dir) != nil && exists(dir) {
				left = append(left, dir)
			}
		}
	}
	return left, err
}

func killAll(dir string) {
	content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, field := range strings.Fields(string(content)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			// It may have ended by itself meanwhile.
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
