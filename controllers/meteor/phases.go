package meteor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/kube"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// readConfig reads the admin's settings. As long as there is no CNBiConfig its defaults hold.
func (r *Reconciler) readConfig(ctx context.Context, s *scope) error {
	var err error
	if s.config, s.configured, err = kube.Settings(ctx, r.client); err != nil {
		return err
	}
	s.openShift = r.cluster.IsOpenShift()
	return nil
}

// identify finds out which builds the object asks for, and which of them have ended.
func identify(_ context.Context, s *scope) error {
	names := s.obj.Spec.Pipelines
	if len(names) == 0 {
		names = []string{v1alpha1.PipelineJupyterHub, v1alpha1.PipelineJupyterBook}
	}
	for _, name := range names {
		p := &part{name: name}
		if shown := shownPipeline(s.obj, name); shown != nil {
			p.runName, p.url, p.ready = shown.PipelineRunName, shown.URL, shown.Ready
			if p.ready == string(metav1.ConditionUnknown) {
				p.ready = string(metav1.ConditionTrue)
			}
		}
		s.parts = append(s.parts, p)
		if !p.runs() {
			continue
		}
		p.build = newBuild(s.obj, name, p.runName)
		last, ok := parseRunName(p.runName)
		p.settled = ok && last == p.build && p.ready != ""
	}
	return nil
}

func shownPipeline(obj *v1alpha1.Meteor, name string) *v1alpha1.PipelineStatus {
	for i := range obj.Status.Pipelines {
		if obj.Status.Pipelines[i].Name == name {
			return &obj.Status.Pipelines[i]
		}
	}
	return nil
}

// runs tells whether the pipeline has runs of the Meteor's own: a CustomNBImage has its own.
func (p *part) runs() bool { return p.name != v1alpha1.PipelineJupyterHub }

// reconcileParts takes each pipeline a step further. None waits for another, nor fails with it.
func (r *Reconciler) reconcileParts(ctx context.Context, s *scope) error {
	for _, p := range s.parts {
		switch p.name {
		case v1alpha1.PipelineJupyterHub:
			p.err = r.reconcileImage(ctx, s, p)
		case v1alpha1.PipelineJupyterBook:
			p.err = r.reconcileBook(ctx, s, p)
		default:
			p.err = r.reconcileRun(ctx, s, p)
		}
	}
	s.reconciled = true
	s.obj.Status.LastRebuild = rebuildAsked(s.obj)
	return nil
}

// reconcileRun has the pipeline run, if that is still to be done, and tells how it went.
func (r *Reconciler) reconcileRun(ctx context.Context, s *scope, p *part) error {
	if p.settled {
		return settledOutcome(s, p)
	}
	if strings.Contains(s.obj.Spec.URL+string(s.obj.Spec.Ref), "$(") {
		return outcome.Stall(v1alpha1.ReasonInvalidSpec, errors.New(`Tekton would take "$(" in spec.url or spec.ref for an expression of its own: remove it`)) //nolint:staticcheck // a condition's message
	}
	if err := r.observeRun(ctx, s, p); err != nil {
		return err
	}
	if p.seen == nil {
		if err := r.startRun(ctx, s, p); err != nil {
			return err
		}
	}
	return r.concludeRun(s, p)
}

// settledOutcome repeats the end that the status tells already.
func settledOutcome(s *scope, p *part) error {
	if p.ready == string(metav1.ConditionTrue) {
		return nil
	}
	c := meta.FindStatusCondition(s.obj.Status.Conditions, v1alpha1.ConditionPipelinePrefix+p.name)
	if c == nil {
		return outcome.Stall(v1alpha1.ReasonPipelineFailed, fmt.Errorf("PipelineRun %q failed", p.runName))
	}
	return outcome.Stall(c.Reason, errors.New(c.Message))
}

// observeRun looks at the run of the newest attempt. An attempt that the platform failed makes room for the next one
// when its time has come.
func (r *Reconciler) observeRun(ctx context.Context, s *scope, p *part) error {
	if len(r.cluster.Unanswered(capabilities.PipelineRun)) > 0 {
		return p.toldWait(s)
	}
	if !r.cluster.HasTekton() {
		return nil
	}
	for {
		seen, err := r.lookUpRun(ctx, s, p)
		if err != nil {
			return err
		}
		p.seen = seen
		if seen != nil && seen.cancel {
			if err := r.cancel(ctx, s, seen.runName); err != nil {
				return err
			}
		}
		if seen == nil || !s.mayRetry(p) || r.untilRetry(p) > 0 {
			return nil
		}
		p.build.attempt++
	}
}

// toldWait waits as the status says, if it says so.
func (p *part) toldWait(s *scope) error {
	c := meta.FindStatusCondition(s.obj.Status.Conditions, v1alpha1.ConditionPipelinePrefix+p.name)
	if c == nil || c.Status != metav1.ConditionUnknown {
		return nil
	}
	return outcome.Wait(c.Reason, c.Message, 0)
}

