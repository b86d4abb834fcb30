// Package testenv gives a test package a real kube-apiserver, to which Tekton's kinds and a stand-in for OpenShift's
// ImageStream can come and go, and managers that are wired as the real one is.
package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/meteor-zone/meteor-operator/controllers/internal/kube"
	"github.com/meteor-zone/meteor-operator/test/cluster/manifests"
)

// Patience is how long a test waits for what should happen soon.
const Patience = 20 * time.Second

// removalPatience is how long a kind may take to go: the API server retries the removal of its objects ever less often.
const removalPatience = 90 * time.Second

// Env is a kube-apiserver with the operator's own kinds.
type Env struct {
	// Config is an admin's.
	Config *rest.Config
	// Client is an admin's, without cache.
	Client client.Client

	env    *envtest.Environment
	tekton []*apiextensionsv1.CustomResourceDefinition
	images []*apiextensionsv1.CustomResourceDefinition
}

// Main starts a kube-apiserver, runs the package's tests with it, stops it and exits.
func Main(m *testing.M, into **Env) {
	ctrl.SetLogger(logr.Discard())
	e, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	*into = e
	code := m.Run()
	if err := e.env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot stop kube-apiserver:", err)
		code = 1
	}
	os.Exit(code)
}

func start() (*Env, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: name a folder with kube-apiserver and etcd, such as `go run ./test/cluster/cmd/cluster assets` prints")
	}
	e := &Env{env: &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root(), "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}}
	var err error
	if e.Config, err = e.env.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start kube-apiserver: %w", err), e.env.Stop())
	}
	if err := e.prepare(); err != nil {
		return nil, errors.Join(err, e.env.Stop())
	}
	return e, nil
}

func (e *Env) prepare() error {
	scheme, err := kube.NewScheme()
	if err != nil {
		return err
	}
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return fmt.Errorf("cannot build the scheme: %w", err)
	}
	e.Config.QPS, e.Config.Burst = 500, 1000
	if e.Client, err = client.New(e.Config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("cannot make a client: %w", err)
	}
	if e.images, err = parse(manifests.ImageStream); err != nil {
		return err
	}
	e.tekton, err = tektonKinds()
	return err
}

// root is the repository's folder.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// tektonKinds reads Tekton's CRDs from its module. Nothing converts here, since only v1 is used.
func tektonKinds() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tektoncd/pipeline")
	cmd.Dir = root()
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot find Tekton's module: %w", err)
	}
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, name := range []string{"pipeline", "pipelinerun", "task", "taskrun"} {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "config", "300-crds", "300-"+name+".yaml"))
		if err != nil {
			return nil, fmt.Errorf("cannot read Tekton's CRDs: %w", err)
		}
		crds, err := parse(data)
		if err != nil {
			return nil, err
		}
		all = append(all, crds...)
	}
	return all, nil
}

func parse(data []byte) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var all []*apiextensionsv1.CustomResourceDefinition
	dec := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		err := dec.Decode(crd)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot parse a CRD: %w", err)
		}
		if crd.Name == "" {
			continue
		}
		crd.Spec.Conversion = nil
		all = append(all, crd)
	}
}

// InstallTekton has the cluster offer Tekton's kinds.
func (e *Env) InstallTekton(t *testing.T) { t.Helper(); e.install(t, e.tekton) }

// RemoveTekton takes Tekton's kinds away, with all objects of them.
func (e *Env) RemoveTekton(t *testing.T) { t.Helper(); e.remove(t, e.tekton) }

// InstallImageStreams has the cluster offer the stand-in for ImageStreams.
func (e *Env) InstallImageStreams(t *testing.T) { t.Helper(); e.install(t, e.images) }

// RemoveImageStreams takes the stand-in away, with all objects of it.
func (e *Env) RemoveImageStreams(t *testing.T) { t.Helper(); e.remove(t, e.images) }

func (e *Env) install(t *testing.T, crds []*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	// A test's context has ended when its clean-ups run.
	ctx := context.Background()
	for _, crd := range crds {
		if err := e.Client.Create(ctx, crd.DeepCopy()); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatalf("cannot install %s: %v", crd.Name, err)
		}
	}
	for _, crd := range crds {
		Eventually(t, crd.Name+" is served", func() error {
			now := &apiextensionsv1.CustomResourceDefinition{}
			if err := e.Client.Get(ctx, client.ObjectKeyFromObject(crd), now); err != nil {
				return err
			}
			for _, c := range now.Status.Conditions {
				if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
					return nil
				}
			}
			return errors.New("not established")
		})
	}
}

