package meteor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"knative.dev/pkg/apis"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/internal/book"
	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// The names of the pipeline jupyterbook's tasks, steps and results that are told apart here.
const (
	taskBook    = "book"
	taskFind    = "find"
	stepPrepare = "prepare"
	stepBuild   = "build"

	resultFailure = "failure"
	resultCommit  = "commit"
	resultImage   = "image"
	resultBook    = "book"
	resultURL     = "url"
)

// taskRuns are the TaskRuns of one run by their names in the pipeline.
type taskRuns = map[string]*tektonv1.TaskRun

// observation is what a run tells.
type observation struct {
	runName            string
	started, completed time.Time
	finished           bool
	// failure is why it failed; nil when it runs or succeeded.
	failure *problem
	// lookAgain is when the cache may show more.
	lookAgain time.Duration
	// cancel is true for a run that has failed already, only waits for its time-out, and was not ended by anybody yet.
	cancel bool
	// commit, image and book are what the pipeline jupyterbook tells, and url any other.
	commit, image, url string
	book               book.Report
}

// problem is why a run failed, as the conditions tell it.
type problem struct {
	// reason is one of the API's.
	reason  string
	message string
}

// transient tells whether another try may help without anybody doing anything.
func (p *problem) transient() bool { return v1alpha1.TurnOf(p.reason) == v1alpha1.TurnPlatform }

// observe reads a run.
func observe(pipeline string, run *tektonv1.PipelineRun, tasks taskRuns, now time.Time) *observation {
	o := &observation{runName: run.Name, started: run.CreationTimestamp.Time}
	if run.Status.StartTime != nil {
		o.started = run.Status.StartTime.Time
	}
	c := run.Status.GetCondition(apis.ConditionSucceeded)
	if c == nil || c.IsUnknown() {
		if pipeline == v1alpha1.PipelineJupyterBook {
			o.observeRunning(tasks[taskBook], now)
			o.cancel = o.finished && run.Spec.Status == ""
		}
		return o
	}
	if o.completed = now; run.Status.CompletionTime != nil {
		o.completed = run.Status.CompletionTime.Time
	}
	if left := lag(run, tasks, now); left > 0 {
		o.lookAgain = min(left, staleAfter)
		return o
	}
	o.finished = true
	if pipeline != v1alpha1.PipelineJupyterBook {
		o.readForeign(run, c)
		return o
	}
	o.readBook(tasks[taskBook])
	switch {
	case c.IsFalse():
		p := classify(c, tasks[taskBook])
		o.failure = &p
	case o.image == "":
		o.failure = &problem{v1alpha1.ReasonInternalError, fmt.Sprintf("PipelineRun %q succeeded and does not tell the image that it made", run.Name)}
	}
	return o
}

// observeRunning looks for an end that is certain before the run's own.
func (o *observation) observeRunning(task *tektonv1.TaskRun, now time.Time) {
	step, ok := runs.Stranded(task)
	if !ok {
		return
	}
	o.completed = step.Terminated.FinishedAt.Time
	if o.lookAgain = o.completed.Add(runs.EndGrace).Sub(now); o.lookAgain > 0 {
		return
	}
	p := classifyCutOff(step)
	o.readBook(task)
	o.finished, o.failure, o.lookAgain = true, &p, 0
}

// lag is how long an ended run's TaskRuns that the cache does not show as ended are waited for.
func lag(run *tektonv1.PipelineRun, tasks taskRuns, now time.Time) time.Duration {
	const longest = 10 * time.Second
	for _, child := range run.Status.ChildReferences {
		task := tasks[child.PipelineTaskName]
		if child.Kind == "TaskRun" && (task == nil || !task.IsDone()) && run.Status.CompletionTime != nil {
			return run.Status.CompletionTime.Add(longest).Sub(now)
		}
	}
	return 0
}

// readBook reads what the task left. Its middle step is not trusted: so of the first it is its own last words that count,
// and it is the last one's success that makes the image its word.
func (o *observation) readBook(task *tektonv1.TaskRun) {
	if task == nil {
		return
	}
	for _, step := range task.Status.Steps {
		if commit, _ := runs.ResultOfStep(step, resultCommit); step.Name == stepPrepare && runs.IsCommit(commit) {
			o.commit = commit
		}
	}
	if !task.IsSuccessful() {
		return
	}
	o.image, _ = runs.Result(task, resultImage)
	said, _ := runs.Result(task, resultBook)
	if report, err := book.ParseReport([]byte(said)); err == nil {
		o.book = *report
	}
}

// readForeign reads the run of somebody else's Pipeline.
func (o *observation) readForeign(run *tektonv1.PipelineRun, c *apis.Condition) {
	for _, result := range run.Status.Results {
		if result.Name == resultURL {
			o.url = webAddress(result.Value.StringVal)
		}
	}
	if c.IsTrue() {
		return
	}
	message := sentence(c.Message)
	o.failure = &problem{v1alpha1.ReasonPipelineFailed, fmt.Sprintf("PipelineRun %q failed: %s", run.Name, message)}
	switch tektonv1.PipelineRunReason(c.Reason) {
	case tektonv1.PipelineRunReasonCouldntGetPipeline:
		o.failure = &problem{v1alpha1.ReasonPipelineNotFound, message}
	case tektonv1.PipelineRunReasonTimedOut, tektonv1.PipelineRunReasonTimedOutRunningFinally:
		o.failure.reason = v1alpha1.ReasonBuildTimeout
	case tektonv1.PipelineRunReasonCancelled, tektonv1.PipelineRunReasonCancelledRunningFinally, tektonv1.PipelineRunReasonStoppedRunningFinally:
		o.failure.reason = v1alpha1.ReasonBuildCancelled
	default:
		// What else there is in Tekton's words, a person has to read there.
	}
}