func (r *Reconciler) untilRetry(p *part) time.Duration {
	return p.seen.completed.Add(runs.RetryDelay(p.build.attempt)).Sub(r.clock.Now())
}

func (r *Reconciler) lookUpRun(ctx context.Context, s *scope, p *part) (*observation, error) {
	run := &tektonv1.PipelineRun{}
	key := types.NamespacedName{Namespace: s.obj.Namespace, Name: p.build.runName(s.obj, p.name)}
	if err := r.client.Get(ctx, key, run); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read PipelineRun %q: %w", key.Name, err)
	}
	if !metav1.IsControlledBy(run, s.obj) {
		return nil, nameTaken("PipelineRun", run.Name)
	}
	tasks, err := r.tasksOf(ctx, run)
	if err != nil {
		return nil, err
	}
	return observe(p.name, run, tasks, r.clock.Now()), nil
}

// tasksOf are the TaskRuns of a run by their names in the pipeline.
func (r *Reconciler) tasksOf(ctx context.Context, run *tektonv1.PipelineRun) (taskRuns, error) {
	tasks := taskRuns{}
	for _, child := range run.Status.ChildReferences {
		if child.Kind != "TaskRun" {
			continue
		}
		task := &tektonv1.TaskRun{}
		err := r.client.Get(ctx, types.NamespacedName{Namespace: run.Namespace, Name: child.Name}, task)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("cannot read TaskRun %q: %w", child.Name, err)
		}
		if err == nil && metav1.IsControlledBy(task, run) {
			tasks[child.PipelineTaskName] = task
		}
	}
	return tasks, nil
}

// nameTaken waits for an object to go that is not this one's.
func nameTaken(kind, name string) error {
	const again = 30 * time.Second
	return outcome.Wait(v1alpha1.ReasonConflictingObject, fmt.Sprintf("%s %q has the name that this object needs and is not its own, or has lost its labels: remove it", kind, name), again)
}

// startRun starts the run when all that it needs is there.
func (r *Reconciler) startRun(ctx context.Context, s *scope, p *part) error {
	if state := s.config.ManagementState; state == v1alpha1.StateRemoved {
		return outcome.Wait(v1alpha1.ReasonUnmanaged, fmt.Sprintf("No build starts while spec.managementState of CNBiConfig %q is %s", v1alpha1.CNBiConfigName, state), 0)
	}
	if err := runs.AwaitCluster(r.cluster.Unanswered(runs.Needs()...)); err != nil {
		return err
	}
	if !r.cluster.HasTekton() {
		return outcome.Wait(v1alpha1.ReasonTektonUnavailable, "Tekton Pipelines (tekton.dev/v1) is not installed in this cluster: ask an admin to install it; the build starts by itself then", 0)
	}
	run, err := r.newRun(ctx, s, p)
	if err != nil {
		return err
	}
	if err := r.client.Create(ctx, run, fieldOwner); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return r.awaitRun(ctx, s, run)
		}
		return fmt.Errorf("cannot create PipelineRun %q: %w", run.Name, err)
	}
	p.seen = &observation{runName: run.Name, started: run.CreationTimestamp.Time}
	return nil
}

// awaitRun waits for the cache to show a run that exists.
func (r *Reconciler) awaitRun(ctx context.Context, s *scope, run *tektonv1.PipelineRun) error {
	hidden, err := runs.Hidden(ctx, r.direct, run, s.obj)
	if err != nil {
		return err
	}
	if hidden {
		return nameTaken("PipelineRun", run.Name)
	}
	return outcome.Wait(v1alpha1.ReasonPreparing, "Waiting for the cache to catch up", staleAfter)
}

// concludeRun tells how the run stands, and notes its end.
func (r *Reconciler) concludeRun(s *scope, p *part) error {
	seen := p.seen
	p.runName, p.ready = seen.runName, ""
	switch {
	case !seen.finished:
		return outcome.Wait(v1alpha1.ReasonBuilding, fmt.Sprintf("PipelineRun %q runs", seen.runName), seen.lookAgain)
	case s.mayRetry(p):
		f := seen.failure
		return outcome.Wait(f.reason, fmt.Sprintf("%s; attempt %d of %d follows", f.message, p.build.attempt+1, runs.MaxAttempts(&s.config.Build)), max(r.untilRetry(p), staleAfter))
	}
	p.ended = true
	if s.obj.Spec.Refresh != nil {
		s.obj.Status.LastRefreshTime = &metav1.Time{Time: seen.completed}
	}
	if seen.failure != nil {
		p.ready = string(metav1.ConditionFalse)
		end := s.end(p)
		return outcome.Stall(end.reason, errors.New(end.message))
	}
	p.ready = string(metav1.ConditionTrue)
	if seen.url != "" || p.name != v1alpha1.PipelineJupyterBook {
		p.url = seen.url
	}
	return nil
}

// mayRetry tells whether another attempt follows the one that was seen.
func (s *scope) mayRetry(p *part) bool {
	seen := p.seen
	return seen.finished && seen.failure != nil && seen.failure.transient() && p.build.attempt < runs.MaxAttempts(&s.config.Build)
}

