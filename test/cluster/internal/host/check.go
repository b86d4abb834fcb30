package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxCache keeps the path of the node's control socket within what the kernel
// allows a socket's path to be.
const maxCache = 80

// controllers are what pods' limits are made of.
var controllers = []string{"cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"}

// Check says everything that keeps a cluster from running on this machine.
func Check(cache string) error {
	var all []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	need(runtime.GOOS == "linux" && runtime.GOARCH == "amd64", "the cluster runs on linux/amd64 only, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	need(os.Geteuid() == 0, "the cluster needs root, for namespaces and mounts")
	need(len(cache) <= maxCache, "the cache's path is longer than %d bytes: set METEOR_CACHE to a shorter one, not %s", maxCache, cache)
	filesystems, err := os.ReadFile("/proc/filesystems")
	need(err == nil && slices.Contains(strings.Fields(string(filesystems)), "overlay"), "the kernel has no overlay file system: try modprobe overlay")
	for _, name := range missingControllers() {
		all = append(all, fmt.Errorf("the machine has no cgroup controller %s", name))
	}
	if len(all) == 0 {
		all = append(all, checkCache(cache), checkNetwork())
	}
	return errors.Join(all...)
}

// checkCache finds out whether containers can be kept in the cache.
func checkCache(cache string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("cannot make the cache: %w", err)
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(cache, &stat); err != nil {
		return fmt.Errorf("cannot look at the cache's file system: %w", err)
	}
	if stat.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return fmt.Errorf("%s lies on an overlay, on which containers cannot be: set METEOR_CACHE to a directory on a disk or a volume", cache)
	}
	return nil
}

// checkNetwork tries what the node's network is made of, in a network that is
// gone right after.
func checkNetwork() error {
	const try = "ip link add name try0 type bridge && ip link add name try1 type veth && iptables -t nat -L -n && test -e /proc/sys/net/bridge/bridge-nf-call-iptables"
	out, err := exec.Command("unshare", "--net", "sh", "-c", try).CombinedOutput()
	if err != nil {
		return fmt.Errorf("a network namespace here lacks bridges, veths, iptables or br_netfilter (modprobe br_netfilter may help): %s", strings.TrimSpace(string(out)))
	}
	return nil
}

func missingControllers() []string {
	if unified, err := os.ReadFile(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		have := strings.Fields(string(unified))
		return slices.DeleteFunc([]string{"cpu", "cpuset", "memory", "pids"}, func(c string) bool { return slices.Contains(have, c) })
	}
	return slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return exists(filepath.Join(cgroups, c)) })
}
