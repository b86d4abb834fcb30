package api

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// k8s and tables talk to the kube-apiserver that TestMain started; tables asks
// for what a client of types cannot have.
var (
	k8s    client.Client
	tables *rest.RESTClient
)

// root is the repository's folder as seen from this package.
var root = filepath.Join("..", "..")

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
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
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
	k8s, err = client.New(cfg, client.Options{Scheme: newScheme()})
	if err != nil {
		return 0, fmt.Errorf("cannot make a client: %w", err)
	}
	cfg.GroupVersion = &v1alpha1.GroupVersion
	cfg.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	tables, err = rest.RESTClientFor(cfg)
	if err != nil {
		return 0, fmt.Errorf("cannot make a client for tables: %w", err)
	}
	return m.Run(), nil
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}
