package customnbimage

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// Reasons of a TaskRun's Succeeded condition that Tekton sets from its pod package, which is not part of its API.
const (
	tektonPodAdmissionFailed    = "PodAdmissionFailed"
	tektonExceededQuota         = "ExceededResourceQuota"
	tektonExceededNodeResources = "ExceededNodeResources"
	tektonPullImageFailed       = "PullImageFailed"
	tektonConfigError           = "CreateContainerConfigError"
)

const restrictedHint = `The namespace enforces a Pod Security Standard that Tekton's own containers do not meet: ` +
	`set "set-security-context" to "true" in ConfigMap "feature-flags" of Tekton's namespace`

const containerfileHint = `The repository has a Containerfile, and the namespace does not allow the pod that builds it: an admin ` +
	`labels the namespace pod-security.kubernetes.io/enforce: baseline or grants the pod's account as much (docs/containerfiles.md), ` +
	`or remove the Containerfile`

// problem is why a run failed, as the conditions tell it.
type problem struct {
	// reason is one of the API's.
	reason  string
	message string
	// outOfMemory is true when a container was ended for want of memory.
	outOfMemory bool
}

// transient tells whether another try may help without anybody doing anything.
func (p *problem) transient() bool { return v1alpha1.TurnOf(p.reason) == v1alpha1.TurnPlatform }

// classify turns the end of a failed run into what the user is told. The most specific witness is asked first: what a
// trusted step wrote, then what happened to the containers, then Tekton's own words.
func classify(run *tektonv1.PipelineRun, tasks taskRuns) problem {
	f := flowOfRun(run)
	if death := notebookDeath(f.validation(tasks)); death != nil {
		return *death
	}
	for _, name := range f.tasks() {
		task := tasks[name]
		if task == nil || !task.Status.GetCondition(apis.ConditionSucceeded).IsFalse() {
			continue
		}
		p := f.classifyTask(name, task)
		if p.reason == v1alpha1.ReasonImagePullUnauthorized && !hasParam(run, paramPullSecret) {
			p.message += ": name one in spec.imagePullSecret"
		}
		return p
	}
	return classifyRun(run.Status.GetCondition(apis.ConditionSucceeded))
}

func hasParam(run *tektonv1.PipelineRun, name string) bool {
	return slices.ContainsFunc(run.Spec.Params, func(p tektonv1.Param) bool { return p.Name == name })
}

// classifyRun is for runs that ended without a failed TaskRun to ask.
func classifyRun(c *apis.Condition) problem {
	message := oneLine(c.Message)
	switch tektonv1.PipelineRunReason(c.Reason) {
	case tektonv1.PipelineRunReasonTimedOut, tektonv1.PipelineRunReasonTimedOutRunningFinally:
		return problem{reason: v1alpha1.ReasonBuildTimeout, message: "The build took longer than spec.timeout allows: " + message}
	case tektonv1.PipelineRunReasonCancelled, tektonv1.PipelineRunReasonCancelledRunningFinally, tektonv1.PipelineRunReasonStoppedRunningFinally:
		return problem{reason: v1alpha1.ReasonBuildCancelled, message: cancelledMessage}
	case tektonv1.PipelineRunReasonCouldntGetPipeline, tektonv1.PipelineRunReasonCouldntGetTask, tektonv1.PipelineRunReasonCreateRunFailed:
		return problem{reason: v1alpha1.ReasonInternalError, message: "Tekton could not start the build: " + message}
	default:
		return problem{reason: v1alpha1.ReasonInternalError, message: fmt.Sprintf("Tekton ended the build with %s: %s", c.Reason, message)}
	}
}