// webAddress is a text that is the URL of something on the web, as it is sent there, or nothing. A password in it is no
// more for everybody to read than a character that is not what it seems.
func webAddress(text string) string {
	const limit = 2048
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	odd := strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
	if err != nil || odd || len(text) > limit || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return text
}

// classify turns the end of a failed run of the pipeline jupyterbook into what the user is told. The most specific
// witness is asked first: what a step wrote, then what happened to the containers, then Tekton's own words.
func classify(c *apis.Condition, task *tektonv1.TaskRun) problem {
	if task == nil || !task.Status.GetCondition(apis.ConditionSucceeded).IsFalse() {
		return classifyReason(c)
	}
	if step, ok := runs.Stranded(task); ok {
		return classifyCutOff(step)
	}
	if p, ok := classifyStep(runs.FailedStep(task)); ok {
		return p
	}
	return classifyReason(task.Status.GetCondition(apis.ConditionSucceeded))
}

func classifyCutOff(step tektonv1.StepState) problem {
	if p, ok := classifyStep(step); ok {
		return p
	}
	return problem{v1alpha1.ReasonLimitExceeded, runs.CutOffMessage(step)}
}

// classifyStep goes by what a step that failed wrote, and by what happened to its container.
func classifyStep(step tektonv1.StepState) (problem, bool) {
	said, _ := runs.ResultOfStep(step, resultFailure)
	if f, err := failure.Parse([]byte(said)); err == nil && (step.Name != stepBuild || slices.Contains(knownToBuild, f.Reason)) {
		return problem{string(f.Reason), sentence(f.Message)}, true
	}
	if t := step.Terminated; t != nil && (t.Reason == "OOMKilled" || strings.Contains(t.Message, "OOMKilled")) {
		return problem{v1alpha1.ReasonLimitExceeded, fmt.Sprintf("The build ran out of memory in step %s: an admin gives it more in spec.build.resources of CNBiConfig %q", step.Name, v1alpha1.CNBiConfigName)}, true
	}
	return problem{}, false
}

// knownToBuild are the reasons that the step may give which runs what is not trusted.
var knownToBuild = []failure.Reason{failure.BookNotFound, failure.BuildFailed, failure.UnsupportedFile, failure.ImageInvalid}

// classifyReason goes by Tekton's words alone.
func classifyReason(c *apis.Condition) problem {
	message := conditions.Message(c.Message)
	switch c.Reason {
	case "PipelineRunTimeout", "TaskRunTimeout":
		return problem{v1alpha1.ReasonBuildTimeout, "The build took longer than spec.build.timeout of the CNBiConfig allows: " + message}
	case "Cancelled", "CancelledRunningFinally", "StoppedRunningFinally", "TaskRunCancelled":
		if strings.Contains(message, "timeout") || strings.Contains(message, "timed out") {
			return problem{v1alpha1.ReasonBuildTimeout, "The build took longer than spec.build.timeout of the CNBiConfig allows: " + message}
		}
		return problem{v1alpha1.ReasonBuildCancelled, "Somebody cancelled the build"}
	case "PodAdmissionFailed", "PodCreationFailed":
		return classifyAdmission(message)
	case "TaskRunImagePullFailed", "PullImageFailed":
		return problem{v1alpha1.ReasonRegistryUnavailable, "The node cannot pull an image of the build: " + message}
	case "TaskRunPodEvicted", "PodEvicted":
		if strings.Contains(message, "ephemeral") || strings.Contains(message, "emptyDir") {
			return problem{v1alpha1.ReasonLimitExceeded, "The build wrote more than its ephemeral storage allows: " + message}
		}
		return problem{v1alpha1.ReasonNodeLost, "The build's pod was evicted: " + message}
	}
	if strings.Contains(message, "not found") || strings.Contains(message, "deleted") {
		return problem{v1alpha1.ReasonNodeLost, "The build's pod was lost: " + message}
	}
	return problem{v1alpha1.ReasonInternalError, fmt.Sprintf("Tekton ended the build with %s: %s", c.Reason, message)}
}

func classifyAdmission(message string) problem {
	switch {
	case strings.Contains(message, "violates PodSecurity"):
		return problem{v1alpha1.ReasonPodSecurityViolation, `The namespace enforces a Pod Security Standard that Tekton's own containers do not meet: set "set-security-context" to "true" in ConfigMap "feature-flags" of Tekton's namespace: ` + message}
	case strings.Contains(message, "exceeded quota"):
		return problem{v1alpha1.ReasonQuotaExceeded, "The namespace's quota leaves no room for the build: " + message}
	default:
		return problem{v1alpha1.ReasonInternalError, "The build's pod was refused: " + message}
	}
}
