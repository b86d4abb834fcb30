package lifecycle

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/build"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/forward"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/host"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/node"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/repositories"
	"github.com/meteor-zone/meteor-operator/test/cluster/manifests"
)

// Users of the private servers, all different, so that a test can tell them apart.
const (
	registryUser = "meteor"
	indexUser    = "index-user"
	gitUser      = "git-user"
)

// parts are what a cluster is made of.
type parts struct {
	kube, dns, pause, serve string
	packages, repositories  string
	tekton                  build.Tekton
	images                  testImages
}

// Up makes sure that the cluster is up, whatever state it is in.
func (c *Cluster) Up(ctx context.Context) error {
	unlock, err := c.exclusive()
	if err != nil {
		return err
	}
	defer unlock()
	p, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	if c.complete(ctx, p) {
		c.say("the cluster is up")
		return nil
	}
	if c.running() {
		c.say("the cluster runs but is not complete")
	} else if err := c.startNode(ctx, p); err != nil {
		return err
	}
	if err := c.furnish(ctx, p); err != nil {
		return err
	}
	if err := c.finish(p); err != nil {
		return err
	}
	c.say("the cluster is up: eval \"$(go run ./test/cluster/cmd/cluster env)\"")
	return nil
}

// prepare checks the machine and builds what is not built.
func (c *Cluster) prepare(ctx context.Context) (parts, error) {
	if err := host.Install(ctx, c.Out); err != nil {
		return parts{}, err
	}
	if !c.running() {
		if err := host.Check(c.Cache); err != nil {
			return parts{}, fmt.Errorf("the cluster cannot run here:\n%w", err)
		}
		// The supervisor opens these for good; here a failure costs no time.
		forwarder, err := forward.Listen(routes())
		if err != nil {
			return parts{}, err
		}
		forwarder.Close()
	}
	b := &build.Builder{Checkout: c.Checkout, Cache: c.Cache, Log: c.Out}
	var p parts
	var err error
	if p.kube, err = b.Kube(ctx); err != nil {
		return parts{}, err
	}
	if p.dns, err = b.DNS(ctx); err != nil {
		return parts{}, err
	}
	if p.pause, err = b.Pause(ctx); err != nil {
		return parts{}, err
	}
	if p.tekton, err = b.Tekton(ctx); err != nil {
		return parts{}, err
	}
	if err := p.sources(ctx, b); err != nil {
		return parts{}, err
	}
	p.images, err = c.testImages(ctx)
	return p, err
}

// sources builds what builds fetch from.
func (p *parts) sources(ctx context.Context, b *build.Builder) (err error) {
	if p.serve, err = b.Serve(ctx); err != nil {
		return err
	}
	if p.packages, err = b.Packages(ctx); err != nil {
		return err
	}
	p.repositories, err = b.Repositories(ctx)
	return err
}

// fingerprint is different when the cluster would be made of other things.
func (p parts) fingerprint() string {
	h := sha256.New()
	fmt.Fprintln(h, p.kube, p.dns, p.pause, p.serve, p.packages, p.repositories, p.tekton.Dir, p.images.fingerprint())
	h.Write(bytes.Join([][]byte{manifests.Addons, manifests.ImageStream}, nil))
	return hex.EncodeToString(h.Sum(nil))
}

// complete says whether the cluster is up with nothing left to do.
func (c *Cluster) complete(ctx context.Context, p parts) bool {
	done, err := os.ReadFile(c.path("complete"))
	if err != nil || string(done) != p.fingerprint() || !c.running() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.apiserverReady(ctx) == nil
}

func (c *Cluster) finish(p parts) error {
	info, err := c.info(p)
	if err != nil {
		return err
	}
	if err := writeJSON(cluster.InfoFile(c.Cache), info, 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.path("complete"), []byte(p.fingerprint()), 0o644)
}

