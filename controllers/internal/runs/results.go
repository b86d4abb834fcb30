package runs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"knative.dev/pkg/apis"
)

var commitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// IsCommit tells whether a text looks like a commit's name, by SHA-1 or SHA-256.
func IsCommit(text string) bool { return commitPattern.MatchString(text) }

// Result finds a result of a TaskRun. Tekton fills in status.results when the TaskRun has ended; until then, and for good
// in a cancelled one, the steps' last words have them.
func Result(task *tektonv1.TaskRun, name string) (string, bool) {
	for _, result := range task.Status.Results {
		if result.Name == name {
			return result.Value.StringVal, true
		}
	}
	value, found := "", false
	for _, step := range task.Status.Steps {
		if v, ok := ResultOfStep(step, name); ok {
			value, found = v, true
		}
	}
	return value, found
}

// ResultOfStep finds a result in a step's last words.
func ResultOfStep(step tektonv1.StepState, name string) (string, bool) {
	if step.Terminated == nil {
		return "", false
	}
	var results []struct{ Key, Value string }
	if json.Unmarshal([]byte(step.Terminated.Message), &results) != nil {
		return "", false
	}
	value, found := "", false
	for _, result := range results {
		if result.Key == name {
			value, found = result.Value, true
		}
	}
	return value, found
}

// FailedStep is the first step that failed; those behind it were skipped.
func FailedStep(task *tektonv1.TaskRun) tektonv1.StepState {
	if i := failedStep(task); i >= 0 {
		return task.Status.Steps[i]
	}
	return tektonv1.StepState{}
}

func failedStep(task *tektonv1.TaskRun) int {
	// continued is what Tekton says of a step that may fail, in a package that is not part of its API.
	const continued = "Continued"
	return slices.IndexFunc(task.Status.Steps, func(step tektonv1.StepState) bool {
		return step.Terminated != nil && step.Terminated.ExitCode != 0 && step.TerminationReason != continued
	})
}

// EndGrace is how long Tekton may take to end the steps behind one that failed.
const EndGrace = 15 * time.Second

// Stranded is a step that has ended badly without letting the next one know, which then waits for ever, or waited until
// somebody cancelled it: Tekton's own program shares the pod's processes and memory with the step, and dies when there
// are none left. Within EndGrace of the step's end it may only look so.
func Stranded(task *tektonv1.TaskRun) (tektonv1.StepState, bool) {
	if task == nil || task.Status.GetCondition(apis.ConditionSucceeded).GetReason() == tektonv1.TaskRunReasonToBeRetried.String() {
		return tektonv1.StepState{}, false
	}
	i, steps := failedStep(task), task.Status.Steps
	if i < 0 || i+1 == len(steps) || cancelled(steps[i]) {
		return tektonv1.StepState{}, false
	}
	step, next := steps[i], steps[i+1]
	if cancelled(next) {
		return step, next.Terminated.FinishedAt.Sub(step.Terminated.FinishedAt.Time) >= EndGrace
	}
	return step, next.Terminated == nil && !task.IsDone()
}

func cancelled(step tektonv1.StepState) bool {
	return step.Terminated != nil && step.Terminated.Reason == tektonv1.TaskRunReasonCancelled.String()
}

// CutOffMessage tells of a stranded step that could not say itself why it ended.
func CutOffMessage(step tektonv1.StepState) string {
	return fmt.Sprintf("Step %s of the build was cut off, as happens when a build starts more processes than its pod may have", step.Name)
}
