package meteor

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

const (
	fieldOwner = client.FieldOwner("meteor-operator-meteor")
	// staleAfter is when to look again at what the cache does not show yet.
	staleAfter = 100 * time.Millisecond
)

// Cluster tells what the cluster offers at the moment.
type Cluster interface {
	// Unanswered are the APIs of the kinds of which the cluster has yet to say whether it has them.
	Unanswered(kinds ...schema.GroupVersionKind) []string
	HasTekton() bool
	HasImageStreams() bool
	HasRoutes() bool
	// IsOpenShift is true where security context constraints choose the user that a pod runs as.
	IsOpenShift() bool
}

// Reconciler reconciles Meteors. Their end is another's business: see reaper.
type Reconciler struct {
	client client.Client
	// direct asks the API server itself, for what is never cached: whether a Secret exists, or somebody else's Pipeline.
	direct   client.Reader
	statuses *apply.Statuses
	events   events.EventRecorder
	clock    clock.PassiveClock
	cluster  Cluster
	// installed tells whether a namespace has a pipeline as it should be.
	installed func(ctx context.Context, namespace, pipeline string) (bool, error)
	// unselected tells whether the CNBiConfig's selector leaves a namespace out.
	unselected func(namespace string) bool
	metrics    *Metrics
	images     Images
	// proxy is what builds use where the CNBiConfig names none.
	proxy v1alpha1.ProxySpec
}

// Images are those that hold unless the CNBiConfig names others.
type Images struct {
	// Server serves sites: the operator's own.
	Server string
	// Book is what books are built in; empty where there is none.
	Book string
}

// scope is one pass over one object: the object, and every fact gathered on the way.
type scope struct {
	obj    *v1alpha1.Meteor
	before *v1alpha1.Meteor
	config v1alpha1.CNBiConfigSpec
	// configured is false while there is no CNBiConfig.
	configured bool
	// openShift is true where the platform chooses the user that a pod runs as.
	openShift bool
	life      life
	// parts are the pipelines of the spec, in its order.
	parts []*part
	// installed is true once the namespace was seen to have the pipelines.
	installed bool
	// reconciled is true when all parts were looked at.
	reconciled bool
	// lookRun is the name of the run that looks at the repository.
	lookRun string
	// next are times until something is due.
	next []time.Duration
	// err is what ended the pass itself.
	err error
}

// part is one of the pipelines, and what became of it in this pass.
type part struct {
	name  string
	build build
	// settled is true when the status already tells the end of the build that the object asks for.
	settled bool
	// seen is nil while the build has no run.
	seen *observation
	// ended is true when this pass saw the end of the build.
	ended bool
	// runName and url are what the status shows; ready is "True" or "False" when the pipeline has ended.
	runName, url, ready string
	// err is how it stands: nil when what it makes can be used.
	err error
}

type phase func(context.Context, *scope) error

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := &v1alpha1.Meteor{}
	if err := r.client.Get(ctx, req.NamespacedName, obj); err != nil {
		if apierrors.IsNotFound(err) {
			r.statuses.Forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("cannot read the object: %w", err)
	}
	if !obj.DeletionTimestamp.IsZero() {
		// Owner references take everything away; there is nothing to do and nothing to wait for.
		return ctrl.Result{}, nil
	}
	if r.statuses.Stale(obj) {
		return ctrl.Result{RequeueAfter: staleAfter}, nil
	}
	s := &scope{obj: obj, before: obj.DeepCopy()}
	s.err = runPhases(ctx, s, r.readConfig, r.measureLife, identify, r.refresh, r.removeOvertaken, r.reconcileParts, r.removeUnwanted, r.pruneRuns)
	setStatus(s, r.clock)
	err := r.statuses.Apply(ctx, s.before, s.obj)
	if err == nil {
		r.notify(s)
	}
	result, err := outcome.Result(errors.Join(s.outcome(), err))
	if err == nil {
		result.RequeueAfter = outcome.Earliest(append(s.next, result.RequeueAfter)...)
	}
	return result, err
}

// outcome joins how the pass and the parts ended.
func (s *scope) outcome() error {
	errs := []error{s.err}
	for _, p := range s.parts {
		errs = append(errs, p.err)
	}
	return errors.Join(errs...)
}

func (s *scope) wake(after time.Duration) { s.next = append(s.next, after) }

func runPhases(ctx context.Context, s *scope, phases ...phase) error {
	for _, phase := range phases {
		if err := phase(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