func (f flow) classifyTask(name string, task *tektonv1.TaskRun) problem {
	c := task.Status.GetCondition(apis.ConditionSucceeded)
	message := oneLine(c.Message)
	if f.builds(name) {
		// A step that is ended from outside knows only that it was.
		if c.Reason == tektonv1.TaskRunReasonPodEvicted.String() {
			return f.classifyEviction(name, message)
		}
		if p, ok := f.classifySteps(name, task); ok {
			return p
		}
	}
	if p, ok := f.reported(name, task); ok {
		return p
	}
	switch c.Reason {
	case tektonv1.TaskRunReasonTimedOut.String():
		return problem{reason: v1alpha1.ReasonBuildTimeout, message: "The build took longer than spec.timeout allows: " + message}
	case tektonv1.TaskRunReasonCancelled.String():
		if step, ok := runs.Stranded(task); ok && f.builds(name) {
			return problem{reason: v1alpha1.ReasonLimitExceeded, message: runs.CutOffMessage(step)}
		}
		return classifyCancelled(c)
	case tektonv1.TaskRunReasonImagePullFailed.String(), tektonPullImageFailed:
		return classifyPull(message)
	case tektonPodAdmissionFailed, tektonv1.TaskRunReasonPodCreationFailed.String():
		return classifyAdmission(name, message)
	case tektonv1.TaskRunReasonPodEvicted.String():
		return f.classifyEviction(name, message)
	case tektonv1.TaskRunReasonResultLargerThanAllowedLimit.String():
		return problem{reason: v1alpha1.ReasonBuildFailed, message: "What the build left as its results is larger than Tekton allows"}
	}
	if p, ok := f.classifySteps(name, task); ok {
		return p
	}
	if strings.Contains(message, "not found") || strings.Contains(message, "deleted") {
		return problem{reason: v1alpha1.ReasonNodeLost, message: fmt.Sprintf("The pod of TaskRun %q was lost: %s", task.Name, message)}
	}
	return problem{reason: v1alpha1.ReasonInternalError, message: fmt.Sprintf("TaskRun %q ended with %s: %s", task.Name, c.Reason, message)}
}

// classifySteps tells from how a step's container ended what the step could not tell itself.
func (f flow) classifySteps(name string, task *tektonv1.TaskRun) (problem, bool) {
	for _, step := range task.Status.Steps {
		switch t := step.Terminated; {
		case t == nil:
		case outOfMemory(t) && f.runs(name):
			return problem{reason: v1alpha1.ReasonValidationFailed, message: fmt.Sprintf("The image ran out of memory in step %s: give it more in spec.resources.limits.memory", step.Name)}, true
		case outOfMemory(t):
			return problem{reason: v1alpha1.ReasonLimitExceeded, message: fmt.Sprintf("The build ran out of memory in step %s: give it more in spec.resources.limits.memory", step.Name)}, true
		case step.Name == stepLook && t.ExitCode != 0:
			return problem{reason: v1alpha1.ReasonValidationFailed, message: fmt.Sprintf("The image could not be looked into from inside: exit code %d", t.ExitCode)}, true
		}
	}
	return problem{}, false
}

// reported is the failure that a step wrote, as far as it is to be believed.
func (f flow) reported(name string, task *tektonv1.TaskRun) (problem, bool) {
	text, credible := "", func(failure.Reason) bool { return true }
	switch {
	case f.runs(name):
		// Here an untrusted step can write results too, so nothing but the validation's own verdict counts.
		text, _ = runs.Result(task, resultFailure)
		credible = func(r failure.Reason) bool { return r == failure.ValidationFailed }
	case name == f.source:
		text, _ = runs.Result(task, resultFailure)
	default:
		// So they can here: what counts is the last words of the step that failed, and of one that runs what users
		// want installed only what such a step can know.
		step := runs.FailedStep(task)
		text, _ = runs.ResultOfStep(step, resultFailure)
		if step.Name != stepPrepare && step.Name != stepPush {
			credible = func(r failure.Reason) bool { return slices.Contains(knownToInstallers, r) }
		}
	}
	said, err := failure.Parse([]byte(text))
	if err != nil || !credible(said.Reason) {
		return problem{}, false
	}
	return problem{reason: string(said.Reason), message: sentence(said.Message)}, true
}

// knownToInstallers are the reasons that a step may give which runs what is not trusted.
var knownToInstallers = []failure.Reason{
	failure.PackageNotFound, failure.PackageConflict, failure.PackageBuildFailed, failure.PackageIndexUnavailable,
	failure.UnsupportedFile, failure.ImageInvalid, failure.BuildFailed,
}

func classifyCancelled(c *apis.Condition) problem {
	if strings.Contains(c.Message, "timeout") || strings.Contains(c.Message, "timed out") {
		return problem{reason: v1alpha1.ReasonBuildTimeout, message: "The build took longer than spec.timeout allows"}
	}
	return problem{reason: v1alpha1.ReasonBuildCancelled, message: cancelledMessage}
}

