package customnbimage

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"knative.dev/pkg/apis"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// observation is what the PipelineRun of a build and its TaskRuns say, in the controller's own words.
type observation struct {
	runName   string
	flow      flow
	started   time.Time
	completed time.Time

	stage v1alpha1.CustomNBImageStage
	// stuck is what keeps a running build from going on: the kubelet's or Tekton's own words, empty when nothing does.
	stuck string
	// finished is true when nothing that still happens to the run can change the outcome.
	finished bool
	// failure is nil for a run that goes on or succeeded.
	failure *problem
	// cancel is true for a run that has failed already, only waits for its time-out, and was not ended by anybody yet.
	cancel bool
	// lookAgain is when a running build must be looked at again although nothing happens to it; zero for never.
	lookAgain time.Duration

	// image is the image by digest, repository@sha256:….
	image string
	// source is, by digest, what is imported or built on. Empty when it is several images, or not known yet.
	source string
	// sourceName is the name that the source was asked for by.
	sourceName string
	// commit is that of the repository, in full.
	commit string
	// look is nil until the image was looked into; it is the claim of an untrusted process, bounded and cleaned.
	look   *validate.Look
	checks []validate.Finding
	// gone is true when the probe has seen the notebook answer and then stop.
	gone bool
}

// The results that tasks have in common.
const (
	resultImage   = "image"
	resultCommit  = "commit"
	resultFailure = "failure"
)

// deathGrace is how long the probe may take to tell what it knows of a notebook that has ended: it saw more than its
// exit code. A notebook that ended before it answered would have it wait for the whole start-up time.
const deathGrace = 15 * time.Second

// observe reads a run. Tasks are keyed by their name in the pipeline. Pure.
func observe(run *tektonv1.PipelineRun, tasks taskRuns, policy validate.Policy, now time.Time) *observation {
	// Tekton takes a run up a moment after it was created.
	f := flowOfRun(run)
	o := &observation{runName: run.Name, flow: f, stage: f.stage(tasks), started: run.CreationTimestamp.Time}
	if run.Status.StartTime != nil {
		o.started = run.Status.StartTime.Time
	}
	o.readSource(run, tasks)
	o.readImage(run, f.making(tasks))
	o.readValidation(f.validation(tasks))

	c := run.Status.GetCondition(apis.ConditionSucceeded)
	switch {
	case c == nil || c.IsUnknown():
		o.observeRunning(tasks, now)
		o.cancel = o.finished && run.Spec.Status == ""
	case !allDone(tasks):
		// The caches of PipelineRuns and TaskRuns run apart for a moment: the TaskRun's own event wakes us.
		return o
	case lag(run, tasks, now) > 0:
		o.lookAgain = lag(run, tasks, now)
		return o
	default:
		o.finished = true
		if run.Status.CompletionTime != nil {
			o.completed = run.Status.CompletionTime.Time
		}
		switch {
		case c.IsFalse():
			p := classify(run, tasks)
			o.failure = &p
		case o.image == "":
			o.failure = &problem{reason: v1alpha1.ReasonInternalError, message: fmt.Sprintf("PipelineRun %q succeeded and named no image", run.Name)}
		case len(o.image) > maxReference:
			o.failure = &problem{reason: v1alpha1.ReasonInvalidReference, message: fmt.Sprintf("With its digest the image's reference has more than %d characters: shorten the names of its registry and repository", maxReference)}
		}
	}
	o.addChecksOfTheDead(f.validation(tasks), policy)
	return o
}

// observeRunning looks for an end that is certain before the run's own: a notebook that died will not answer any more.
// The look into the image is waited for, so that its messages are told too.
func (o *observation) observeRunning(tasks taskRuns, now time.Time) {
	task := o.flow.validation(tasks)
	if f := notebookDeath(task); f != nil && stepEnded(task, stepLook) {
		o.completed = lastEnd(task)
		if o.lookAgain = o.completed.Add(deathGrace).Sub(now); o.lookAgain <= 0 {
			o.finished, o.failure, o.lookAgain = true, f, 0
		}
		return
	}
	if at, p := o.flow.stranded(tasks); p != nil {
		o.completed = at
		if o.lookAgain = at.Add(runs.EndGrace).Sub(now); o.lookAgain <= 0 {
			o.finished, o.failure, o.lookAgain = true, p, 0
		}
		return
	}
	o.stuck = stuckMessage(o.flow, tasks)
	// A task's results are told with the next stage, which begins a moment later: one write, not two.
	if o.stage != v1alpha1.StageValidating {
		o.image = ""
	}
	if o.stage == o.flow.first() {
		o.source, o.commit = "", ""
	}
}

// stranded tells when and why a build ended that Tekton takes for one that goes on.
func (f flow) stranded(tasks taskRuns) (time.Time, *problem) {
	task := f.making(tasks)
	step, ok := runs.Stranded(task)
	if !ok || f.imports() {
		return time.Time{}, nil
	}
	p, ok := f.reported(f.nameOf(task, tasks), task)
	if !ok {
		p = problem{reason: v1alpha1.ReasonLimitExceeded, message: runs.CutOffMessage(step)}
	}
	return step.Terminated.FinishedAt.Time, &p
}

// nameOf is a task's name in the pipeline.
func (f flow) nameOf(task *tektonv1.TaskRun, tasks taskRuns) string {
	for _, name := range f.tasks() {
		if tasks[name] == task {
			return name
		}
	}
	return ""
}

