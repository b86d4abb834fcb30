package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/node"
)

const endTimeout = 20 * time.Second

// Down ends the cluster and takes away all of it but what was built, the
// registries' contents and the images that were pulled.
func (c *Cluster) Down(context.Context) error {
	unlock, err := c.exclusive()
	if err != nil {
		return err
	}
	defer unlock()
	was := c.running()
	if err := c.end(); err != nil {
		return err
	}
	if was {
		c.say("the cluster is down")
	} else {
		c.say("the cluster was not up")
	}
	return nil
}

// end ends what runs of a cluster, if anything, and removes what it leaves.
func (c *Cluster) end() error {
	if p, err := c.processes(); err == nil {
		if p.Supervisor.Alive() {
			_ = unix.Kill(p.Supervisor.PID, unix.SIGTERM)
			waitUntil(endTimeout, func() bool { return !p.Supervisor.Alive() })
		}
		if err := errors.Join(p.Supervisor.Kill(endTimeout), p.Node.Kill(endTimeout)); err != nil {
			return err
		}
	}
	if !waitUntil(endTimeout, func() bool { return !c.running() }) {
		return fmt.Errorf("a process still holds %s: see fuser %[1]s", c.lockFile())
	}
	if err := c.cleanUp(); err != nil {
		return err
	}
	return c.removeRoot()
}

// removeRoot removes the node's root, but for its logs.
func (c *Cluster) removeRoot() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("cannot read this machine's mounts: %w", err)
	}
	if at := mountBelow(string(mounts), c.root()); at != "" {
		return fmt.Errorf("something is mounted at %s: not removing what may be the machine's", at)
	}
	if err := os.RemoveAll(c.path("previous-logs")); err != nil {
		return fmt.Errorf("cannot remove old logs: %w", err)
	}
	if err := os.Rename(filepath.Join(c.root(), node.LogDir), c.path("previous-logs")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot keep the logs: %w", err)
	}
	if err := os.RemoveAll(c.root()); err != nil {
		return fmt.Errorf("cannot remove the node's root: %w", err)
	}
	return nil
}

// mountBelow is a mount point in or below a directory.
func mountBelow(mountinfo, dir string) string {
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) > 4 && (fields[4] == dir || strings.HasPrefix(fields[4], dir+"/")) {
			return fields[4]
		}
	}
	return ""
}

func waitUntil(timeout time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(timeout); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
