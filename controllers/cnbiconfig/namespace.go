package cnbiconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

const (
	// defaultLinger is how long a namespace keeps its pipelines in mode OnDemand after the last object that needs them
	// has gone: the next one often comes soon.
	defaultLinger = 10 * time.Minute
	// lookAgain is when to look again at a namespace that is not watched.
	lookAgain = 5 * time.Minute
	// longestBuild is after what time a run that has not ended holds nothing up any more. The longest timeout that a
	// build can have is 24 hours, but whoever may create runs can give one none.
	longestBuild = 25 * time.Hour
)

// namespaceReconciler gives one namespace what builds need there.
type namespaceReconciler struct {
	client    client.Client
	territory territory
	designer  *designer
	views     *views
	judge     *install.Judge
	ledger    *ledger
	clock     clock.PassiveClock
	linger    time.Duration
	hasTekton func() bool
	hasRuns   func() bool

	mu       sync.Mutex
	memories map[string]*memory
}

// namespaceScope is what is known of the namespace in this pass.
type namespaceScope struct {
	name   string
	config *v1alpha1.CNBiConfig
	memory *memory
	found  found
	// trusted are objects that were written a moment ago, as the caches do not show yet.
	trusted map[install.Key]bool
	// busy names a run that is under way, if there is one.
	busy   string
	bundle *install.Bundle
	usable []string
	// unselected is true where the selector of mode Selected leaves the namespace out.
	unselected bool
	// again is when to look again, if not zero.
	again time.Duration
}

