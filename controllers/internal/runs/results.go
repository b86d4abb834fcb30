package runs

import (
	"encoding/json"
	"regexp"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
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
	for _, step := range task.Status.Steps {
		if step.Terminated != nil && step.Terminated.ExitCode != 0 {
			return step
		}
	}
	return tektonv1.StepState{}
}
