package customnbimage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	s.streams = s.wantsStream() && r.cluster.HasImageStreams()
	return nil
}

// wantsStream tells whether images are offered by ImageStreams where there are any.
func (s *scope) wantsStream() bool {
	return s.config.Publish.ImageStreams != v1alpha1.ImageStreamsNever
}

func (r *Reconciler) identifyBuild(_ context.Context, s *scope) error {
	s.build = newBuild(s.obj)
	if record := newestRecord(s.obj); record != nil {
		s.settled = record.ID == s.build.id && record.Result != ""
	}
	return nil
}

// underWay tells whether the status tells of a run of the build that has not ended.
func (s *scope) underWay() bool {
	record := newestRecord(s.obj)
	return record != nil && record.ID == s.build.id && record.Result == ""
}

// observeRun looks at the run of the newest attempt. An attempt that the platform failed makes room for the next one
// when its time has come.
func (r *Reconciler) observeRun(ctx context.Context, s *scope) error {
	if s.settled {
		return nil
	}
	if wait := runs.AwaitCluster(r.cluster.Unanswered(capabilities.PipelineRun)); wait != nil && s.underWay() {
		s.quiet = true
		return wait
	}
	if !r.cluster.HasTekton() {
		return nil
	}
	for {
		seen, err := r.lookUpRun(ctx, s)
		if err != nil {
			return err
		}
		s.seen = seen
		if seen == nil || !s.mayRetry() {
			return nil
		}
		if s.untilRetry = r.untilRetry(s); s.untilRetry > 0 {
			return nil
		}
		s.build.cause = v1alpha1.CauseRetry
		s.build.attempt++
	}
}

func (r *Reconciler) lookUpRun(ctx context.Context, s *scope) (*observation, error) {
	run := &tektonv1.PipelineRun{}
	key := types.NamespacedName{Namespace: s.obj.Namespace, Name: s.build.runName(s.obj)}
	if err := r.client.Get(ctx, key, run); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read PipelineRun %q: %w", key.Name, err)
	}
	if !metav1.IsControlledBy(run, s.obj) {
		return nil, nameTaken(run.Name)
	}
	tasks, err := r.tasksOf(ctx, run)
	if err != nil {
		return nil, err
	}
	return observe(run, tasks, policyOf(&s.config), r.clock.Now()), nil
}

// tasksOf are the TaskRuns of a run by their names in the pipeline.
func (r *Reconciler) tasksOf(ctx context.Context, run *tektonv1.PipelineRun) (taskRuns, error) {
	list := &tektonv1.TaskRunList{}
	if err := r.client.List(ctx, list, client.InNamespace(run.Namespace), client.MatchingFields{indexTaskRunsByRun: run.Name}); err != nil {
		return nil, fmt.Errorf("cannot list the TaskRuns of PipelineRun %q: %w", run.Name, err)
	}
	tasks := taskRuns{}
	for i := range list.Items {
		// A label is anybody's to write: what counts as the run's is what Tekton made for it.
		if task := &list.Items[i]; metav1.IsControlledBy(task, run) {
			tasks[task.Labels[labelPipelineTask]] = task
		}
	}
	return tasks, nil
}

// untilRetry is how long it still takes until the next attempt is due.
func (r *Reconciler) untilRetry(s *scope) time.Duration {
	return s.seen.completed.Add(runs.RetryDelay(s.build.attempt)).Sub(r.clock.Now())
}

