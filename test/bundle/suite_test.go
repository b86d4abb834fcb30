package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	generator "github.com/meteor-zone/meteor-operator/hack/bundle"
)

var (
	// root is the checkout.
	root = filepath.Join("..", "..")
	// source is what the generator reads.
	source *generator.Source
	// built is the bundle in the checkout.
	built *manifests.Bundle
	// k8s and served ask a real kube-apiserver that has the bundle's CRDs.
	k8s    client.Client
	served *discovery.DiscoveryClient
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 0, fmt.Errorf("KUBEBUILDER_ASSETS is not set: name a folder with kube-apiserver and etcd, such as `go run ./test/cluster/cmd/cluster assets` prints")
	}
	if source, err = generator.Read(root); err != nil {
		return 0, err
	}
	if built, err = manifests.GetBundleFromDir(filepath.Join(root, "bundle")); err != nil {
		return 0, fmt.Errorf("cannot read the bundle: %w", err)
	}
	env := &envtest.Environment{CRDs: built.V1CRDs}
	// A start that fails half-way leaves processes behind, so stop in any case.
	defer func() {
		if stopErr := env.Stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("cannot stop kube-apiserver: %w", stopErr)
		}
	}()
	cfg, err := env.Start()
	if err != nil {
		return 0, fmt.Errorf("cannot start kube-apiserver: %w", err)
	}
	if k8s, err = client.New(cfg, client.Options{}); err != nil {
		return 0, fmt.Errorf("cannot make a client: %w", err)
	}
	if served, err = discovery.NewDiscoveryClientForConfig(cfg); err != nil {
		return 0, fmt.Errorf("cannot make a client for discovery: %w", err)
	}
	return m.Run(), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
