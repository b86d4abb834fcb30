package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/test/cluster"
)

// Names of what config/default installs.
const (
	Namespace  = "meteor-operator-system"
	Deployment = "meteor-operator-controller-manager"
)

// Cluster is the cluster to work on: the one that KUBECONFIG names, or else the local one.
type Cluster struct {
	// Config is an admin's.
	Config *rest.Config
	// Client is an admin's.
	Client client.WithWatch
	// Kubeconfig is the file that Config comes from.
	Kubeconfig string
	// Local is nil on a cluster that the user has named.
	Local *cluster.Info

	root string
	log  io.Writer
}

// Connect finds the cluster, and brings the local one up if it is that. What it does goes to log.
func Connect(ctx context.Context, log io.Writer) (*Cluster, error) {
	root, err := checkout()
	if err != nil {
		return nil, err
	}
	c := &Cluster{root: root, log: log, Kubeconfig: os.Getenv("KUBECONFIG")}
	if err := c.findLocal(ctx); err != nil {
		return nil, err
	}
	c.Config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(c.Kubeconfig)}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", c.Kubeconfig, err)
	}
	c.Config.QPS, c.Config.Burst = 200, 400
	c.Client, err = client.NewWithWatch(c.Config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, fmt.Errorf("cannot talk to the cluster: %w", err)
	}
	return c, nil
}

// findLocal tells whether KUBECONFIG, where it is set, means the local cluster, and brings that one up.
func (c *Cluster) findLocal(ctx context.Context) error {
	info, err := cluster.ReadInfo()
	if err != nil && !errors.Is(err, cluster.ErrNotUp) {
		return err
	}
	local := err == nil && c.Kubeconfig == info.Kubeconfig
	if c.Kubeconfig != "" && !local {
		return nil
	}
	if err := c.LocalCommand(ctx, "up"); err != nil {
		return err
	}
	info, err = cluster.ReadInfo()
	if err != nil {
		return err
	}
	c.Local, c.Kubeconfig = &info, info.Kubeconfig
	return nil
}

// LocalCommand runs a command of the local cluster's, such as "stop registry".
func (c *Cluster) LocalCommand(ctx context.Context, args ...string) error {
	_, err := c.LocalOutput(ctx, args...)
	return err
}

// LocalOutput is the same for a command whose output matters.
func (c *Cluster) LocalOutput(ctx context.Context, args ...string) (string, error) {
	return c.run(ctx, "go", append([]string{"run", "./test/cluster/cmd/cluster"}, args...)...)
}

// run runs a program at the root of the checkout and returns what it prints. What it says on its error output, and the
// local cluster's progress, go to the log.
func (c *Cluster) run(ctx context.Context, program string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stderr = c.root, c.log
	cmd.Stdout = &out
	if args[len(args)-1] == "up" {
		cmd.Stdout = c.log
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(out.String()), nil
}

// Scheme knows all kinds that are looked at here.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, tektonv1.AddToScheme, imagev1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err) // two kinds of one name
		}
	}
	return s
}

// checkout is the root of the checkout that the working directory is in.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot tell the working directory: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not in a checkout of the operator", dir)
		}
	}
}