// removeOvertaken ends the builds that an edit has overtaken. Their runs are deleted, not cancelled: who goes back to
// what was asked for before gets a build, not the end of the one that was broken off. A run that looked at the source
// goes in the next pass: what it has led to is in the status by then.
func (r *Reconciler) removeOvertaken(ctx context.Context, s *scope) error {
	// While refreshes are held back it cannot be told which of their runs is overtaken.
	if !r.cluster.HasTekton() || s.settled && len(r.cluster.Unanswered(runs.Needs()...)) > 0 {
		return nil
	}
	all, err := runs.Of(ctx, r.client, indexRunsByOwner, s.obj)
	if err != nil {
		return err
	}
	for i := range all {
		run := &all[i]
		current := run.Labels[v1alpha1.LabelBuild] == s.build.id || run.IsDone()
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

// checkWanted waits while somebody wants no builds.
func (r *Reconciler) checkWanted(_ context.Context, s *scope) error {
	if s.settled || s.seen != nil {
		return nil
	}
	if s.obj.Spec.Suspend {
		return outcome.Wait(v1alpha1.ReasonSuspended, "No build starts while spec.suspend is true", 0)
	}
	if state := s.config.ManagementState; state == v1alpha1.StateRemoved {
		return outcome.Wait(v1alpha1.ReasonUnmanaged, fmt.Sprintf("No build starts while spec.managementState of CNBiConfig %q is %s", v1alpha1.CNBiConfigName, state), 0)
	}
	return nil
}

// awaitCluster begins nothing before it is known what the cluster offers, and takes nothing back that is told.
func (r *Reconciler) awaitCluster(_ context.Context, s *scope) error {
	if s.seen != nil {
		return nil
	}
	err := runs.AwaitCluster(r.cluster.Unanswered(runs.Needs()...))
	s.quiet = s.settled && err != nil
	return err
}

// checkCluster waits for what a build needs before it can start.
func (r *Reconciler) checkCluster(ctx context.Context, s *scope) error {
	if s.settled || s.seen != nil {
		return nil
	}
	if !r.cluster.HasTekton() {
		return outcome.Wait(v1alpha1.ReasonTektonUnavailable, "Tekton Pipelines (tekton.dev/v1) is not installed in this cluster: ask an admin to install it; the build starts by itself then", 0)
	}
	ready, err := r.installed(ctx, s.obj.Namespace, flowOf(s.obj).pipeline)
	if err != nil {
		return err
	}
	if ready {
		s.installed = true
		return nil
	}
	return r.waitForPipelines(s)
}

// waitForPipelines says what keeps the namespace from having the pipelines.
func (r *Reconciler) waitForPipelines(s *scope) error {
	namespace := s.obj.Namespace
	err := runs.AwaitPipeline(&s.config, s.configured, namespace, flowOf(s.obj).pipeline, r.unselected(namespace))
	// In a namespace's first seconds there is nothing to tell a person yet: the pipelines are on their way.
	const patience = 3 * time.Second
	left := s.obj.CreationTimestamp.Add(patience).Sub(r.clock.Now())
	if wait, _ := outcome.AsWait(err); wait.Reason == v1alpha1.ReasonWaitingForPipelines && left > 0 {
		s.quiet = true
		return outcome.Wait(v1alpha1.ReasonWaitingForPipelines, "Waiting for the pipelines", left)
	}
	return err
}

func (r *Reconciler) ensureRun(ctx context.Context, s *scope) error {
	if s.settled || s.seen != nil {
		return nil
	}
	run := r.newBuildRun(s)
	if err := r.client.Create(ctx, run, fieldOwner); err != nil {
		r.notStarted(run)
		if apierrors.IsAlreadyExists(err) {
			return r.awaitRun(ctx, s, run)
		}
		if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
			return outcome.Stall(v1alpha1.ReasonInvalidSpec, fmt.Errorf("Tekton refuses what the object asks for: %s", oneLine(err.Error()))) //nolint:staticcheck // a condition's message
		}
		return fmt.Errorf("cannot create PipelineRun %q: %w", run.Name, err)
	}
	flow := flowOf(s.obj)
	s.seen = &observation{runName: run.Name, flow: flow, stage: flow.first(), sourceName: s.order.base, started: run.CreationTimestamp.Time}
	return nil
}

// awaitRun waits for the cache to show a run that exists.
func (r *Reconciler) awaitRun(ctx context.Context, s *scope, run *tektonv1.PipelineRun) error {
	hidden, err := runs.Hidden(ctx, r.direct, run, s.obj)
	if err != nil {
		return err
	}
	if hidden {
		return nameTaken(run.Name)
	}
	s.quiet = true
	return outcome.Wait(string(flowOf(s.obj).first()), "Waiting for the cache to catch up", staleAfter)
}

// nameTaken waits for a run that is not the object's to go. No watch tells of its end.
func nameTaken(name string) error {
	const again = 30 * time.Second
	return outcome.Wait(v1alpha1.ReasonConflictingObject, fmt.Sprintf("PipelineRun %q has the name of this object's run and is not it, or has lost its labels: remove it", name), again)
}

// endRun ends a run that can come to nothing any more, or that its user has suspended. A suspended run is taken away and
// its build over: what starts later has another name, since Tekton would take a pod of the old one for its own.
func (r *Reconciler) endRun(ctx context.Context, s *scope) error {
	if s.settled || s.seen == nil {
		return nil
	}
	run := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: s.obj.Namespace, Name: s.seen.runName}}
	if s.seen.cancel {
		return runs.Cancel(ctx, r.client, run, fieldOwner)
	}
	if !s.obj.Spec.Suspend || s.seen.finished {
		return nil
	}
	if err := runs.Remove(ctx, r.client, run); err != nil {
		return err
	}
	closeOvertaken(s.obj.Status.Builds, metav1.NewTime(r.clock.Now()))
	s.seen = nil
	return outcome.Wait(v1alpha1.ReasonSuspended, "No build starts while spec.suspend is true", 0)
}

