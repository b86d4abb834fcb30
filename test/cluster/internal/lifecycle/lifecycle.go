// Package lifecycle brings the local cluster up and takes it down.
//
// A running cluster is one process of the machine, the supervisor, which holds
// the loopback listeners, and the node's processes, whose first is the
// supervisor's child. Either dies with the other. What is known of them lies in
// the directory cluster of the cache, with a lock that is held for as long as
// either lives.
package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/forward"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/host"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/node"
)

// Where this machine reaches the cluster.
const (
	apiserverHere       = "127.0.0.1:26443"
	registryHere        = "127.0.0.1:25000"
	privateRegistryHere = "127.0.0.1:25001"
	indexHere           = "127.0.0.1:25080"
	privateIndexHere    = "127.0.0.1:25443"
	gitHere             = "127.0.0.1:28443"
	gitSSHHere          = "127.0.0.1:22222"
	firstNodePort       = 30080
	lastNodePort        = 30087
)

// Cluster is the local cluster of one cache.
type Cluster struct {
	// Cache is where everything is kept.
	Cache string
	// Checkout is the checkout to build from.
	Checkout string
	// Out takes what there is to say.
	Out io.Writer

	began time.Time
	// pushed are the images that this command has made sure of: reference, by
	// tag, to digest.
	pushed map[string]string
}

// New returns the cluster of a cache.
func New(cache, checkout string, out io.Writer) *Cluster {
	return &Cluster{Cache: cache, Checkout: checkout, Out: out, began: time.Now(), pushed: map[string]string{}}
}

// processes are those that a running cluster is known by.
type processes struct {
	Supervisor host.Process `json:"supervisor"`
	Node       host.Process `json:"node"`
}

func (c *Cluster) path(name string) string { return filepath.Join(c.Cache, "cluster", name) }
func (c *Cluster) root() string            { return c.path("node") }
func (c *Cluster) kubeconfig() string      { return c.path("kubeconfig") }
func (c *Cluster) lockFile() string        { return c.path("lock") }

// cgroup is named after the cache, so that nothing is mistaken for a part of
// this cluster that belongs to one of another cache.
func (c *Cluster) cgroup() string {
	hash := sha256.Sum256([]byte(c.Cache))
	return "meteor-cluster-" + hex.EncodeToString(hash[:4])
}

func (c *Cluster) say(format string, args ...any) {
	fmt.Fprintf(c.Out, "%6.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// exclusive keeps other commands from changing the cluster at the same time.
func (c *Cluster) exclusive() (func(), error) {
	if err := os.MkdirAll(c.path(""), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the cache: %w", err)
	}
	f, err := os.OpenFile(c.path("command.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the cluster: %w", err)
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		c.say("another command is at work on the cluster, waiting for it")
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot lock the cluster: %w", err), f.Close())
		}
	}
	return func() { _ = f.Close() }, nil
}

// running says whether a supervisor or a node lives.
func (c *Cluster) running() bool {
	f, err := os.Open(c.lockFile())
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

func (c *Cluster) processes() (processes, error) {
	var p processes
	return p, readJSON(c.path("processes.json"), &p)
}

// routes lead from this machine's loopback to the node.
func routes() []forward.Route {
	all := []forward.Route{
		{From: apiserverHere, To: node.APIServer},
		{From: registryHere, To: node.RegistryAddress},
		{From: privateRegistryHere, To: node.PrivateRegistryAddress},
		{From: indexHere, To: node.IndexAddress},
		{From: privateIndexHere, To: node.PrivateIndexAddress},
		{From: gitHere, To: node.GitAddress},
		{From: gitSSHHere, To: node.GitSSHAddress},
	}
	for _, port := range nodePorts() {
		all = append(all, forward.Route{From: fmt.Sprintf("127.0.0.1:%d", port), To: fmt.Sprintf("%s:%d", node.Address, port)})
	}
	return all
}

func nodePorts() []int {
	var all []int
	for port := firstNodePort; port <= lastNodePort; port++ {
		all = append(all, port)
	}
	return all
}

// Start starts one of the node's programs.
func (c *Cluster) Start(ctx context.Context, program string) error {
	if !c.running() {
		return cluster.ErrNotUp
	}
	return node.NewControl(c.root()).Start(ctx, program)
}

// Stop ends one of the node's programs until it is started again.
func (c *Cluster) Stop(ctx context.Context, program string) error {
	if !c.running() {
		return cluster.ErrNotUp
	}
	return node.NewControl(c.root()).Stop(ctx, program)
}

// Enter returns the command that runs another inside the node.
func (c *Cluster) Enter(command []string) ([]string, error) {
	p, err := c.processes()
	if err != nil || !p.Node.Alive() {
		return nil, cluster.ErrNotUp
	}
	if len(command) == 0 {
		command = []string{"/bin/sh"}
	}
	enter := []string{"nsenter", "--target", fmt.Sprint(p.Node.PID), "--mount", "--net", "--pid", "--uts", "--ipc", "--"}
	return append(enter, command...), nil
}

// Log opens the log of one of the node's programs, or of the node itself.
func (c *Cluster) Log(program string) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(c.root(), node.LogDir, filepath.Base(program)+".log"))
	if err != nil {
		return nil, fmt.Errorf("there is no log of %s: %w", program, err)
	}
	return f, nil
}

func readJSON(file string, into any) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("cannot read %s: %w", file, err)
	}
	return nil
}

// writeJSON writes a file at once or not at all.
func writeJSON(file string, value any, mode os.FileMode) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", append(content, '\n'), mode); err != nil {
		return fmt.Errorf("cannot write %s: %w", file, err)
	}
	return os.Rename(file+".new", file)
}
