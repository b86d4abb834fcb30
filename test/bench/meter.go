package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// meter counts the bytes that the local cluster's open registry receives from pods, by a rule of the node's packet filter
// that does nothing else. What the node itself sends does not come in by the pods' bridge.
type meter struct {
	cluster *operator.Cluster
	rule    []string
}

const meterComment = "meteor-bench"

func newMeter(ctx context.Context, c *operator.Cluster) (meter, error) {
	_, port, ok := strings.Cut(c.Local.Registry, ":")
	if !ok {
		return meter{}, fmt.Errorf("cannot tell the port of registry %q", c.Local.Registry)
	}
	m := meter{cluster: c, rule: []string{"INPUT", "-i", "cni0", "-p", "tcp", "--dport", port, "-m", "comment", "--comment", meterComment}}
	if _, err := m.filter(ctx, "-I"); err != nil {
		return meter{}, fmt.Errorf("cannot count what the registry receives: %w", err)
	}
	return m, nil
}

func (m meter) filter(ctx context.Context, command string) (string, error) {
	return m.cluster.LocalOutput(ctx, append([]string{"enter", "iptables", command}, m.rule...)...)
}

func (m meter) remove(ctx context.Context) {
	if m.cluster == nil {
		return
	}
	if _, err := m.filter(ctx, "-D"); err != nil {
		fmt.Fprintln(os.Stderr, "bench: cannot remove a rule:", err)
	}
}

// read is how many bytes there were so far.
func (m meter) read(ctx context.Context) (int64, error) {
	out, err := m.cluster.LocalOutput(ctx, "enter", "iptables", "-nvxL", "INPUT")
	if err != nil {
		return 0, fmt.Errorf("cannot read what the registry has received: %w", err)
	}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); strings.Contains(line, meterComment) && len(fields) > 1 {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("the rule that counts what the registry receives is gone")
}
