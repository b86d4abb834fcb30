package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// needed says which file shows that a package is installed.
var needed = map[string]string{
	"busybox-static":              "/bin/busybox",
	"containerd":                  "/usr/bin/containerd",
	"containernetworking-plugins": "/usr/lib/cni/bridge",
	"docker-registry":             "/usr/bin/docker-registry",
	"git":                         "/usr/lib/git-core/git-http-backend",
	"iproute2":                    "/sbin/ip",
	"iptables":                    "/usr/sbin/iptables",
	"mount":                       "/bin/mount",
	"patchelf":                    "/usr/bin/patchelf",
	"runc":                        "/usr/sbin/runc",
	"util-linux":                  "/usr/bin/nsenter",
}

// policyFile, when it is there and fails, keeps packages from starting services.
const policyFile = "/usr/sbin/policy-rc.d"

// Install installs the Debian packages that are missing, and starts none of the
// services that they come with.
func Install(ctx context.Context, log io.Writer) error {
	missing := missing(exists)
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("install the equivalents of these Debian packages: %s", strings.Join(missing, " "))
	}
	fmt.Fprintf(log, "installing Debian packages: %s\n", strings.Join(missing, " "))
	if !exists(policyFile) {
		if err := os.WriteFile(policyFile, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return fmt.Errorf("cannot keep packages from starting services: %w", err)
		}
		defer os.Remove(policyFile)
	}
	install := append([]string{"install", "-y", "-q", "--no-install-recommends"}, missing...)
	if apt(ctx, io.Discard, install...) == nil {
		return nil
	}
	// The lists may be absent, or older than what the mirror has.
	if err := errors.Join(apt(ctx, log, "update", "-q"), apt(ctx, log, install...)); err != nil {
		return fmt.Errorf("cannot install %s: %w", strings.Join(missing, " "), err)
	}
	return nil
}

func missing(exists func(string) bool) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		if !exists(needed[name]) {
			all = append(all, name)
		}
	}
	return all
}

func apt(ctx context.Context, log io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = log, log
	return cmd.Run()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
