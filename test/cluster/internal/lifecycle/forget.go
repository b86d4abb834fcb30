package lifecycle

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// forget makes containerd forget the images that it has pulled by a tag which
// is another image in the registry by now: a kubelet that finds the tag there
// would not look again. The argument maps references to digests.
func (c *Cluster) forget(ctx context.Context, pushed map[string]string) error {
	list, err := c.containers(ctx, "images", "list")
	if err != nil {
		return err
	}
	for _, ref := range stale(list, pushed) {
		if _, err := c.containers(ctx, "images", "remove", ref); err != nil {
			return err
		}
	}
	return nil
}

// stale are the references that a list of containerd's images has with other
// digests.
func stale(list string, digests map[string]string) []string {
	var all []string
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		if want, ok := digests[fields[0]]; ok && want != fields[2] {
			all = append(all, fields[0])
		}
	}
	slices.Sort(all)
	return all
}

func (c *Cluster) containers(ctx context.Context, args ...string) (string, error) {
	command, err := c.Enter(append([]string{"/usr/bin/ctr", "--namespace", "k8s.io"}, args...))
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot ask containerd: %w: %s", err, out)
	}
	return string(out), nil
}
