package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/apiserver"
)

// patience is how long anything may take.
const patience = 10 * time.Minute

// world is a kube-apiserver with Tekton's kinds, and the manager that works on it.
type world struct{ *apiserver.Server }

// newWorld does what an admin does, and then asks for pipelines in namespaces of a label.
func newWorld(ctx context.Context) (*world, error) {
	kinds, err := apiserver.TektonKinds(ctx)
	if err != nil {
		return nil, err
	}
	server, err := apiserver.Start(ctx, rules, kinds...)
	if err != nil {
		return nil, err
	}
	w := &world{server}
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	config.Spec.Namespaces = v1alpha1.NamespacesSpec{
		Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"bench": "yes"}},
	}
	if err := w.until(ctx, "the CNBiConfig is made", func() error { return w.Client.Create(ctx, config) }); err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	return w, nil
}

func (w *world) startManager(ctx context.Context) error {
	return w.StartManager(ctx, "BUILDAH_IMAGE=registry.example.com/buildah:1")
}

// ready waits until the CNBiConfig says that so many namespaces have the pipelines, and nothing remains to be done.
func (w *world) ready(ctx context.Context, namespaces int) error {
	config := &v1alpha1.CNBiConfig{}
	return w.until(ctx, fmt.Sprintf("%d namespaces are ready", namespaces), func() error {
		if err := w.Client.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
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
		if err := apiserver.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("gave up waiting until %s: %w", what, err)
}

func (w *world) edit(ctx context.Context, patch string) error {
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	if err := w.Client.Patch(ctx, config, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("cannot edit the CNBiConfig: %w", err)
	}
	return nil
}

func (w *world) makeNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"bench": "yes"}}}
	if err := w.Client.Create(ctx, ns); err != nil {
		return fmt.Errorf("cannot make namespace %q: %w", name, err)
	}
	return nil
}

func (w *world) makeNamespaces(ctx context.Context, n int) error {
	return apiserver.InParallel(n, func(i int) error { return w.makeNamespace(ctx, fmt.Sprintf("bench-%04d", i)) })
}

// makeForeign makes objects of three kinds that are none of the operator's.
func (w *world) makeForeign(ctx context.Context, n int) error {
	filling := strings.Repeat("x", 512)
	return apiserver.InParallel(3*n, func(i int) error {
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
		if err := w.Client.Create(ctx, obj); err != nil {
			return fmt.Errorf("cannot make an object of somebody's: %w", err)
		}
		return nil
	})
}

// rss is the memory that the manager has when it has come to rest, in MB.
func (w *world) rss(ctx context.Context) (float64, error) {
	if err := apiserver.Sleep(ctx, calm); err != nil {
		return 0, err
	}
	return w.RSS()
}
