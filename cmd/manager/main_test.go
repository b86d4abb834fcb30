package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
)

// TestProcess runs the binary as it is shipped: it leads, answers probes, keeps its metrics from strangers, logs JSON,
// and gives the lease back when it is told to stop.
func TestProcess(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: name a folder with kube-apiserver and etcd, such as `go run ./test/cluster/cmd/cluster assets` prints")
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	k8s, err := client.New(cfg, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	probes, metrics := freeAddress(t), freeAddress(t)
	cmd, logs := start(t, kubeconfig, probes, metrics)

	within(t, startTimeout, "the manager leads", func() error { return held(k8s, true) })
	for _, path := range []string{"/healthz", "/readyz"} {
		within(t, startTimeout, path+" answers", func() error { return answers("http://"+probes+path, http.StatusOK) })
	}
	within(t, startTimeout, "strangers read no metrics", func() error { return answers("https://"+metrics+"/metrics", http.StatusUnauthorized) })

	stop(t, cmd)
	if err := held(k8s, false); err != nil {
		t.Errorf("the lease was not released: %v", err)
	}
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		if !json.Valid(lines.Bytes()) {
			t.Errorf("a log line is not JSON: %s", lines.Text())
		}
	}
}

func start(t *testing.T, kubeconfig, probes, metrics string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "manager")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	logs := &bytes.Buffer{}
	cmd := exec.Command(binary, "-health-probe-bind-address", probes, "-metrics-bind-address", metrics)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "POD_NAMESPACE=default", "OPERATOR_IMAGE=registry.example.com/operator:1", "WATCH_NAMESPACE=")
	cmd.Stdout, cmd.Stderr = logs, logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the manager's log:\n%s", logs)
		}
	})
	return cmd, logs
}

func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the manager ended badly: %v", err)
		}
	case <-time.After(stopTimeout):
		t.Fatal("the manager does not stop")
	}
}

// held checks whether somebody holds the lease.
func held(k8s client.Client, want bool) error {
	lease := &coordinationv1.Lease{}
	key := types.NamespacedName{Namespace: "default", Name: "meteor-operator.meteor.zone"}
	if err := k8s.Get(context.Background(), key, lease); err != nil {
		return err
	}
	holder := ""
	if lease.Spec.HolderIdentity != nil {
		holder = *lease.Spec.HolderIdentity
	}
	if (holder != "") != want {
		return fmt.Errorf("the holder is %q", holder)
	}
	return nil
}

func answers(url string, want int) error {
	// The metrics' certificate is self-signed.
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func within(t *testing.T, patience time.Duration, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("gave up waiting until %s: %v", what, err)
}