// recordResult puts what the build has come to into the status before it is published.
func recordResult(_ context.Context, s *scope) error {
	setResult(s)
	return nil
}

// ensureStream shows the object's state as an ImageStream: hidden at first, offered when an image has passed.
func (r *Reconciler) ensureStream(ctx context.Context, s *scope) error {
	if err := runs.AwaitCluster(r.cluster.Unanswered(capabilities.ImageStream)); err != nil && s.wantsStream() {
		if s.unanswered = true; s.obj.Status.Image != s.before.Status.Image {
			s.unpublished = err
		}
		return nil
	}
	if !s.streams {
		if s.config.Publish.ImageStreams == v1alpha1.ImageStreamsAlways {
			s.unpublished = outcome.Wait(v1alpha1.ReasonImageStreamsUnavailable, fmt.Sprintf("The cluster has no ImageStreams, and spec.publish.imageStreams of CNBiConfig %q is Always", v1alpha1.CNBiConfigName), 0)
		}
		return nil
	}
	stream, err := newImageStream(s.obj, streamFactsOf(s))
	if err != nil {
		return err
	}
	current := install.MetadataOf(capabilities.ImageStream)
	err = r.streams.Get(ctx, client.ObjectKeyFromObject(s.obj), current)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot read ImageStream %q: %w", s.obj.Name, err)
	}
	if err == nil {
		if !metav1.IsControlledBy(current, s.obj) {
			s.unpublished = outcome.Stall(v1alpha1.ReasonConflictingObject, fmt.Errorf("ImageStream %q exists and is not this object's: rename or remove one of the two", s.obj.Name))
			return nil
		}
		if current.Annotations[annotationApplied] == stream.Annotations[annotationApplied] {
			return nil
		}
	}
	if err := r.applyStream(ctx, stream); err != nil {
		s.unpublished = outcome.Wait(v1alpha1.ReasonProgressingWithRetry, sentence(err.Error()), 0)
		return err
	}
	return nil
}

// conclude says how the pass ends.
func conclude(_ context.Context, s *scope) error {
	switch {
	case s.settled:
		return cmp.Or(settledOutcome(s), s.unpublished)
	case !s.seen.finished:
		return outcome.Wait(string(s.seen.stage), progressMessage(s), s.seen.lookAgain)
	case s.seen.failure == nil:
		return s.unpublished
	case s.mayRetry():
		f := s.seen.failure
		return outcome.Wait(f.reason, fmt.Sprintf("%s; attempt %d of %d follows", f.message, s.build.attempt+1, runs.MaxAttempts(&s.config.Build)), s.untilRetry)
	default:
		return outcome.Stall(s.end().reason, errors.New(s.end().message))
	}
}
