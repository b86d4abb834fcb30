package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	operatorNamespace = "meteor-operator-system"
	// patience is how long anything may take.
	patience = 10 * time.Minute
	// makers is how many objects are made at once.
	makers = 8
)

// world is a kube-apiserver, and the manager that works on it.
type world struct {
	dir      string
	env      *envtest.Environment
	client   client.Client
	auditLog string
	// kubeconfigs are files for an admin and for the manager.
	admin, operator string
	manager         *exec.Cmd
	log             *os.File
}

// newWorld starts a kube-apiserver that has Tekton's kinds, and installs what config/default holds.
func newWorld(ctx context.Context) (*world, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: make bench-config sets it")
	}
	dir, err := os.MkdirTemp("", "bench-config-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder: %w", err)
	}
	w := &world{dir: dir}
	if err := w.begin(ctx); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

func (w *world) begin(ctx context.Context) error {
	w.auditLog = filepath.Join(w.dir, "audit.log")
	policyFile := filepath.Join(w.dir, "policy.yaml")
	if err := os.WriteFile(policyFile, []byte(policy), 0o600); err != nil {
		return fmt.Errorf("cannot write the audit policy: %w", err)
	}
	crds, err := tektonKinds(ctx)
	if err != nil {
		return err
	}
	w.env = &envtest.Environment{CRDInstallOptions: envtest.CRDInstallOptions{Paths: crds, CleanUpAfterUse: false}}
	w.env.ControlPlane.GetAPIServer().Configure().
		Set("audit-log-path", w.auditLog).
		Set("audit-policy-file", policyFile)
	if _, err := w.env.Start(); err != nil {
		return fmt.Errorf("cannot start kube-apiserver: %w", err)
	}
	if err := w.users(); err != nil {
		return err
	}
	if err := w.build(ctx); err != nil {
		return err
	}
	return w.install(ctx)
}

// tektonKinds are the files with Tekton's CRDs, in its module. Nothing converts here, since only v1 is used.
func tektonKinds(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tektoncd/pipeline").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot find Tekton's module: %w", err)
	}
	var files []string
	for _, name := range []string{"pipeline", "pipelinerun", "task", "taskrun"} {
		files = append(files, filepath.Join(strings.TrimSpace(string(out)), "config", "300-crds", "300-"+name+".yaml"))
	}
	return files, nil
}

func (w *world) users() error {
	for _, u := range []struct {
		user envtest.User
		file *string
	}{
		{envtest.User{Name: "bench", Groups: []string{"system:masters"}}, &w.admin},
		{envtest.User{Name: account, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorNamespace}}, &w.operator},
	} {
		user, err := w.env.AddUser(u.user, nil)
		if err != nil {
			return fmt.Errorf("cannot add user %q: %w", u.user.Name, err)
		}
		content, err := user.KubeConfig()
		if err != nil {
			return fmt.Errorf("cannot make a kubeconfig: %w", err)
		}
		*u.file = filepath.Join(w.dir, strings.ReplaceAll(u.user.Name, ":", "-")+".kubeconfig")
		if err := os.WriteFile(*u.file, content, 0o600); err != nil {
			return fmt.Errorf("cannot write a kubeconfig: %w", err)
		}
		if w.client != nil {
			continue
		}
		scheme := runtime.NewScheme()
		if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
			return fmt.Errorf("cannot build the scheme: %w", err)
		}
		cfg := user.Config()
		cfg.QPS = -1
		if w.client, err = client.New(cfg, client.Options{Scheme: scheme}); err != nil {
			return fmt.Errorf("cannot make a client: %w", err)
		}
	}
	return nil
}

func (w *world) build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(w.dir, "manager"), "./cmd/manager")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the manager: %w: %s", err, out)
	}
	return nil
}

// install does what an admin does, and then asks for pipelines in namespaces of a label.
func (w *world) install(ctx context.Context) error {
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	cmd := exec.CommandContext(ctx, kubectl, "apply", "-k", "config/default")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.admin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot install the operator: %w: %s", err, out)
	}
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	config.Spec.Namespaces = v1alpha1.NamespacesSpec{
		Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"bench": "yes"}},
	}
	return w.until(ctx, "the CNBiConfig is made", func() error { return w.client.Create(ctx, config) })
}

