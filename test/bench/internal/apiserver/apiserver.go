// Package apiserver gives a bench a real kube-apiserver and etcd without nodes, and the manager on it as a process of its
// own, with the rights that config/default gives it. What is asked for is read from the API server's audit log.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	// OperatorNamespace is where config/default puts the operator.
	OperatorNamespace = "meteor-operator-system"
	// Account is who the manager is to the API server.
	Account = "system:serviceaccount:" + OperatorNamespace + ":meteor-operator-controller-manager"
	// admin is a user with all rights.
	admin = "bench"
	// makers is how many objects are made at once.
	makers = 8
)

// Server is a kube-apiserver, and the manager that works on it.
type Server struct {
	// Client is an admin's, without cache and without limits.
	Client client.Client

	dir     string
	env     *envtest.Environment
	manager *exec.Cmd
	log     *os.File
}

// Start starts a kube-apiserver with the kinds of some files, and installs what config/default holds. Of what it is asked
// for it notes what the rules of an audit policy say.
func Start(ctx context.Context, rules string, kinds ...string) (*Server, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: make bench-config and make bench-meteor set it")
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder: %w", err)
	}
	s := &Server{dir: dir}
	if err := s.begin(ctx, rules, kinds); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) begin(ctx context.Context, rules string, kinds []string) error {
	const policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\nrules:\n"
	policyFile := s.file("policy.yaml")
	if err := os.WriteFile(policyFile, []byte(policy+rules), 0o600); err != nil {
		return fmt.Errorf("cannot write the audit policy: %w", err)
	}
	s.env = &envtest.Environment{CRDInstallOptions: envtest.CRDInstallOptions{Paths: kinds}}
	// The log is read as one file, so that it must not be begun anew.
	s.env.ControlPlane.GetAPIServer().Configure().
		Set("audit-log-path", s.auditLog()).Set("audit-log-maxsize", "10000").Set("audit-policy-file", policyFile)
	if _, err := s.env.Start(); err != nil {
		return fmt.Errorf("cannot start kube-apiserver: %w", err)
	}
	if err := s.addUsers(); err != nil {
		return err
	}
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	for _, command := range [][]string{
		{"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", s.file("manager"), "./cmd/manager"},
		{kubectl, "apply", "-k", "config/default"},
	} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "KUBECONFIG="+s.kubeconfig(admin))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot run %s: %w: %s", command[0], err, out)
		}
	}
	return nil
}

// addUsers adds an admin, whose client it makes, and the manager's account.
func (s *Server) addUsers() error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("cannot build the scheme: %w", err)
	}
	if _, err := s.addUser(Account, "system:serviceaccounts", "system:serviceaccounts:"+OperatorNamespace); err != nil {
		return err
	}
	user, err := s.addUser(admin, "system:masters")
	if err != nil {
		return err
	}
	cfg := user.Config()
	cfg.QPS = -1
	if s.Client, err = client.New(cfg, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("cannot make a client: %w", err)
	}
	return nil
}

// addUser adds a user, and leaves a kubeconfig.
func (s *Server) addUser(name string, groups ...string) (*envtest.AuthenticatedUser, error) {
	user, err := s.env.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot add user %q: %w", name, err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot make a kubeconfig: %w", err)
	}
	if err := os.WriteFile(s.kubeconfig(name), content, 0o600); err != nil {
		return nil, fmt.Errorf("cannot write a kubeconfig: %w", err)
	}
	return user, nil
}

func (s *Server) kubeconfig(user string) string {
	return s.file(strings.ReplaceAll(user, ":", "-") + ".kubeconfig")
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// Stop ends everything. What the manager wrote is kept when it ended badly.
func (s *Server) Stop() error {
	err := s.StopManager()
	if s.env != nil {
		err = errors.Join(err, s.env.Stop())
	}
	if err == nil {
		err = os.RemoveAll(s.dir)
	}
	return err
}

// TektonKinds are the files with Tekton's CRDs, in its module. Nothing converts here, since only v1 is used.
func TektonKinds(ctx context.Context) ([]string, error) {
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

// InParallel does something so many times, some at once.
func InParallel(n int, do func(i int) error) error {
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

// Sleep waits, unless ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