// info is what the cluster says of itself.
func (c *Cluster) info(p parts) (cluster.Info, error) {
	logins, err := c.logins()
	if err != nil {
		return cluster.Info{}, err
	}
	commits, err := repositories.Commits(p.repositories)
	if err != nil {
		return cluster.Info{}, err
	}
	return cluster.Info{
		Kubeconfig:          c.kubeconfig(),
		Registry:            node.Registry,
		RegistryPush:        registryHere,
		PrivateRegistry:     node.PrivateRegistry,
		PrivateRegistryPush: privateRegistryHere,
		PrivateUser:         logins.Registry.User,
		PrivatePassword:     logins.Registry.Password,
		NodePorts:           nodePorts(),
		Images:              p.images.references(),
		AuditLog:            filepath.Join(c.root(), node.AuditLog),
		Index:               "http://" + named(node.IndexHost, node.IndexAddress) + "/simple/",
		IndexHere:           indexHere,
		PrivateIndex:        "https://" + named(node.IndexHost, node.PrivateIndexAddress) + "/simple/",
		PrivateIndexHere:    privateIndexHere,
		IndexUser:           logins.Index.User,
		IndexPassword:       logins.Index.Password,
		Git:                 "https://" + named(node.GitHost, node.GitAddress),
		GitHere:             gitHere,
		GitUser:             logins.Git.User,
		GitPassword:         logins.Git.Password,
		GitSSH:              "ssh://git@" + named(node.GitHost, node.GitSSHAddress),
		GitSSHHere:          gitSSHHere,
		GitSSHKey:           filepath.Join(c.root(), node.GitSSHKey),
		GitKnownHosts:       filepath.Join(c.root(), node.GitKnownHosts),
		Commits:             commits,
		CA:                  filepath.Join(c.root(), node.ServersCA),
	}, nil
}

// named is an address with a name in the place of the number.
func named(host, address string) string {
	_, port, _ := strings.Cut(address, ":")
	return host + ":" + port
}

// startNode clears away what an earlier cluster left, and starts the node.
func (c *Cluster) startNode(ctx context.Context, p parts) error {
	if _, err := os.Stat(c.root()); err == nil {
		c.say("clearing away an earlier cluster, whose processes are gone")
	}
	if err := c.end(); err != nil {
		return err
	}
	if err := c.makeRoot(p); err != nil {
		return err
	}
	ended, err := c.startSupervisor()
	if err != nil {
		return err
	}
	control := node.NewControl(c.root())
	for {
		if _, err := control.Status(ctx); err == nil {
			c.say("the node runs")
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("the node did not start:\n%s", c.lastWords())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Cluster) makeRoot(p parts) error {
	dirs := node.Dirs{
		Root: c.root(), Kube: p.kube, DNS: p.dns, Serve: p.serve, Index: p.packages, Git: p.repositories,
		Containers: filepath.Join(c.Cache, "containerd"), Registry: filepath.Join(c.Cache, "registry"),
		Cgroup: c.cgroup(),
	}
	for _, dir := range []string{dirs.Root, dirs.Containers, dirs.Registry} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make the node's root: %w", err)
		}
	}
	logins := node.Logins{
		Registry: node.Login{User: registryUser, Password: rand.Text()},
		Index:    node.Login{User: indexUser, Password: rand.Text()},
		Git:      node.Login{User: gitUser, Password: rand.Text()},
	}
	admin, err := node.Prepare(dirs.Root, apiserverHere, logins)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.kubeconfig(), admin, 0o600); err != nil {
		return fmt.Errorf("cannot write the kubeconfig: %w", err)
	}
	if err := writeJSON(c.path("logins.json"), logins, 0o600); err != nil {
		return err
	}
	return writeJSON(c.path("dirs.json"), dirs, 0o644)
}

func (c *Cluster) logins() (logins node.Logins, err error) {
	return logins, readJSON(c.path("logins.json"), &logins)
}

// startSupervisor starts a supervisor that outlives this command. The channel
// is closed when it ends.
func (c *Cluster) startSupervisor() (<-chan struct{}, error) {
	program, err := c.keepProgram()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(c.path("supervisor.log"))
	if err != nil {
		return nil, fmt.Errorf("cannot open the supervisor's log: %w", err)
	}
	defer log.Close()
	// What this command was handed, a lock perhaps, is not the supervisor's.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, fmt.Errorf("cannot part with open files: %w", err)
	}
	cmd := exec.Command(program, "supervise")
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.Env = []string{"METEOR_CACHE=" + c.Cache, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the supervisor: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		// Its last words are in its log.
		_ = cmd.Wait()
		close(ended)
	}()
	return ended, nil
}

// keepProgram copies this program to where it stays: go run removes the one
// that it has made.
func (c *Cluster) keepProgram() (string, error) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return "", fmt.Errorf("cannot read this program: %w", err)
	}
	kept := c.path("cluster")
	if err := os.Remove(kept); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("cannot replace the supervisor's program: %w", err)
	}
	if err := os.WriteFile(kept, self, 0o755); err != nil {
		return "", fmt.Errorf("cannot keep this program: %w", err)
	}
	return kept, nil
}

func (c *Cluster) lastWords() string {
	var words []string
	for _, file := range []string{c.path("supervisor.log"), filepath.Join(c.root(), node.LogDir, "node.log")} {
		content, err := os.ReadFile(file)
		if err == nil {
			words = append(words, strings.TrimSpace(string(content)))
		}
	}
	return strings.Join(words, "\n")
}
