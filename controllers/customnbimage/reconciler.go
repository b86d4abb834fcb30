package customnbimage

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/metrics"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

const (
	fieldOwner = client.FieldOwner("meteor-operator-customnbimage")
	// staleAfter is when to look again at an object whose cached copy is older than our own last write.
	staleAfter = 100 * time.Millisecond
)

// Cluster tells what the cluster offers at the moment.
type Cluster interface {
	// Unanswered are the APIs of the kinds of which the cluster has yet to say whether it has them.
	Unanswered(kinds ...schema.GroupVersionKind) []string
	HasTekton() bool
	HasImageStreams() bool
	// IsOpenShift is true where security context constraints choose the user that a pod runs as.
	IsOpenShift() bool
}

// Reconciler reconciles CustomNBImages.
type Reconciler struct {
	client client.Client
	// direct asks the API server itself. Only whether a Secret exists is asked there, since Secrets are never cached.
	direct client.Reader
	// streams reads the cached metadata of ImageStreams.
	streams  client.Reader
	statuses *apply.Statuses
	events   events.EventRecorder
	clock    clock.PassiveClock
	cluster  Cluster
	// installed tells whether a namespace has a pipeline as it should be.
	installed func(ctx context.Context, namespace, pipeline string) (bool, error)
	// unselected tells whether the CNBiConfig's selector leaves a namespace out.
	unselected func(namespace string) bool
	metrics    *metrics.Recorder
	turns      *turns
	// scheduled is since when the CNBiConfig has had imports looked at again, as far as this process knows.
	scheduled atomic.Pointer[time.Time]
	// proxy is what builds use where the CNBiConfig names none.
	proxy v1alpha1.ProxySpec
	// buildah is true where the operator has an image for Containerfiles.
	buildah bool
}

// scope is one pass over one object: the object, and every fact gathered on the way.
type scope struct {
	obj    *v1alpha1.CustomNBImage
	before *v1alpha1.CustomNBImage
	config v1alpha1.CNBiConfigSpec
	// configured is false while there is no CNBiConfig.
	configured bool
	// openShift is true where the platform chooses the user that a pod runs as.
	openShift bool

	build build
	order order
	// settled is true when the status already tells the end of the build that the object asks for.
	settled bool
	// seen is nil while the build has no run.
	seen *observation
	// untilRetry is how long it takes until the next attempt is due, after one that the platform failed.
	untilRetry time.Duration
	// installed is true once the namespace was seen to have the pipelines.
	installed bool
	// quiet is true when there is nothing to tell a person yet.
	quiet bool
	// streams is true where images are offered by ImageStreams.
	streams bool
	// unanswered is true while it is not known whether there are ImageStreams to offer images by.
	unanswered bool
	// unpublished is why an image that has passed is not offered where it should be, as the outcome that this makes.
	unpublished error
	// nextPrune is how long it takes until the next run is too old to be kept, zero when none will be.
	nextPrune time.Duration
	// nextLook is how long it takes until the source is looked at again, or the image built again; zero when it never is.
	nextLook time.Duration
	// lookRun is the name of the run that looks at the source.
	lookRun string
	// err is what the last phase ended with.
	err error
}

type phase func(context.Context, *scope) error

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := &v1alpha1.CustomNBImage{}
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
	s.err = runPhases(ctx, s,
		r.readConfig, r.identifyBuild, r.refresh, r.observeRun, r.removeOvertaken, r.cancelOnDemand,
		r.checkWanted, r.awaitCluster, r.placeOrder, r.checkCluster, r.checkSecrets, r.takeTurn, r.ensureRun,
		r.endRun, recordResult, r.ensureStream, r.pruneRuns, conclude)
	setStatus(s, r.clock)
	err := r.statuses.Apply(ctx, s.before, s.obj)
	if err == nil {
		r.notify(s)
	}
	result, err := outcome.Result(errors.Join(s.err, err))
	if err == nil {
		result.RequeueAfter = outcome.Earliest(result.RequeueAfter, s.nextPrune, s.nextLook)
	}
	return result, err
}

func runPhases(ctx context.Context, s *scope, phases ...phase) error {
	for _, phase := range phases {
		if err := phase(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
