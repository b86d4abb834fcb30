package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// systemDirs are the directories of the machine that hold its programs.
var systemDirs = []string{"bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr"}

// machineSettings are the kernel's settings for the whole machine that the
// kubelet wants to have, and would otherwise set.
var machineSettings = map[string]string{
	"kernel/keys/root_maxbytes": "25000000",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
}

// Dirs are the directories and the cgroup of the machine that the node uses.
type Dirs struct {
	// Root becomes the node's root.
	Root string
	// Kube, DNS and Serve hold the programs that were built.
	Kube, DNS, Serve string
	// Index and Git hold what is served to builds.
	Index, Git string
	// Containers and Registry outlive the node.
	Containers, Registry string
	// Cgroup is the cgroup, at the root of each hierarchy, that the pods'
	// cgroups are made in.
	Cgroup string
}

// enterRoot makes dirs.Root the root of this mount namespace.
func enterRoot(dirs Dirs) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot part from the machine's mounts: %w", err)
	}
	if err := unix.Mount(dirs.Root, dirs.Root, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot mount the node's root: %w", err)
	}
	if err := mountSystem(dirs.Root); err != nil {
		return err
	}
	for from, to := range map[string]string{
		dirs.Kube:       "opt/kube",
		dirs.DNS:        "opt/dns",
		dirs.Serve:      "opt/serve",
		dirs.Index:      "var/lib/index",
		dirs.Git:        "var/lib/git",
		dirs.Containers: "var/lib/containerd",
		dirs.Registry:   "var/lib/registry",
	} {
		if err := unix.Mount(from, filepath.Join(dirs.Root, to), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", from, err)
		}
	}
	if err := coverSettings(dirs.Root); err != nil {
		return err
	}
	return pivot(dirs.Root)
}

func mountSystem(root string) error {
	for _, name := range append([]string{"etc/alternatives"}, systemDirs...) {
		if err := bindReadOnly("/"+name, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"dev", "sys"} {
		if err := unix.Mount("/"+name, filepath.Join(root, name), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("cannot mount the node's /%s: %w", name, err)
		}
	}
	if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("cannot mount the node's /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", filepath.Join(root, "run"), "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount the node's /run: %w", err)
	}
	return nil
}

// bindReadOnly mounts a directory of the machine, unless it is a link or absent.
func bindReadOnly(from, to string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot mount %s: %w", from, err)
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot mount %s: %w", from, err)
	}
	if err := unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("cannot mount %s read-only: %w", from, err)
	}
	return nil
}

// coverSettings mounts a file over each of the machine's settings, so that they
// read as the kubelet wants them and cannot be written.
func coverSettings(root string) error {
	for name, value := range machineSettings {
		file := filepath.Join(root, "var/lib/sysctl", strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o444); err != nil {
			return fmt.Errorf("cannot cover %s: %w", name, err)
		}
		if err := unix.Mount(file, filepath.Join(root, "proc/sys", name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot cover %s: %w", name, err)
		}
	}
	return nil
}

func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("cannot enter the node's root: %w", err)
	}
	// The old root is put on top of the new one and taken away from there.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot make %s the root: %w", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("cannot leave the machine's root: %w", err)
	}
	return os.Chdir("/")
}
