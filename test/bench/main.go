// Command bench measures the operator on the local cluster, which it brings up, with the operator built from this
// checkout, which it deploys. What it does goes to the error output; the figures come last, a line each:
//
//	figure NAME VALUE UNIT max|min BAR
//
// where BAR is - for a figure that has none. A figure that misses its bar is no error: these are no tests. The cluster
// must have nothing else to do meanwhile.
//
// With -builds it compares layer builds with buildah's and with pip alone instead, each way in turn:
//
//   - from the first step's start to the last step's end, and from an object's creation until it is Ready;
//   - what the registry receives from pods, counted by the node's packet filter, headers and requests included;
//   - the layer build's own steps but resolving against pip that is given the lock, both without waiting for their turn;
//   - the peak memory of each step, without that of the programs that it runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

// settle is how long after an end something could still be asked of the API server about it.
const settle = 5 * time.Second

// bench is one run.
type bench struct {
	*operator.Cluster
	audit   audit
	figures []figures.Figure
}

func main() {
	imports := flag.Int("imports", 7, "how many imports to time, after one that warms up; at least 1")
	burst := flag.Int("burst", 100, "how many objects to create at once")
	finished := flag.Int("finished", 1000, "how many finished objects the manager holds when its memory is measured")
	builds := flag.Int("builds", 0, "compare this many builds in each way, at least 5 for figures to rely on, instead of all else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *imports, *burst, *finished, *builds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, imports, burst, finished, builds int) error {
	on, err := operator.Connect(ctx, os.Stderr)
	if err != nil {
		return err
	}
	if on.Local == nil {
		return errors.New("the figures come from the local cluster's audit log: unset KUBECONFIG")
	}
	if err := on.Deploy(ctx, ""); err != nil {
		return err
	}
	b := &bench{Cluster: on, audit: audit{file: on.Local.AuditLog}}
	measurements := []func() error{
		func() error { return b.imports(ctx, imports) },
		func() error { return b.burst(ctx, burst) },
		func() error { return b.finished(ctx, finished) },
	}
	if builds > 0 {
		measurements = []func() error{func() error { return b.builds(ctx, builds) }}
	}
	err = b.measure(measurements...)
	for _, f := range b.figures {
		fmt.Println(f)
	}
	return err
}

// measure takes one measurement after the other. What was measured before one fails is told all the same.
func (b *bench) measure(measurements ...func() error) error {
	for _, m := range measurements {
		if err := m(); err != nil {
			return err
		}
	}
	return nil
}

// namespace makes a namespace as users have them. The returned function removes it.
func (b *bench) namespace(ctx context.Context) (string, func(), error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "bench-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := b.Client.Create(ctx, ns); err != nil {
		return "", nil, fmt.Errorf("cannot make a namespace: %w", err)
	}
	return ns.Name, func() {
		if err := b.Client.Delete(context.WithoutCancel(ctx), ns); err != nil {
			fmt.Fprintln(os.Stderr, "bench: cannot remove a namespace:", err)
		}
	}, nil
}

// newImport is an import of a good notebook image.
func (b *bench) newImport(namespace, name string) *v1alpha1.CustomNBImage {
	return &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.CustomNBImageSpec{
			BuildType: v1alpha1.BuildTypeImageImport,
			FromImage: v1alpha1.ImageReference(b.Local.Images["jupyter"]),
		},
	}
}

// awaitPhase waits until an object is in the given phase. An end in another is an error.
func (b *bench) awaitPhase(ctx context.Context, obj *v1alpha1.CustomNBImage, phase v1alpha1.CustomNBImagePhase) error {
	err := operator.Await(ctx, b.Client, func(l *v1alpha1.CustomNBImageList) (bool, error) {
		if len(l.Items) != 1 {
			return false, errors.New("it is gone")
		}
		st := l.Items[0].Status
		if st.Phase != phase && (st.Phase == v1alpha1.PhaseFailed || st.Phase == v1alpha1.PhaseReady) {
			return false, fmt.Errorf("it is %s: %+v", st.Phase, st.Conditions)
		}
		return st.Phase == phase, nil
	}, operator.Named(obj.Namespace, obj.Name))
	if err != nil {
		return fmt.Errorf("%s does not become %s: %w", obj.Name, phase, err)
	}
	return nil
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// configure changes the CNBiConfig.
func (b *bench) configure(ctx context.Context, fn func(*v1alpha1.CNBiConfig)) error {
	config := &v1alpha1.CNBiConfig{}
	if err := b.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.CNBiConfigName}, config); err != nil {
		return fmt.Errorf("cannot read the CNBiConfig: %w", err)
	}
	before := config.DeepCopy()
	fn(config)
	if err := b.Client.Patch(ctx, config, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("cannot change the CNBiConfig: %w", err)
	}
	return nil
}
