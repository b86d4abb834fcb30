package customnbimage

import (
	"errors"
	"fmt"
	"strings"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// Bounds of what is in the status, as the API has them.
const (
	maxSoftware   = 64
	maxPackages   = 500
	maxValidation = 32
	maxBuilds     = 5
	maxReference  = 512
)

// setResult puts what the build has come to into the status: everything but the conditions and the phase. Pure.
func setResult(s *scope) {
	if s.settled || s.seen == nil {
		return
	}
	st, seen := &s.obj.Status, s.seen
	st.BuildID, st.PipelineRunName = s.build.id, seen.runName
	st.Retries = s.build.attempt - 1
	st.NextRetryTime = nil
	st.LastRebuild = rebuildAsked(s.obj)
	record := recordOf(s)
	st.Stage, st.Validation = "", nil
	pipeline := v1alpha1.PipelineStatus{Name: seen.flow.pipeline, PipelineRunName: seen.runName}
	switch {
	case !seen.finished:
		st.Stage = seen.stage
	case s.mayRetry():
		due := metav1.NewTime(seen.completed.Add(runs.RetryDelay(s.build.attempt)))
		st.NextRetryTime = &due
	case seen.failure == nil:
		setImage(s)
		record.Result, record.Reason, record.Image = v1alpha1.BuildSucceeded, v1alpha1.ReasonSucceeded, seen.image
		pipeline.Ready = string(metav1.ConditionTrue)
	default:
		st.Validation = validationOf(seen.checks)
		record.Result, record.Reason = v1alpha1.BuildFailed, s.end().reason
		if seen.failure.reason == v1alpha1.ReasonBuildCancelled {
			record.Result = v1alpha1.BuildCancelled
		}
		pipeline.Ready = string(metav1.ConditionFalse)
	}
	if record.Result != "" {
		closeRecord(record, metav1.NewTime(seen.completed))
	}
	st.Pipelines = []v1alpha1.PipelineStatus{pipeline}
}

// recordOf finds or begins the record of the current build.
func recordOf(s *scope) *v1alpha1.BuildRecord {
	st := &s.obj.Status
	if len(st.Builds) == 0 || st.Builds[0].ID != s.build.id {
		started := metav1.NewTime(s.seen.started)
		closeOvertaken(st.Builds, started)
		if s.build.cause == v1alpha1.CauseRefresh {
			st.LastRefreshTime = &started
		}
		first := v1alpha1.BuildRecord{ID: s.build.id, Cause: s.build.cause, StartTime: &started}
		st.Builds = append([]v1alpha1.BuildRecord{first}, st.Builds...)
		st.Builds = st.Builds[:min(len(st.Builds), maxBuilds)]
	}
	record := &st.Builds[0]
	record.PipelineRunName = s.seen.runName
	if s.seen.source != "" || s.seen.commit != "" {
		record.SourceImage, record.GitCommit = sourceImage(s.seen), s.seen.commit
	}
	return record
}

// closeRecord notes the end of a build.
func closeRecord(record *v1alpha1.BuildRecord, at metav1.Time) {
	record.CompletionTime = &at
	if record.StartTime != nil {
		record.Duration = &metav1.Duration{Duration: max(0, at.Sub(record.StartTime.Time)).Truncate(time.Second)}
	}
}

// sourceImage is what was imported or built on, by the name that it was asked for by and its digest.
func sourceImage(seen *observation) string {
	name, _, _ := strings.Cut(seen.sourceName, "@")
	if name == "" || seen.source == "" {
		return seen.source
	}
	if image := name + "@" + digestOf(seen.source); len(image) <= maxReference {
		return image
	}
	return seen.source
}

// digestOf is the digest of a reference that has one.
func digestOf(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}

// closeOvertaken ends the record of a build that another has overtaken.
func closeOvertaken(builds []v1alpha1.BuildRecord, at metav1.Time) {
	if len(builds) > 0 && builds[0].Result == "" {
		builds[0].Result, builds[0].Reason = v1alpha1.BuildCancelled, v1alpha1.ReasonBuildCancelled
		closeRecord(&builds[0], at)
	}
}

func setImage(s *scope) {
	st, seen := &s.obj.Status, s.seen
	st.Image, st.SourceImage, st.GitCommit = seen.image, sourceImage(seen), seen.commit
	st.Validation = validationOf(seen.checks)
	st.Software, st.Packages, st.PackagesTotal = nil, nil, 0
	if seen.look == nil {
		return
	}
	st.Software = versions(seen.look.Software, maxSoftware)
	if packages, err := validate.UnpackPackages(seen.look.Packages); err == nil {
		st.Packages = versions(packages, maxPackages)
	}
	st.PackagesTotal = int32(seen.look.PackagesTotal) //nolint:gosec // bounded by ParseLook
}

func versions(list []validate.Package, limit int) []v1alpha1.SoftwareVersion {
	var out []v1alpha1.SoftwareVersion
	for _, software := range list[:min(len(list), limit)] {
		out = append(out, v1alpha1.SoftwareVersion{Name: software.Name, Version: software.Version})
	}
	return out
}

func validationOf(checks []validate.Finding) []v1alpha1.ValidationMessage {
	var out []v1alpha1.ValidationMessage
	for _, check := range checks[:min(len(checks), maxValidation)] {
		out = append(out, v1alpha1.ValidationMessage{
			Check:    v1alpha1.ValidationCheck(check.Check),
			Severity: v1alpha1.ValidationSeverity(check.Severity),
			Message:  conditions.Message(check.Message),
		})
	}
	return out
}

// streamFactsOf takes what the ImageStream shows from the status, so that a later pass over a settled object comes to
// the same.
func streamFactsOf(s *scope) streamFacts {
	st, config := &s.obj.Status, &s.config.Publish
	facts := streamFacts{
		phase:           streamPhase(s),
		checks:          st.Validation,
		problem:         problemMessage(s),
		referencePolicy: imagev1.SourceTagReferencePolicy,
	}
	if config.ReferencePolicy == v1alpha1.ReferenceLocal {
		facts.referencePolicy = imagev1.LocalTagReferencePolicy
	}
	if st.Image != "" {
		facts.offer = &offer{tag: tagName(st), image: st.Image, source: importedFrom(st), commit: st.GitCommit, software: st.Software, packages: st.Packages}
	}
	return facts
}

// importedFrom is the name of an image that was imported as it is, by which it differs from one that was built on it.
func importedFrom(st *v1alpha1.CustomNBImageStatus) string {
	source, digest, _ := strings.Cut(st.SourceImage, "@")
	if digest != digestOf(st.Image) {
		return ""
	}
	return source
}

// tagName is the name of the stream's only tag.
func tagName(st *v1alpha1.CustomNBImageStatus) string { return tagOf(importedFrom(st)) }

func streamPhase(s *scope) string {
	record := newestRecord(s.obj)
	switch {
	case record != nil && record.Result == v1alpha1.BuildSucceeded:
		return "Succeeded"
	case record != nil && record.Result != "":
		return "Failed"
	case s.obj.Status.Stage == v1alpha1.StageValidating:
		return "Validating"
	default:
		return "Importing"
	}
}

// end is how a failed build is told. A failure of the platform's has been tried again as often as it may be.
func (s *scope) end() problem {
	f := *s.seen.failure
	if !f.transient() || s.mayRetry() {
		return f
	}
	return problem{
		reason:  v1alpha1.ReasonRetriesExhausted,
		message: fmt.Sprintf("%s: %s; given up after %d attempts: edit the object to try again", f.reason, f.message, s.build.attempt),
	}
}

// mayRetry tells whether another attempt follows the one that was seen.
func (s *scope) mayRetry() bool {
	seen := s.seen
	return seen.finished && seen.failure != nil && seen.failure.transient() && s.build.attempt < runs.MaxAttempts(&s.config.Build)
}

// problemMessage is why the newest build failed.
func problemMessage(s *scope) string {
	if s.seen != nil && s.seen.failure != nil {
		return conditions.Message(s.end().message)
	}
	if s.settled && failed(s.obj) {
		if c := meta.FindStatusCondition(s.obj.Status.Conditions, v1alpha1.ConditionImageBuilt); c != nil && c.Status == metav1.ConditionFalse {
			return c.Message
		}
		if c := meta.FindStatusCondition(s.obj.Status.Conditions, v1alpha1.ConditionImageValidated); c != nil && c.Status == metav1.ConditionFalse {
			return c.Message
		}
	}
	return ""
}

// setStatus sets every condition and the phase from the facts of the pass. Pure.
func setStatus(s *scope, clk clock.PassiveClock) {
	if s.quiet {
		return
	}
	obj := s.obj
	if !s.settled && s.seen == nil {
		obj.Status.Stage, obj.Status.NextRetryTime = "", nil
	}
	set := conditions.On(&obj.Status.Conditions, obj.Generation, clk)
	setSummary(s, set)
	if !s.settled {
		setInstalled(s, set)
		setBuilt(s, set)
		setValidated(s, set)
	}
	setPublished(s, set)
	obj.Status.Phase = phaseOf(s)
	if obj.Status.Phase == v1alpha1.PhaseReady || obj.Status.Phase == v1alpha1.PhaseFailed {
		obj.Status.ObservedGeneration = obj.Generation
	}
}

func setSummary(s *scope, set conditions.Set) {
	if stall, ok := outcome.AsStall(s.err); ok {
		set.Stalled(stall.Reason, stall.Error())
		return
	}
	wait, ok := outcome.AsWait(s.err)
	switch {
	case ok && wait.Reason == v1alpha1.ReasonSuspended:
		set.NotReady(wait.Reason, wait.Message)
	case ok:
		set.Reconciling(wait.Reason, wait.Message)
	case s.err != nil:
		set.Reconciling(v1alpha1.ReasonProgressingWithRetry, sentence(s.err.Error()))
	default:
		set.Ready(v1alpha1.ReasonSucceeded, readyMessage(s))
	}
}

func readyMessage(s *scope) string {
	warnings := len(s.obj.Status.Validation)
	if warnings == 0 {
		return "The image has started as a notebook and is offered"
	}
	return fmt.Sprintf("The image has started as a notebook and is offered, with %d warnings in status.validation", warnings)
}

func setInstalled(s *scope, set conditions.Set) {
	if s.installed || s.seen != nil {
		set.True(v1alpha1.ConditionPipelinesInstalled, v1alpha1.ReasonSucceeded, "The namespace has the pipelines")
		return
	}
	if wait, ok := outcome.AsWait(s.err); ok {
		switch wait.Reason {
		case v1alpha1.ReasonTektonUnavailable, v1alpha1.ReasonWaitingForPipelines, v1alpha1.ReasonUnmanaged, v1alpha1.ReasonNamespaceExcluded:
			set.False(v1alpha1.ConditionPipelinesInstalled, wait.Reason, wait.Message)
		}
	}
}

func setBuilt(s *scope, set conditions.Set) {
	kind := v1alpha1.ConditionImageBuilt
	switch seen := s.seen; {
	case seen == nil:
		set.Unknown(kind, v1alpha1.ReasonPreparing, "The build has not started")
	case seen.image != "":
		set.True(kind, v1alpha1.ReasonSucceeded, "The image is "+seen.image)
	case seen.failure != nil:
		set.False(kind, s.end().reason, s.end().message)
	default:
		set.Unknown(kind, string(seen.stage), progressMessage(s))
	}
}

func setValidated(s *scope, set conditions.Set) {
	kind := v1alpha1.ConditionImageValidated
	switch seen := s.seen; {
	case seen == nil || seen.image == "":
		set.Unknown(kind, v1alpha1.ReasonPreparing, "There is no image to validate yet")
	case !seen.finished:
		set.Unknown(kind, v1alpha1.ReasonValidating, progressMessage(s))
	case seen.failure != nil:
		set.False(kind, s.end().reason, s.end().message)
	default:
		set.True(kind, v1alpha1.ReasonSucceeded, "The image started as a notebook and passed all checks that are errors")
	}
}

func setPublished(s *scope, set conditions.Set) {
	kind, st := v1alpha1.ConditionImagePublished, &s.obj.Status
	switch {
	case s.unanswered && s.unpublished == nil && meta.FindStatusCondition(s.obj.Status.Conditions, kind) != nil:
		// What is told stands.
	case s.unpublished != nil:
		st.ImageStreamTag = ""
		set.False(kind, reasonOf(s.unpublished), s.unpublished.Error())
	case st.Image == "":
		st.ImageStreamTag = ""
		reason := v1alpha1.ReasonPreparing
		if stall, ok := outcome.AsStall(s.err); ok {
			reason = stall.Reason
		}
		set.False(kind, reason, "No image has passed yet")
	case s.streams:
		st.ImageStreamTag = s.obj.Name + ":" + tagName(st)
		set.True(kind, v1alpha1.ReasonSucceeded, fmt.Sprintf("ImageStreamTag %q offers %s", st.ImageStreamTag, st.Image))
	case !s.wantsStream():
		st.ImageStreamTag = ""
		set.True(kind, v1alpha1.ReasonPublishingDisabled, "CNBiConfig wants no ImageStreams: use the reference in status.image")
	default:
		st.ImageStreamTag = ""
		set.True(kind, v1alpha1.ReasonNotPublished, "The cluster has no ImageStreams: use the reference in status.image")
	}
}

func reasonOf(err error) string {
	if stall, ok := outcome.AsStall(err); ok {
		return stall.Reason
	}
	wait, _ := outcome.AsWait(err)
	return wait.Reason
}

// phaseOf follows from the conditions, and from whether there is a build to tell about.
func phaseOf(s *scope) v1alpha1.CustomNBImagePhase {
	conds := s.obj.Status.Conditions
	switch {
	case meta.IsStatusConditionTrue(conds, v1alpha1.ConditionReady):
		return v1alpha1.PhaseReady
	case meta.IsStatusConditionTrue(conds, v1alpha1.ConditionStalled):
		return v1alpha1.PhaseFailed
	case s.seen != nil, s.settled:
		return v1alpha1.PhaseBuilding
	default:
		return v1alpha1.PhasePending
	}
}

// settledOutcome repeats the end that the status tells already.
func settledOutcome(s *scope) error {
	if !failed(s.obj) {
		return nil
	}
	return outcome.Stall(newestRecord(s.obj).Reason, errors.New(problemMessage(s)))
}

// progressMessage says where a running build is.
func progressMessage(s *scope) string {
	spec, what := &s.obj.Spec, ""
	switch s.seen.stage {
	case v1alpha1.StageImporting:
		what = "looking for " + string(spec.FromImage)
	case v1alpha1.StagePreparing:
		what = "looking for " + s.seen.sourceName
		if spec.BuildType == v1alpha1.BuildTypeGitRepository {
			what = "fetching " + spec.RepositoryAddress()
		}
	case v1alpha1.StageResolving:
		what = "finding the versions of all packages"
	case v1alpha1.StageBuilding:
		what = "installing, and pushing the image"
	case v1alpha1.StageValidating:
		what = "waiting for the notebook to answer"
	}
	if s.seen.stuck != "" {
		what = s.seen.stuck
	}
	return fmt.Sprintf("%s: %s", s.seen.stage, what)
}
