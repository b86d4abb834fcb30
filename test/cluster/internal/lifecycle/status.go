package lifecycle

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/node"
)

// Status says how the cluster fares, in words for people.
func (c *Cluster) Status(ctx context.Context) error {
	if !c.running() {
		fmt.Fprintln(c.Out, "The cluster is down.")
		return cluster.ErrNotUp
	}
	p, err := c.processes()
	if err != nil {
		return fmt.Errorf("cannot tell which processes the cluster is: %w", err)
	}
	programs, err := node.NewControl(c.root()).Status(ctx)
	if err != nil {
		return err
	}
	state := "up"
	if _, err := os.Stat(cluster.InfoFile(c.Cache)); err != nil {
		state = "coming up, or was left incomplete: make cluster-up completes it"
	}
	fmt.Fprintf(c.Out, "The cluster is %s.\n\n", state)
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "apiserver\t%s\tas pods say it: kubernetes.default.svc\n", apiserverHere)
	fmt.Fprintf(w, "registry\t%s\t%s\n", registryHere, node.Registry)
	fmt.Fprintf(w, "private registry\t%s\t%s\n", privateRegistryHere, node.PrivateRegistry)
	fmt.Fprintf(w, "package index\t%s\t%s\n", indexHere, named(node.IndexHost, node.IndexAddress))
	fmt.Fprintf(w, "private index\t%s\t%s\n", privateIndexHere, named(node.IndexHost, node.PrivateIndexAddress))
	fmt.Fprintf(w, "git\t%s\t%s\n", gitHere, named(node.GitHost, node.GitAddress))
	fmt.Fprintf(w, "git over SSH\t%s\t%s\n", gitSSHHere, named(node.GitHost, node.GitSSHAddress))
	fmt.Fprintf(w, "node ports\t127.0.0.1:%d-%d\tthe same ports\n", firstNodePort, lastNodePort)
	fmt.Fprintf(w, "processes\tsupervisor %d, node %d\t\n\n", p.Supervisor.PID, p.Node.PID)
	fmt.Fprintln(w, "PROGRAM\tSTATE\tFOR\tSTARTED AGAIN\tMEMORY")
	for _, s := range programs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d MiB\n", s.Name, s.State, time.Since(s.Since).Round(time.Second), s.Restarts, s.Memory>>20)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return c.showPods(ctx)
}

func (c *Cluster) showPods(ctx context.Context) error {
	var dirs node.Dirs
	if err := readJSON(c.path("dirs.json"), &dirs); err != nil {
		return fmt.Errorf("cannot tell what the node is made of: %w", err)
	}
	fmt.Fprintln(c.Out)
	cmd := exec.CommandContext(ctx, filepath.Join(dirs.Kube, "kubectl"), "--kubeconfig", c.kubeconfig(), "--request-timeout=5s",
		"get", "nodes,pods", "--all-namespaces")
	cmd.Stdout, cmd.Stderr = c.Out, c.Out
	cmd.Env = append(os.Environ(), "KUBECACHEDIR="+c.path("discovery"))
	return cmd.Run()
}
