package cnbiconfig

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// fieldOwner is the field manager of all that this package applies.
const fieldOwner client.FieldOwner = install.FieldOwner

const (
	// holdFor is how long the status waits, after a start or an edit, for every namespace to have been looked at: what
	// is counted before that would be written only to be corrected.
	holdFor = 5 * time.Second
	// holdBriefly is how long it waits for what begins in between, such as a new namespace. Until then it still says
	// that all is well.
	holdBriefly = time.Second
	// holdStep is how often a held status looks whether it may be written.
	holdStep = 250 * time.Millisecond
	// progressEvery is how often the status tells how far things have come, while nothing changes but the numbers.
	progressEvery = 5 * time.Second
)

// Reconciler keeps the CNBiConfig and its status.
type Reconciler struct {
	client    client.Client
	statuses  *apply.Statuses
	territory territory
	designer  *designer
	ledger    *ledger
	clock     clock.PassiveClock
	cluster   cluster

	// seen is true when the CNBiConfig was met, or made, since the start.
	seen atomic.Bool
	// held is since when the status of which CNBiConfig is held. One worker uses it.
	held hold
	// settled is true when every namespace was looked at once since the start.
	settled bool
	// told is when the status was written last.
	told time.Time
}

// cluster is what the cluster offers.
type cluster interface {
	// offered tells what the cluster offers, where it can be told, and else what was known before.
	offered(before v1alpha1.ClusterOffers) v1alpha1.ClusterOffers
}

type hold struct {
	uid        types.UID
	generation int64
	since      time.Time
}

// scope is what is known in this pass.
type scope struct {
	obj        *v1alpha1.CNBiConfig
	namespaces []string
	ledger     map[string]entry
	// overlooked are namespaces that should have pipelines now, and had no need of any when they were looked at last.
	overlooked map[string]bool
	// bundle is the ID of what namespaces are to have.
	bundle   string
	revision string
	offers   v1alpha1.ClusterOffers
	// wrong tells what is not as it should be of what is copied.
	wrong error
	err   error
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := &v1alpha1.CNBiConfig{}
	if err := r.client.Get(ctx, req.NamespacedName, obj); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, r.createDefault(ctx)
		}
		return ctrl.Result{}, fmt.Errorf("cannot read the CNBiConfig: %w", err)
	}
	r.seen.Store(true)
	if !obj.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	s := &scope{obj: obj.DeepCopy()}
	s.err = r.observe(ctx, s)
	if s.err == nil {
		if left := r.holding(s); left > 0 {
			return ctrl.Result{RequeueAfter: min(left, holdStep)}, nil
		}
	}
	r.setStatus(s)
	if left := r.told.Add(progressEvery).Sub(r.clock.Now()); left > 0 && onlyNumbers(&obj.Status, &s.obj.Status) {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	err := r.statuses.Apply(ctx, obj, s.obj)
	if err == nil {
		r.told = r.clock.Now()
	}
	return outcome.Result(errors.Join(s.err, err))
}

// onlyNumbers tells whether a status differs from the one before in numbers only, and things are still under way.
func onlyNumbers(before, after *v1alpha1.CNBiConfigStatus) bool {
	if meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionReady) || before.Revision != after.Revision ||
		before.Offers != after.Offers || before.ObservedGeneration != after.ObservedGeneration ||
		len(before.Conditions) != len(after.Conditions) || len(before.Namespaces.Failing) != len(after.Namespaces.Failing) {
		return false
	}
	for i := range before.Conditions {
		b, a := before.Conditions[i], after.Conditions[i]
		if b.Type != a.Type || b.Status != a.Status || b.Reason != a.Reason {
			return false
		}
	}
	return true
}

// createDefault makes the default CNBiConfig, unless there was one since the manager started: then somebody has
// deleted it.
func (r *Reconciler) createDefault(ctx context.Context) error {
	if r.seen.Load() {
		return nil
	}
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{
		Name:   v1alpha1.CNBiConfigName,
		Labels: map[string]string{v1alpha1.LabelPartOf: v1alpha1.PartOfValue},
	}}
	err := r.client.Create(ctx, config, fieldOwner)
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("cannot create the default CNBiConfig: %w", err)
	}
	r.seen.Store(true)
	return nil
}

// observe gathers what the status is made of.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	s.ledger = r.ledger.snapshot()
	s.offers = r.cluster.offered(s.obj.Status.Offers)
	if err := checkSelector(s.obj); err != nil {
		return err
	}
	d, err := r.designer.design(ctx, s.obj)
	if err != nil {
		return err
	}
	s.bundle, s.revision, s.wrong = d.bundle.ID, d.bundle.Revision, d.wrong
	if s.namespaces, err = r.territory.names(ctx); err != nil {
		return err
	}
	s.overlooked, err = r.overlooked(ctx, s)
	return err
}

// overlooked are the namespaces that should have pipelines and of which nobody knows: many can come to need them at
// once, and each waits for its turn.
func (r *Reconciler) overlooked(ctx context.Context, s *scope) (map[string]bool, error) {
	overlooked := map[string]bool{}
	if s.obj.Spec.ManagementState == v1alpha1.StateUnmanaged {
		return overlooked, nil
	}
	for _, name := range s.namespaces {
		if e := s.ledger[name]; e.state != stateNone || e.absent {
			continue
		}
		wanted, err := r.territory.wanted(ctx, s.obj, name)
		if err != nil {
			return nil, err
		}
		if wanted {
			overlooked[name] = true
		}
	}
	return overlooked, nil
}

// holding tells for how long the status must still wait for namespaces that nobody has looked at.
func (r *Reconciler) holding(s *scope) time.Duration {
	if s.unseen() == 0 {
		r.held, r.settled = hold{}, true
		return 0
	}
	if r.held.uid != s.obj.UID || r.held.generation != s.obj.Generation {
		r.held = hold{uid: s.obj.UID, generation: s.obj.Generation, since: r.clock.Now()}
	}
	return max(0, r.held.since.Add(r.patience(s)).Sub(r.clock.Now()))
}

// patience is how long the status may be held. What it says meanwhile is taken for true, unless it is about an older
// generation.
func (r *Reconciler) patience(s *scope) time.Duration {
	st := &s.obj.Status
	switch {
	case st.ObservedGeneration != s.obj.Generation:
		return holdFor
	case st.Revision != s.revision:
		return 0
	case r.settled:
		return holdBriefly
	}
	return holdFor
}

// unseen counts the namespaces that were not looked at since the CNBiConfig, or what follows from it, changed.
func (s *scope) unseen() int {
	n := 0
	for _, ns := range s.namespaces {
		if !s.seen(ns) {
			n++
		}
	}
	return n
}

// seen tells whether what is known of a namespace is about what it is to have now.
func (s *scope) seen(ns string) bool {
	e, ok := s.ledger[ns]
	return ok && e.about(s.obj, s.bundle) && !s.overlooked[ns]
}
