package cnbiconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// settleFor is how long the caches may take to show what was applied before it is applied again.
const settleFor = 2 * time.Second

// namespaceReconciler gives one namespace what builds need there.
type namespaceReconciler struct {
	client    client.Client
	direct    client.Reader
	territory territory
	catalogue *install.Catalogue
	ledger    *ledger
	clock     clock.PassiveClock
	hasTekton func() bool

	mu      sync.Mutex
	applied map[string]time.Time
}

// namespaceScope is what is known of the namespace in this pass.
type namespaceScope struct {
	name   string
	config *v1alpha1.CNBiConfig
	bundle *install.Bundle
}

// Reconcile implements reconcile.Reconciler. The request's name is the namespace's.
func (r *namespaceReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s := &namespaceScope{name: req.Name, config: &v1alpha1.CNBiConfig{}}
	if err := r.client.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, s.config); err != nil {
		r.forget(s.name)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !s.config.DeletionTimestamp.IsZero() {
		r.forget(s.name)
		return ctrl.Result{}, nil
	}
	ours, err := r.ours(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !ours {
		r.forget(s.name)
		return outcome.Result(r.remove(ctx, s))
	}
	err = r.install(ctx, s)
	if gone(err) {
		r.forget(s.name)
		return ctrl.Result{}, nil
	}
	r.note(s, err)
	return outcome.Result(err)
}

// ours tells whether the namespace exists and gets pipelines.
func (r *namespaceReconciler) ours(ctx context.Context, s *namespaceScope) (bool, error) {
	ns, err := r.territory.namespace(ctx, s.name)
	if err != nil || ns == nil {
		return false, err
	}
	return r.territory.holds(ctx, s.config, ns)
}

// install applies what the namespace lacks.
func (r *namespaceReconciler) install(ctx context.Context, s *namespaceScope) error {
	if !r.hasTekton() {
		return outcome.Wait(v1alpha1.ReasonTektonUnavailable, "Waiting for Tekton Pipelines", 0)
	}
	var err error
	if s.bundle, err = r.catalogue.Bundle(s.config); err != nil {
		return err
	}
	changes, err := s.bundle.Outdated(ctx, r.client, s.name, s.config)
	if err != nil || len(changes) == 0 {
		return err
	}
	if left := r.settling(s.name); left > 0 {
		return outcome.Wait(v1alpha1.ReasonInstalling, "Waiting for the cache to catch up", left)
	}
	for _, c := range changes {
		if c.Unseen {
			if err := r.refuseForeign(ctx, s, c.Object); err != nil {
				return err
			}
		}
	}
	for _, c := range changes {
		obj := s.bundle.For(c.Object, s.name, s.config)
		if err := apply.Apply(ctx, r.client, obj, fieldOwner, true); err != nil {
			return err
		}
	}
	r.settle(s.name)
	ctrl.LoggerFrom(ctx).Info("Installed the pipelines", "revision", s.bundle.Revision, "objects", len(changes))
	return outcome.Wait(v1alpha1.ReasonInstalling, "Waiting for the cache to catch up", settleFor)
}

// refuseForeign asks the API about an object that the cache, which holds only what is labelled, does not have: one
// that somebody else made stays untouched.
func (r *namespaceReconciler) refuseForeign(ctx context.Context, s *namespaceScope, obj *unstructured.Unstructured) error {
	meta, err := install.Metadata(ctx, r.direct, obj.GroupVersionKind(), s.name, obj.GetName())
	if err != nil || meta == nil {
		return err
	}
	if install.Owned(meta, s.config) || managed(meta) {
		return nil
	}
	return fmt.Errorf("%s %q exists and is not the operator's: rename or remove it", obj.GetKind(), obj.GetName())
}

// managed tells whether an object was applied by this controller, under whichever CNBiConfig.
func managed(meta *metav1.PartialObjectMetadata) bool {
	return slices.ContainsFunc(meta.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == string(fieldOwner) && e.Operation == metav1.ManagedFieldsOperationApply
	})
}

// remove takes away what the namespace was given, where the CNBiConfig says so.
func (r *namespaceReconciler) remove(ctx context.Context, s *namespaceScope) error {
	if s.config.Spec.ManagementState != v1alpha1.StateRemoved {
		return nil
	}
	for _, gvk := range install.Kinds {
		if gvk.Group == "tekton.dev" && !r.hasTekton() {
			continue
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := r.client.List(ctx, list, client.InNamespace(s.name), client.HasLabels{v1alpha1.LabelRevision}); err != nil {
			return fmt.Errorf("cannot list what is to be removed: %w", err)
		}
		for i := range list.Items {
			if err := r.removeOne(ctx, s, &list.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *namespaceReconciler) removeOne(ctx context.Context, s *namespaceScope, obj *metav1.PartialObjectMetadata) error {
	if !install.Owned(obj, s.config) || !obj.DeletionTimestamp.IsZero() {
		return nil
	}
	uid := obj.GetUID()
	err := r.client.Delete(ctx, obj, client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("cannot remove %s %q: %w", obj.Kind, obj.Name, err)
	}
	return nil
}

// note enters into the ledger how the namespace stands.
func (r *namespaceReconciler) note(s *namespaceScope, err error) {
	e := entry{state: stateReady, uid: s.config.UID, generation: s.config.Generation}
	if wait, ok := outcome.AsWait(err); ok {
		e.state, e.message = statePending, wait.Message
	} else if err != nil {
		e.state, e.message = stateFailed, conditions.Message(capital(err.Error()))
	}
	r.ledger.set(s.name, e)
}

func (r *namespaceReconciler) forget(namespace string) {
	r.ledger.forget(namespace)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.applied, namespace)
}

func (r *namespaceReconciler) settle(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied[namespace] = r.clock.Now()
}

func (r *namespaceReconciler) settling(namespace string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.applied[namespace]
	if !ok {
		return 0
	}
	return max(0, at.Add(settleFor).Sub(r.clock.Now()))
}

// gone tells whether err says that the namespace is no more, or about to be.
func gone(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || namespaceNotFound(err)
}

func namespaceNotFound(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return apierrors.IsNotFound(err) && details != nil && details.Kind == "namespaces"
}