// end is how a failed build is told. A failure of the platform's has been tried again as often as it may be.
func (s *scope) end(p *part) problem {
	f := *p.seen.failure
	if !f.transient() {
		return f
	}
	return problem{
		reason:  v1alpha1.ReasonRetriesExhausted,
		message: fmt.Sprintf("%s: %s; given up after %d attempts: set the annotation %s to try again", f.reason, f.message, p.build.attempt, v1alpha1.AnnotationRebuild),
	}
}

// checkInstalled waits for the operator's own pipelines.
func (r *Reconciler) checkInstalled(ctx context.Context, s *scope, pipeline string) error {
	ready, err := r.installed(ctx, s.obj.Namespace, pipeline)
	if err != nil {
		return err
	}
	if ready {
		s.installed = true
		return nil
	}
	namespace := s.obj.Namespace
	return runs.AwaitPipeline(&s.config, s.configured, namespace, pipeline, r.unselected(namespace))
}

// lookAgain has the object looked at now and then for what no watch tells of, the less often the older it is.
func (r *Reconciler) lookAgain(s *scope) {
	const soonest, latest = 5 * time.Second, time.Minute
	s.wake(min(max(r.clock.Since(s.obj.CreationTimestamp.Time)/4, soonest), latest))
}

// checkForeign sees that somebody else's Pipeline is there. Such are not cached, so it is asked for again now and then.
func (r *Reconciler) checkForeign(ctx context.Context, s *scope, pipeline string) error {
	err := r.direct.Get(ctx, types.NamespacedName{Namespace: s.obj.Namespace, Name: pipeline}, install.MetadataOf(capabilities.Pipeline))
	if apierrors.IsNotFound(err) {
		r.lookAgain(s)
		return outcome.Stall(v1alpha1.ReasonPipelineNotFound, fmt.Errorf("There is no Pipeline %q in namespace %q: create it, or take it out of spec.pipelines", pipeline, s.obj.Namespace)) //nolint:staticcheck // a condition's message
	}
	if err != nil {
		return fmt.Errorf("cannot look for Pipeline %q: %w", pipeline, err)
	}
	return nil
}

// checkSecrets waits for the Secrets that a build names.
func (r *Reconciler) checkSecrets(ctx context.Context, s *scope, o order) error {
	return runs.CheckSecrets(ctx, r.direct, s.obj, r.clock.Now(),
		runs.Secret{Name: runs.SecretName(s.obj.Spec.GitSecret), NamedBy: "spec.gitSecret names"},
		runs.Secret{Name: o.pushSecret, NamedBy: "spec.registry.pushSecret of the CNBiConfig asks for"},
	)
}

// removeOvertaken ends the builds that an edit has overtaken, and a look at the repository that is over.
func (r *Reconciler) removeOvertaken(ctx context.Context, s *scope) error {
	// While refreshes are held back it cannot be told which of their runs is overtaken.
	if !r.cluster.HasTekton() || len(r.cluster.Unanswered(runs.Needs()...)) > 0 {
		return nil
	}
	all, err := runs.Of(ctx, r.client, indexRunsByMeteor, s.obj)
	if err != nil {
		return err
	}
	for i := range all {
		run := &all[i]
		current := run.IsDone() || s.asksFor(run)
		if runs.IsLook(run) {
			current = run.Name == s.lookRun
		}
		if current {
			continue
		}
		if err := runs.Remove(ctx, r.client, run); err != nil {
			return err
		}
	}
	return nil
}

// asksFor tells whether a run is one of a build that the object asks for.
func (s *scope) asksFor(run *tektonv1.PipelineRun) bool {
	return slices.ContainsFunc(s.parts, func(p *part) bool {
		return p.runs() && run.Labels[v1alpha1.LabelPipeline] == p.name && run.Labels[v1alpha1.LabelBuild] == p.build.id
	})
}

// removeUnwanted takes away what a pipeline made that is not in the list any more. The caches are asked, since the
// status does not tell of it when the edit came between the making and the telling.
func (r *Reconciler) removeUnwanted(ctx context.Context, s *scope) error {
	if !s.wants(v1alpha1.PipelineJupyterHub) {
		if err := r.removeImage(ctx, s); err != nil {
			return err
		}
		s.obj.Status.CustomNBImageName = ""
	}
	if s.wants(v1alpha1.PipelineJupyterBook) {
		return nil
	}
	served, err := r.served(ctx, s)
	if err == nil && (served || s.obj.Status.Site != nil) {
		// A Route that is not known of would stay.
		if err = runs.AwaitCluster(r.cluster.Unanswered(capabilities.Route)); err == nil {
			err = r.removeSite(ctx, s)
		}
	}
	if err != nil {
		return err
	}
	s.obj.Status.Site = nil
	return nil
}

func (s *scope) wants(pipeline string) bool {
	return slices.ContainsFunc(s.parts, func(p *part) bool { return p.name == pipeline })
}
