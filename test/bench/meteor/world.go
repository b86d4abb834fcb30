package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	operatorNamespace = "meteor-operator-system"
	// account is who the manager is to the API server.
	account = "system:serviceaccount:" + operatorNamespace + ":meteor-operator-controller-manager"
)

// policy has the API server note what the manager asks for.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  users: ["` + account + `"]
- level: None
`

// world is a kube-apiserver, and the manager that works on it.
type world struct {
	dir, auditLog string
	env           *envtest.Environment
	client        client.Client
	manager       *exec.Cmd
}

func newWorld(ctx context.Context) (*world, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: make bench-meteor sets it")
	}
	dir, err := os.MkdirTemp("", "bench-meteor-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder: %w", err)
	}
	w := &world{dir: dir, auditLog: filepath.Join(dir, "audit.log")}
	if err := w.begin(ctx); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

func (w *world) begin(ctx context.Context) error {
	file := filepath.Join(w.dir, "policy.yaml")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		return fmt.Errorf("cannot write the audit policy: %w", err)
	}
	w.env = &envtest.Environment{}
	w.env.ControlPlane.GetAPIServer().Configure().Set("audit-log-path", w.auditLog).Set("audit-log-maxsize", "10000").Set("audit-policy-file", file)
	if _, err := w.env.Start(); err != nil {
		return fmt.Errorf("cannot start kube-apiserver: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("cannot build the scheme: %w", err)
	}
	admin, err := w.user("bench", "system:masters")
	if err != nil {
		return err
	}
	if _, err := w.user(account, "system:serviceaccounts"); err != nil {
		return err
	}
	for _, command := range [][]string{
		{"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(w.dir, "manager"), "./cmd/manager"},
		{filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "apply", "-k", "config/default"},
	} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "KUBECONFIG="+w.kubeconfig("bench"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot run %s: %w: %s", command[0], err, out)
		}
	}
	cfg := admin.Config()
	cfg.QPS = -1
	if w.client, err = client.New(cfg, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("cannot make a client: %w", err)
	}
	for i := range namespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bench-%d", i)}}
		if err := w.client.Create(ctx, ns); err != nil {
			return fmt.Errorf("cannot make a namespace: %w", err)
		}
	}
	return nil
}

func (w *world) kubeconfig(user string) string {
	return filepath.Join(w.dir, strings.ReplaceAll(user, ":", "-")+".kubeconfig")
}

// user adds a user, and leaves a kubeconfig.
func (w *world) user(name, group string) (*envtest.AuthenticatedUser, error) {
	user, err := w.env.AddUser(envtest.User{Name: name, Groups: []string{group}}, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot add user %q: %w", name, err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot make a kubeconfig: %w", err)
	}
	if err := os.WriteFile(w.kubeconfig(name), content, 0o600); err != nil {
		return nil, fmt.Errorf("cannot write a kubeconfig: %w", err)
	}
	return user, nil
}

func (w *world) startManager(ctx context.Context) error {
	log, err := os.Create(filepath.Join(w.dir, "manager.log"))
	if err != nil {
		return fmt.Errorf("cannot keep the manager's log: %w", err)
	}
	w.manager = exec.CommandContext(ctx, filepath.Join(w.dir, "manager"),
		"-leader-elect=false", "-metrics-bind-address=0", "-health-probe-bind-address=0")
	w.manager.Env = append(os.Environ(), "KUBECONFIG="+w.kubeconfig(account), "POD_NAMESPACE="+operatorNamespace,
		"GOMEMLIMIT=230MiB", "WATCH_NAMESPACE=", "OPERATOR_IMAGE=registry.example.com/meteor-operator:1")
	w.manager.Stdout, w.manager.Stderr = log, log
	if err := w.manager.Start(); err != nil {
		return fmt.Errorf("cannot start the manager: %w", err)
	}
	return nil
}

// stop ends everything. What the manager wrote is kept when it ended badly.
func (w *world) stop() error {
	var err error
	if w.manager != nil {
		if err = w.manager.Process.Signal(syscall.SIGTERM); err == nil {
			err = w.manager.Wait()
		}
		if err != nil {
			err = fmt.Errorf("the manager ended badly, its log is in %s: %w", w.dir, err)
		}
	}
	if w.env != nil {
		err = errors.Join(err, w.env.Stop())
	}
	if err == nil {
		err = os.RemoveAll(w.dir)
	}
	return err
}

// rss is the memory that the manager has, in MB.
func (w *world) rss() (float64, error) {
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
	return 0, errors.New("cannot tell the manager's memory: it has ended")
}

// request is what the manager asked for.
type request struct {
	verb, resource, namespace, name string
	status                          int
	// at is when the answer was complete.
	at time.Time
}

// audit is all that the manager has asked for.
func (w *world) audit() ([]request, error) {
	file, err := os.Open(w.auditLog)
	if err != nil {
		return nil, fmt.Errorf("cannot open the audit log: %w", err)
	}
	defer file.Close()
	var all []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Verb string    `json:"verb"`
			At   time.Time `json:"stageTimestamp"`
			Ref  struct {
				Resource  string `json:"resource"`
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"objectRef"`
			Status struct {
				Code int `json:"code"`
			} `json:"responseStatus"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("cannot read the audit log: %w", err)
		}
		all = append(all, request{e.Verb, e.Ref.Resource, e.Ref.Namespace, e.Ref.Name, e.Status.Code, e.At})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the audit log: %w", err)
	}
	return all, nil
}
