// Package upgradeable tells OLM when the operator should not be replaced.
//
// Builds do not mind: they run in Tekton, and the next manager finds them by their names. What a version must finish is
// bringing its pipelines to the namespaces. OLM may go through several versions in one upgrade, and each would find the
// last one's work half done. Namespaces that cannot get their pipelines do not count, since the next version may be what
// mends them.
package upgradeable

import (
	"context"
	"fmt"

	apiv2 "github.com/operator-framework/api/pkg/operators/v2"
	"github.com/operator-framework/operator-lib/conditions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// Reasons of the condition.
const (
	// ReasonSettled is that there is nothing that an upgrade would interrupt.
	ReasonSettled = "Settled"
	// ReasonInstallingPipelines is that namespaces are being given this version's pipelines.
	ReasonInstallingPipelines = "InstallingPipelines"
)

// state is what OLM is told.
type state struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

// Setup adds the controller where OLM has installed the operator, and nothing elsewhere.
func Setup(mgr ctrl.Manager) error {
	scheme := runtime.NewScheme()
	if err := apiv2.AddToScheme(scheme); err != nil {
		return fmt.Errorf("cannot use OLM's kinds: %w", err)
	}
	// Not the manager's client: OLM's role for the condition lets nobody list or watch, so it cannot be cached.
	direct, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: scheme})
	if err != nil {
		return fmt.Errorf("cannot make a client for OLM's condition: %w", err)
	}
	condition, err := conditions.InClusterFactory{Client: direct}.NewCondition(apiv2.ConditionType(apiv2.Upgradeable))
	if err != nil {
		mgr.GetLogger().V(1).Info("OLM is not told whether an upgrade is welcome", "because", err.Error())
		return nil
	}
	r := &reconciler{configs: mgr.GetClient(), condition: condition}
	if err := ctrl.NewControllerManagedBy(mgr).Named("upgradeable").For(&v1alpha1.CNBiConfig{}).Complete(r); err != nil {
		return fmt.Errorf("cannot set up the controller of OLM's condition: %w", err)
	}
	return nil
}

// reconciler keeps the condition as the CNBiConfig's status has it.
type reconciler struct {
	configs   client.Reader
	condition conditions.Condition
	// told is what OLM was told last. Reconciles come one at a time.
	told *state
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	config := &v1alpha1.CNBiConfig{}
	if err := r.configs.Get(ctx, req.NamespacedName, config); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("cannot get CNBiConfig %q: %w", req.Name, err)
	}
	now := stateOf(config)
	if r.told != nil && *r.told == now {
		return reconcile.Result{}, nil
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		return r.condition.Set(ctx, now.status, conditions.WithReason(now.reason), conditions.WithMessage(now.message))
	})
	// OLM of an older version has no such condition, and one that is being removed has it no more.
	if err != nil && !apierrors.IsNotFound(err) && !apimeta.IsNoMatchError(err) {
		return reconcile.Result{}, fmt.Errorf("cannot tell OLM whether an upgrade is welcome: %w", err)
	}
	r.told = &now
	return reconcile.Result{}, nil
}

// stateOf is what a CNBiConfig's status means for an upgrade. An empty one is of no installation at all.
func stateOf(config *v1alpha1.CNBiConfig) state {
	pending := config.Status.Namespaces.Pending
	managed := config.Spec.ManagementState == v1alpha1.StateManaged
	if managed && pending > 0 && apimeta.IsStatusConditionTrue(config.Status.Conditions, v1alpha1.ConditionTektonAvailable) {
		return state{metav1.ConditionFalse, ReasonInstallingPipelines, "Namespaces are being given this version's pipelines"}
	}
	return state{metav1.ConditionTrue, ReasonSettled, "Nothing would be interrupted, builds go on meanwhile"}
}