func (w *world) startManager(ctx context.Context) error {
	var err error
	if w.log, err = os.OpenFile(filepath.Join(w.dir, "manager.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("cannot keep the manager's log: %w", err)
	}
	w.manager = exec.CommandContext(ctx, filepath.Join(w.dir, "manager"),
		"-leader-elect=false", "-metrics-bind-address=0", "-health-probe-bind-address=0")
	w.manager.Env = append(os.Environ(),
		"KUBECONFIG="+w.operator, "POD_NAMESPACE="+operatorNamespace, "GOMEMLIMIT=230MiB", "WATCH_NAMESPACE=",
		"OPERATOR_IMAGE=registry.example.com/meteor-operator:1", "BUILDAH_IMAGE=registry.example.com/buildah:1")
	w.manager.Stdout, w.manager.Stderr = w.log, w.log
	if err := w.manager.Start(); err != nil {
		return fmt.Errorf("cannot start the manager: %w", err)
	}
	return nil
}

func (w *world) stopManager() error {
	if w.manager == nil {
		return nil
	}
	if err := w.manager.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("cannot end the manager: %w", err)
	}
	err := w.manager.Wait()
	w.manager = nil
	if err != nil {
		return fmt.Errorf("the manager ended badly, its log is in %s: %w", w.dir, err)
	}
	return w.log.Close()
}

// stop ends everything. What the manager wrote is kept when it ended badly.
func (w *world) stop() error {
	err := w.stopManager()
	if w.env != nil {
		err = errors.Join(err, w.env.Stop())
	}
	if err == nil {
		err = os.RemoveAll(w.dir)
	}
	return err
}

// ready waits until the CNBiConfig says that so many namespaces have the pipelines, and nothing remains to be done.
func (w *world) ready(ctx context.Context, namespaces int) error {
	config := &v1alpha1.CNBiConfig{}
	return w.until(ctx, fmt.Sprintf("%d namespaces are ready", namespaces), func() error {
		if err := w.client.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
			return err
		}
		n := config.Status.Namespaces
		if config.Status.ObservedGeneration != config.Generation || int(n.Ready) != namespaces || n.Pending+n.Failed > 0 {
			return fmt.Errorf("%d ready, %d pending, %d failed: %v", n.Ready, n.Pending, n.Failed, n.Failing)
		}
		return nil
	})
}

func (w *world) until(ctx context.Context, what string, check func() error) error {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err = check(); err == nil {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("gave up waiting until %s: %w", what, err)
}

func (w *world) edit(ctx context.Context, patch string) error {
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	if err := w.client.Patch(ctx, config, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("cannot edit the CNBiConfig: %w", err)
	}
	return nil
}

func (w *world) makeNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"bench": "yes"}}}
	if err := w.client.Create(ctx, ns); err != nil {
		return fmt.Errorf("cannot make namespace %q: %w", name, err)
	}
	return nil
}

func (w *world) makeNamespaces(ctx context.Context, n int) error {
	return inParallel(n, func(i int) error { return w.makeNamespace(ctx, fmt.Sprintf("bench-%04d", i)) })
}

// makeForeign makes objects of three kinds that are none of the operator's.
func (w *world) makeForeign(ctx context.Context, n int) error {
	filling := strings.Repeat("x", 512)
	return inParallel(3*n, func(i int) error {
		meta := metav1.ObjectMeta{Namespace: fmt.Sprintf("bench-%04d", i%100), Name: fmt.Sprintf("foreign-%05d", i)}
		run := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"pipelineRef": map[string]any{"name": "theirs"}}}}
		run.SetAPIVersion("tekton.dev/v1")
		run.SetKind("PipelineRun")
		run.SetNamespace(meta.Namespace)
		run.SetName(meta.Name)
		obj := []client.Object{
			&corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"filling": filling}},
			&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"filling": filling}},
			run,
		}[i%3]
		if err := w.client.Create(ctx, obj); err != nil {
			return fmt.Errorf("cannot make an object of somebody's: %w", err)
		}
		return nil
	})
}

func inParallel(n int, do func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, makers)
	for maker := range makers {
		wg.Go(func() {
			for i := maker; i < n && errs[maker] == nil; i += makers {
				errs[maker] = do(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// rss is the memory that the manager has, in MB.
func (w *world) rss(ctx context.Context) (float64, error) {
	if err := sleep(ctx, calm); err != nil {
		return 0, err
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(w.manager.Process.Pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("cannot tell the manager's memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kB, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
			return float64(int(kB/1024*10)) / 10, err
		}
	}
	return 0, errors.New("cannot tell the manager's memory")
}
