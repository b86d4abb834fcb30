package capabilities_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, &env) }

// recorder notes which objects it was asked to reconcile, and whether the cache then showed them.
type recorder struct {
	client  client.Client
	tracker *capabilities.Tracker

	mu   sync.Mutex
	seen map[string]int
	errs []error
}

func (r *recorder) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[req.Name]++
	if req.Name == "woken" || !r.tracker.Has(capabilities.Pipeline) {
		return reconcile.Result{}, nil
	}
	if err := r.client.Get(ctx, req.NamespacedName, pipelineMetadata()); err != nil {
		r.errs = append(r.errs, err)
	}
	return reconcile.Result{}, nil
}

func (r *recorder) saw(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[name] == 0 {
		return fmt.Errorf("%s was not reconciled", name)
	}
	return nil
}

func pipelineMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(capabilities.Pipeline)
	return m
}

func pipeline(namespace, name string, labels map[string]string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"tasks": []any{}}}}
	u.SetGroupVersionKind(capabilities.Pipeline)
	u.SetNamespace(namespace)
	u.SetName(name)
	u.SetLabels(labels)
	return u
}

func startRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{seen: map[string]int{}}
	env.StartManager(t, nil, func(ctx context.Context, mgr ctrl.Manager) error {
		tracker, err := capabilities.New(mgr.GetConfig(), mgr.GetHTTPClient(), capabilities.Every(200*time.Millisecond))
		if err != nil {
			return err
		}
		tracker.Look(ctx)
		r.client, r.tracker = mgr.GetClient(), tracker
		c, err := ctrl.NewControllerManagedBy(mgr).
			Named("recorder").
			WatchesRawSource(tracker.Source(func(context.Context) []reconcile.Request {
				return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "woken"}}}
			})).
			Build(r)
		return errors.Join(err, mgr.Add(tracker),
			tracker.Watch(ctx, c, mgr.GetCache(), capabilities.Pipeline, pipelineMetadata(), &handler.EnqueueRequestForObject{}))
	})
	return r
}

func TestComesAndGoes(t *testing.T) {
	env.RemoveTekton(t)
	ns := env.Namespace(t)
	ours := map[string]string{v1alpha1.LabelPartOf: v1alpha1.PartOfValue}
	r := startRecorder(t)
	if r.tracker.Has(capabilities.Pipeline) {
		t.Fatal("nothing is there yet")
	}
	for _, round := range []string{"first", "second"} {
		env.InstallTekton(t)
		testenv.Eventually(t, "Tekton is noticed", func() error {
			if !r.tracker.Has(capabilities.Pipeline) {
				return errors.New("not there")
			}
			return r.saw("woken")
		})
		create(t, pipeline(ns, round+"-foreign", nil))
		create(t, pipeline(ns, round, ours))
		testenv.Eventually(t, "the watch works", func() error { return r.saw(round) })
		if r.saw(round+"-foreign") == nil {
			t.Error("what is not labelled is not watched")
		}
		env.RemoveTekton(t)
		testenv.Eventually(t, "Tekton's going is noticed", func() error {
			if r.tracker.Has(capabilities.Pipeline) {
				return errors.New("still there")
			}
			return nil
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.errs {
		if client.IgnoreNotFound(err) != nil {
			t.Errorf("the cache could not be read: %v", err)
		}
	}
}

func TestThereFromTheStart(t *testing.T) {
	env.InstallTekton(t)
	t.Cleanup(func() { env.RemoveTekton(t) })
	ns := env.Namespace(t)
	create(t, pipeline(ns, "early", map[string]string{v1alpha1.LabelPartOf: v1alpha1.PartOfValue}))
	r := startRecorder(t)
	if !r.tracker.Has(capabilities.Pipeline) {
		t.Error("what is there is known before the manager starts")
	}
	testenv.Eventually(t, "the watch works", func() error { return r.saw("early") })
}

func create(t *testing.T, obj client.Object) {
	t.Helper()
	testenv.Eventually(t, "the object is made", func() error { return env.Client.Create(t.Context(), obj) })
}

// TestKnown is an API that is there and cannot be used at first: until it can, nothing is known of it.
func TestKnown(t *testing.T) {
	env.InstallTekton(t)
	t.Cleanup(func() { env.RemoveTekton(t) })
	hc, err := rest.HTTPClientFor(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	tracker, err := capabilities.New(env.Config, hc)
	if err != nil {
		t.Fatal(err)
	}
	d, err := discovery.NewDiscoveryClientForConfigAndClient(env.Config, hc)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "discovery tells of TaskRuns", func() error {
		list, err := d.ServerResourcesForGroupVersion(capabilities.TaskRun.GroupVersion().String())
		if err != nil || !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == capabilities.TaskRun.Kind }) {
			return fmt.Errorf("not yet: %w", err)
		}
		return nil
	})
	usable := false
	appeared := func(context.Context) error {
		if !usable {
			return errors.New("the list is refused")
		}
		return nil
	}
	if err := tracker.When(t.Context(), capabilities.TaskRun, appeared, func(context.Context) {}); err != nil {
		t.Fatal(err)
	}
	kinds := []schema.GroupVersionKind{capabilities.PipelineRun, capabilities.TaskRun, capabilities.ImageStream}
	check := func(when string, want ...string) {
		t.Helper()
		if got := tracker.Unanswered(kinds...); !slices.Equal(got, want) {
			t.Errorf("%s: want %q, got %q", when, want, got)
		}
	}
	check("before the first look", "tekton.dev/v1", "image.openshift.io/v1")
	tracker.Look(t.Context())
	check("while it cannot be used", "tekton.dev/v1")
	usable = true
	tracker.Look(t.Context())
	check("when it can")
	if !tracker.Has(capabilities.TaskRun) || tracker.Has(capabilities.ImageStream) {
		t.Error("what is there is not as it is")
	}
}