// addChecksOfTheDead tells how a notebook ended that did so by itself: in place of the probe's words, which could not
// know, unless these tell more. It does the probe's part when the probe had no end of its own.
func (o *observation) addChecksOfTheDead(task *tektonv1.TaskRun, policy validate.Policy) {
	f := notebookDeath(task)
	if !o.finished || o.failure == nil || f == nil {
		return
	}
	if o.checks == nil {
		o.checks = policy.Inside(o.look, "its look ended without an answer")
	}
	death := validate.Finding{Check: validate.CheckStartup, Severity: validate.SeverityError, Message: f.message}
	others := slices.DeleteFunc(slices.Clone(o.checks), func(c validate.Finding) bool { return c.Check == validate.CheckStartup })
	switch {
	case f.outOfMemory:
		// It comes first: want of memory may be behind the rest.
		o.checks = append([]validate.Finding{death}, others...)
	case !o.gone:
		others = append(others, death)
		o.checks = others
	}
	if verdict := validate.Failure(o.checks); verdict != nil {
		o.failure = &problem{reason: f.reason, message: verdict.Message}
	}
}

func (o *observation) readSource(run *tektonv1.PipelineRun, tasks taskRuns) {
	o.sourceName = paramOf(run, paramBaseImage)
	task := tasks[o.flow.source]
	if task == nil {
		return
	}
	o.source, _ = runs.Result(task, resultImage)
	if commit, _ := runs.Result(task, resultCommit); runs.IsCommit(commit) {
		o.commit = commit
	}
}

// readImage reads the image that the run makes. Steps that are not trusted come before the one that pushes it, and Tekton
// lets them write results, even beside it: so nothing counts before the task has succeeded, and nothing but an image of
// the repository that this run was to push to.
func (o *observation) readImage(run *tektonv1.PipelineRun, task *tektonv1.TaskRun) {
	if task == nil || !o.flow.imports() && !task.IsSuccessful() {
		return
	}
	image, _ := runs.Result(task, resultImage)
	if o.flow.imports() || ofRepository(image, paramOf(run, paramTargetImage)) {
		o.image = image
	}
}

// ofRepository tells whether an image is, by digest, of the repository that a name with a tag is of.
func ofRepository(image, named string) bool {
	repository, digest, _ := strings.Cut(image, "@")
	tag := strings.LastIndexByte(named, ':')
	return tag > strings.LastIndexByte(named, '/') && repository == named[:tag] && digestPattern.MatchString(digest)
}

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (o *observation) readValidation(task *tektonv1.TaskRun) {
	if task == nil {
		return
	}
	if text, ok := runs.Result(task, "look"); ok {
		if look, err := validate.ParseLook([]byte(text)); err == nil {
			o.look = look
		}
	}
	if text, ok := runs.Result(task, "checks"); ok {
		if checks, err := validate.ParseChecks([]byte(text)); err == nil {
			o.checks = checks
		}
	}
	if text, ok := runs.Result(task, "probe"); ok {
		if probe, err := validate.ParseProbe([]byte(text)); err == nil {
			o.gone = probe.Outcome == validate.OutcomeGone
		}
	}
}

func allDone(tasks taskRuns) bool {
	for _, task := range tasks {
		if !task.IsDone() {
			return false
		}
	}
	return true
}

// lag is how long an ended run's TaskRuns that the cache has not shown are waited for. One that somebody has deleted
// never comes.
func lag(run *tektonv1.PipelineRun, tasks taskRuns, now time.Time) time.Duration {
	const longest = 10 * time.Second
	for _, child := range run.Status.ChildReferences {
		if child.Kind == "TaskRun" && tasks[child.PipelineTaskName] == nil && run.Status.CompletionTime != nil {
			return run.Status.CompletionTime.Add(longest).Sub(now)
		}
	}
	return 0
}

// stuckMessage names what keeps a pod from starting, which Tekton tells in the TaskRun's condition and waits out.
func stuckMessage(f flow, tasks taskRuns) string {
	for _, name := range f.tasks() {
		task := tasks[name]
		if task == nil || task.IsDone() {
			continue
		}
		c := task.Status.GetCondition(apis.ConditionSucceeded)
		if c == nil {
			continue
		}
		switch c.Reason {
		case tektonExceededQuota, tektonExceededNodeResources, tektonPullImageFailed, tektonConfigError:
			return oneLine(c.Message)
		}
	}
	return ""
}

// lastEnd is when the last of a TaskRun's containers that have ended did so.
func lastEnd(task *tektonv1.TaskRun) time.Time {
	var last time.Time
	for _, step := range task.Status.Steps {
		if t := step.Terminated; t != nil && t.FinishedAt.After(last) {
			last = t.FinishedAt.Time
		}
	}
	for _, sidecar := range task.Status.Sidecars {
		if t := sidecar.Terminated; t != nil && t.FinishedAt.After(last) {
			last = t.FinishedAt.Time
		}
	}
	return last
}

func stepEnded(task *tektonv1.TaskRun, name string) bool {
	for _, step := range task.Status.Steps {
		if step.Name == name {
			return step.Terminated != nil
		}
	}
	return false
}

func paramOf(run *tektonv1.PipelineRun, name string) string {
	for _, p := range run.Spec.Params {
		if p.Name == name {
			return p.Value.StringVal
		}
	}
	return ""
}