// Reconcile implements reconcile.Reconciler. The request's name is the namespace's.
func (r *namespaceReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s := &namespaceScope{name: req.Name, config: &v1alpha1.CNBiConfig{}, memory: r.remember(req.Name)}
	if err := r.client.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, s.config); err != nil {
		r.forget(s.name)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	ns, err := r.territory.namespace(ctx, s.config, s.name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if ns == nil || !s.config.DeletionTimestamp.IsZero() {
		return r.leave(s), nil
	}
	claim, err := r.territory.claim(ctx, s.config, ns)
	if err == nil {
		err = r.lookInto(ctx, s)
	}
	if err != nil {
		return outcome.Result(err)
	}
	if s.config.Spec.ManagementState == v1alpha1.StateUnmanaged {
		s.usable = s.found.pipelines()
		r.note(s, stateNone, nil)
		return ctrl.Result{}, nil
	}
	s.unselected = claim == unclaimed && s.config.Spec.Namespaces.Mode == v1alpha1.NamespacesSelected
	settled := stateReady
	if r.keeps(s, claim) {
		err = r.install(ctx, s)
	} else {
		settled = stateNone
		err = r.withdraw(ctx, s)
	}
	if gone(err) {
		return r.leave(s), nil
	}
	r.note(s, settled, err)
	return s.result(err, r.unwatched())
}

// leave has nothing to do with a namespace that is not there, or about to go. One of those that the manager is told to
// look at may come yet, and nobody would tell.
func (r *namespaceReconciler) leave(s *namespaceScope) ctrl.Result {
	r.forget(s.name)
	if !slices.Contains(r.territory.watched, s.name) {
		return ctrl.Result{}
	}
	r.ledger.set(s.name, entry{state: stateNone, uid: s.config.UID, generation: s.config.Generation, absent: true})
	return ctrl.Result{RequeueAfter: lookAgain}
}

// unwatched is when to look again at a namespace whose own changes nobody tells of.
func (r *namespaceReconciler) unwatched() time.Duration {
	if len(r.territory.watched) > 0 {
		return lookAgain
	}
	return 0
}

// result adds to what err asks for when to look again.
func (s *namespaceScope) result(err error, otherwise time.Duration) (ctrl.Result, error) {
	res, err := outcome.Result(err)
	if err != nil {
		return ctrl.Result{}, err
	}
	res.RequeueAfter = outcome.Earliest(res.RequeueAfter, s.again, otherwise)
	return res, nil
}

// lookInto gathers what is in the namespace.
func (r *namespaceReconciler) lookInto(ctx context.Context, s *namespaceScope) error {
	var err error
	if s.found, err = r.views.look(ctx, s.name); err != nil {
		return err
	}
	s.trusted, s.again = s.memory.trusted(s.found, r.clock.Now())
	return r.lookForRuns(ctx, s)
}

// lookForRuns notes from the cache whether builds run in the namespace, and when to look again at one that seems to
// have no end.
func (r *namespaceReconciler) lookForRuns(ctx context.Context, s *namespaceScope) error {
	if !r.hasRuns() {
		return nil
	}
	runs := &tektonv1.PipelineRunList{}
	if err := r.client.List(ctx, runs, client.InNamespace(s.name), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("cannot list PipelineRuns: %w", err)
	}
	for i := range runs.Items {
		run := &runs.Items[i]
		left := begun(run).Add(longestBuild).Sub(r.clock.Now())
		if !running(run) || left <= 0 {
			continue
		}
		if s.busy == "" || run.Name < s.busy {
			s.busy = run.Name
		}
		s.lookBy(left)
	}
	return nil
}

// lookBy has the namespace looked at again after the given time, or earlier.
func (s *namespaceScope) lookBy(after time.Duration) {
	s.again = outcome.Earliest(s.again, after)
}

// running tells whether a run has begun, or may begin at any moment, and has not ended.
func running(run *tektonv1.PipelineRun) bool {
	return !run.IsDone() && !run.IsPending() && run.DeletionTimestamp.IsZero()
}

// begun is when a run began.
func begun(run *tektonv1.PipelineRun) time.Time {
	if run.Status.StartTime != nil {
		return run.Status.StartTime.Time
	}
	return run.CreationTimestamp.Time
}

// keeps tells whether the namespace has pipelines for now. One that needs them no more has them a while longer.
func (r *namespaceReconciler) keeps(s *namespaceScope, c claim) bool {
	if c != idle {
		s.memory.idleSince = time.Time{}
		return c == claimed
	}
	owned := slices.ContainsFunc(s.found.ours(s.config), func(key install.Key) bool { return install.Owned(s.found[key], s.config) })
	if !owned {
		return false
	}
	now := r.clock.Now()
	if s.memory.idleSince.IsZero() {
		s.memory.idleSince = now
	}
	left := s.memory.idleSince.Add(r.linger).Sub(now)
	if left > 0 {
		s.lookBy(left)
	}
	return left > 0
}

// install applies what the namespace lacks, and takes away what it no longer gets.
func (r *namespaceReconciler) install(ctx context.Context, s *namespaceScope) error {
	d, err := r.designer.design(ctx, s.config)
	if err != nil {
		return err
	}
	s.bundle = d.bundle
	if !r.hasTekton() {
		return outcome.Wait(v1alpha1.ReasonTektonUnavailable, "Waiting for Tekton Pipelines", 0)
	}
	p := situation{
		config: s.config, bundle: d.bundle, judge: r.judge, found: s.found, trusted: s.trusted, spared: d.spared, busy: s.busy != "",
	}.plan()
	w := &work{broken: map[install.Key]bool{}}
	for i, o := range d.bundle.Objects {
		if err := r.carryOut(ctx, s, o, p.verdicts[i], w); err != nil {
			return err
		}
	}
	s.usable = w.usable
	for _, key := range p.surplus {
		w.problem(r.takeAway(ctx, s, key))
	}
	if w.written > 0 {
		ctrl.LoggerFrom(ctx).Info("Installed the pipelines", "revision", d.bundle.Revision, "objects", w.written)
	}
	return w.err()
}

// work is what came of a plan.
type work struct {
	// broken are objects that are not as they should be.
	broken   map[install.Key]bool
	usable   []string
	written  int
	problems []error
	waits    error
}

func (w *work) problem(err error) {
	if err != nil {
		w.problems = append(w.problems, err)
	}
}

func (w *work) err() error {
	switch len(w.problems) {
	case 0:
		return w.waits
	case 1:
		return w.problems[0]
	}
	return &several{w.problems}
}

// several are errors of which the first is told.
type several struct{ errs []error }

// Error implements error.
func (s *several) Error() string { return fmt.Sprintf("%s (and %d more)", s.errs[0], len(s.errs)-1) }

// Unwrap returns all of them.
func (s *several) Unwrap() []error { return s.errs }

// carryOut does what is to be done about one object. It returns an error when there is no use in going on.
func (r *namespaceReconciler) carryOut(ctx context.Context, s *namespaceScope, o install.Object, v verdict, w *work) error {
	for _, key := range o.Needs {
		if w.broken[key] {
			w.broken[o.Key] = true
			return nil
		}
	}
	switch v {
	case keep:
	case refuse:
		w.broken[o.Key] = true
		w.problem(outcome.Stall(v1alpha1.ReasonConflictingObject, fmt.Errorf("%s exists and is not the operator's: rename or remove it", o.Key)))
	case await:
		w.broken[o.Key] = true
		w.waits = outcome.Wait(v1alpha1.ReasonInstalling, fmt.Sprintf("%s is being deleted", o.Key), 0)
	case postpone:
		w.broken[o.Key] = true
		w.waits = outcome.Wait(v1alpha1.ReasonInstalling, "The pipelines change when the builds that run have ended, such as "+s.runs(), 0)
	case write:
		if left := s.memory.mayWrite(o, r.clock.Now()); left > 0 {
			w.broken[o.Key] = true
			w.waits = outcome.Wait(v1alpha1.ReasonInstalling, fmt.Sprintf(
				"Somebody else changes %s each time that it is put right: it is left alone for a while", o.Key), left)
			return nil
		}
		err := r.write(ctx, s, o)
		if gone(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			w.broken[o.Key] = true
			w.problem(err)
			return nil
		}
		w.written++
	}
	if o.GVK == capabilities.Pipeline && !w.broken[o.Key] {
		w.usable = append(w.usable, o.Name)
	}
	return nil
}

// write applies one object.
func (r *namespaceReconciler) write(ctx context.Context, s *namespaceScope, o install.Object) error {
	meta, err := o.Apply(ctx, r.client, s.name, s.config)
	if err != nil {
		return err
	}
	r.judge.Learn(o, meta)
	s.memory.fought(o, r.clock.Now())
	s.memory.wrote(o.Key, s.found, meta.ResourceVersion, r.clock.Now())
	s.lookBy(settleFor)
	return nil
}

// withdraw takes away what the namespace was given, once no build runs there any more.
func (r *namespaceReconciler) withdraw(ctx context.Context, s *namespaceScope) error {
	keys := s.found.ours(s.config)
	if len(keys) == 0 {
		return nil
	}
	if s.busy != "" {
		return outcome.Wait(v1alpha1.ReasonRemoving, "The pipelines go when the builds that run have ended, such as "+s.runs(), 0)
	}
	w := &work{}
	for _, key := range keys {
		switch {
		case s.trusted[key]:
		case !s.found[key].DeletionTimestamp.IsZero():
			w.waits = outcome.Wait(v1alpha1.ReasonRemoving, fmt.Sprintf("%s is being deleted", key), 0)
		default:
			w.written++
			w.problem(r.takeAway(ctx, s, key))
		}
	}
	if w.written > len(w.problems) {
		ctrl.LoggerFrom(ctx).Info("Took the pipelines away", "objects", w.written-len(w.problems))
	}
	return w.err()
}

// runs is what is told of the builds that run.
func (s *namespaceScope) runs() string { return fmt.Sprintf("PipelineRun %q", s.busy) }

func (r *namespaceReconciler) takeAway(ctx context.Context, s *namespaceScope, key install.Key) error {
	meta := s.found[key]
	if s.trusted[key] || !meta.DeletionTimestamp.IsZero() {
		return nil
	}
	obj := install.MetadataOf(key.GVK)
	obj.Namespace, obj.Name = s.name, key.Name
	err := r.client.Delete(ctx, obj, client.Preconditions{UID: &meta.UID})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("cannot remove %s: %w", key, err)
	}
	s.memory.wrote(key, s.found, "", r.clock.Now())
	s.lookBy(settleFor)
	return nil
}

// note enters into the ledger how the namespace stands.
func (r *namespaceReconciler) note(s *namespaceScope, settled state, err error) {
	e := entry{
		state: settled, uid: s.config.UID, generation: s.config.Generation, usable: strings.Join(s.usable, ","), unselected: s.unselected,
	}
	if s.bundle != nil {
		e.bundle = s.bundle.ID
	}
	if wait, ok := outcome.AsWait(err); ok {
		e.state, e.message = statePending, wait.Message
	} else if err != nil {
		e.state, e.message = stateFailed, conditions.Message(capital(err.Error()))
	}
	r.ledger.set(s.name, e)
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