func (e *Env) remove(t *testing.T, crds []*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	ctx := context.Background()
	for _, crd := range crds {
		if err := e.Client.Delete(ctx, crd.DeepCopy()); client.IgnoreNotFound(err) != nil {
			t.Fatalf("cannot remove %s: %v", crd.Name, err)
		}
	}
	for _, crd := range crds {
		within(t, removalPatience, crd.Name+" is gone", func() error {
			err := e.Client.Get(ctx, client.ObjectKeyFromObject(crd), &apiextensionsv1.CustomResourceDefinition{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return errors.Join(errors.New("still there"), err)
		})
	}
}

// Namespace makes a namespace for the test.
func (e *Env) Namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := e.Client.Create(t.Context(), ns); err != nil {
		t.Fatalf("cannot make a namespace: %v", err)
	}
	return ns.Name
}

// As returns the environment as a user sees it who has no rights but those that are bound to the name.
func (e *Env) As(t *testing.T, user string) *Env {
	t.Helper()
	u, err := e.env.AddUser(envtest.User{Name: user}, nil)
	if err != nil {
		t.Fatalf("cannot add user %q: %v", user, err)
	}
	as := *e
	as.Config = u.Config()
	as.Config.QPS, as.Config.Burst = e.Config.QPS, e.Config.Burst
	return &as
}

// Requests counts what a manager asks of the API server.
type Requests struct {
	mu      sync.Mutex
	all     []string
	refused []string
}

// Refused lists what the API server had no rights for so far, each as its method and URL.
func (r *Requests) Refused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.refused...)
}

// Writes lists the writes so far, each as its method and path.
func (r *Requests) Writes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.all...)
}

// Reset forgets what was counted.
func (r *Requests) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = nil
}

func (r *Requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		switch {
		case req.Method == http.MethodGet, strings.Contains(req.URL.Path, "/events"):
		default:
			r.mu.Lock()
			r.all = append(r.all, req.Method+" "+req.URL.Path)
			r.mu.Unlock()
		}
		res, err := next.RoundTrip(req)
		if err == nil && res.StatusCode == http.StatusForbidden {
			r.mu.Lock()
			r.refused = append(r.refused, req.Method+" "+req.URL.RequestURI())
			r.mu.Unlock()
		}
		return res, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// StartManager starts a manager with the real one's scheme, caches and client, to which setup adds controllers. It
// returns what counts the manager's requests, and what stops the manager, which the end of the test does too.
func (e *Env) StartManager(t *testing.T, watchNamespaces []string, setup func(context.Context, ctrl.Manager) error) (*Requests, func()) {
	t.Helper()
	requests := &Requests{}
	return requests, e.StartManagerThrough(t, requests.wrap, watchNamespaces, setup)
}

// StartManagerThrough is StartManager with somebody else between the manager and the API server.
func (e *Env) StartManagerThrough(t *testing.T, wrap transport.WrapperFunc, watchNamespaces []string, setup func(context.Context, ctrl.Manager) error) (stop func()) {
	t.Helper()
	cfg := rest.CopyConfig(e.Config)
	cfg.Wrap(wrap)
	scheme, err := kube.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:     scheme,
		Cache:      kube.CacheOptions(watchNamespaces),
		Client:     kube.ClientOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: controllerOptions(),
	})
	if err != nil {
		t.Fatalf("cannot make a manager: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := setup(ctx, mgr); err != nil {
		cancel()
		t.Fatalf("cannot set up the controllers: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the manager ended badly: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// controllerOptions lets controllers of one name follow each other in one process.
func controllerOptions() config.Controller {
	o := kube.ControllerOptions()
	o.SkipNameValidation = ptr.To(true)
	return o
}

// Eventually waits until check succeeds.
func Eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	within(t, Patience, what, check)
}

func within(t *testing.T, patience time.Duration, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("gave up waiting until %s: %v", what, err)
}

// Steady checks for the given time that check goes on succeeding.
func Steady(t *testing.T, what string, during time.Duration, check func() error) {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err := check(); err != nil {
			t.Fatalf("not so any more: %s: %v", what, err)
		}
	}
}