// classifyPull tells from the kubelet's words whose turn it is.
func classifyPull(message string) problem {
	lower := strings.ToLower(message)
	for _, hint := range []string{"unauthorized", "401", "403", "forbidden", "denied", "authentication required", "no basic auth"} {
		if strings.Contains(lower, hint) {
			return problem{reason: v1alpha1.ReasonImagePullUnauthorized, message: "The node may not pull the image: " + message}
		}
	}
	if strings.Contains(lower, "manifest unknown") || strings.Contains(lower, "not found") {
		return problem{reason: v1alpha1.ReasonImageNotFound, message: "The node does not find the image: " + message}
	}
	return problem{reason: v1alpha1.ReasonRegistryUnavailable, message: "The node cannot pull the image: " + message}
}

func classifyAdmission(name, message string) problem {
	violates := strings.Contains(message, "violates PodSecurity") || strings.Contains(message, "security context constraint")
	switch {
	case violates && name == taskBuildContainerfile:
		return problem{reason: v1alpha1.ReasonPodSecurityViolation, message: containerfileHint + ": " + message}
	case violates:
		return problem{reason: v1alpha1.ReasonPodSecurityViolation, message: restrictedHint + ": " + message}
	case strings.Contains(message, "exceeded quota"):
		return problem{reason: v1alpha1.ReasonQuotaExceeded, message: "The namespace's quota leaves no room for the build: " + message}
	default:
		return problem{reason: v1alpha1.ReasonInternalError, message: "The build's pod was refused: " + message}
	}
}

func (f flow) classifyEviction(name, message string) problem {
	lower := strings.ToLower(message)
	full := strings.Contains(lower, "ephemeral") || strings.Contains(lower, "emptydir")
	if full && f.runs(name) {
		return problem{reason: v1alpha1.ReasonValidationFailed, message: "The image wrote more than its ephemeral storage allows: " + message}
	}
	if full {
		return problem{reason: v1alpha1.ReasonLimitExceeded, message: "The build wrote more than its ephemeral storage allows, see spec.resources: " + message}
	}
	return problem{reason: v1alpha1.ReasonNodeLost, message: "The build's pod was evicted: " + message}
}

// notebookDeath is what a notebook container that ended before its time says. Tekton ends sidecars itself once all steps
// are done, so only an end before the probe's counts.
func notebookDeath(task *tektonv1.TaskRun) *problem {
	if task == nil || task.Status.GetCondition(apis.ConditionSucceeded).IsTrue() {
		return nil
	}
	for _, sidecar := range task.Status.Sidecars {
		t := sidecar.Terminated
		if sidecar.Name != sidecarNotebook || t == nil || probePassed(task) {
			continue
		}
		if outOfMemory(t) {
			return &problem{
				reason: v1alpha1.ReasonValidationFailed, outOfMemory: true,
				message: "The notebook ran out of memory: give it more in spec.resources.limits.memory",
			}
		}
		if t.Reason == "StartError" || t.Reason == "ContainerCannotRun" {
			return &problem{reason: v1alpha1.ReasonValidationFailed, message: "The notebook cannot be started: " + oneLine(t.Message)}
		}
		return &problem{reason: v1alpha1.ReasonValidationFailed, message: fmt.Sprintf("The notebook, run as a random user of group 0, ended by itself with exit code %d", t.ExitCode)}
	}
	return nil
}

func probePassed(task *tektonv1.TaskRun) bool {
	for _, step := range task.Status.Steps {
		if step.Name == stepProbe && step.Terminated != nil && step.Terminated.ExitCode == 0 {
			return true
		}
	}
	return false
}

func outOfMemory(t *corev1.ContainerStateTerminated) bool { return t.Reason == "OOMKilled" }

// sentence makes another's words a message in the style of ours: capital first, no period.
func sentence(s string) string {
	s = strings.TrimRight(strings.TrimSpace(s), ".")
	word, _, _ := strings.Cut(s, " ")
	if strings.ContainsFunc(strings.TrimRight(word, ",:;"), func(r rune) bool { return !unicode.IsLower(r) }) {
		return s // a name, which is to stay as it is, such as postBuild or x==1
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// oneLine folds white space and bounds the length, so that a message fits a condition and a terminal.
func oneLine(s string) string {
	const limit = 512
	s = strings.TrimRight(strings.Join(strings.Fields(s), " "), ".")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
