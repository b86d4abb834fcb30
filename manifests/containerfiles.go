package manifests

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

const (
	containerfileTask = "meteor-build-containerfile"
	containerfileStep = "build"
	// privileged is the value of Options.Containerfiles that has Containerfiles built in privileged containers.
	privileged = "Privileged"
)

// privilege makes the step that builds a Containerfile a privileged one. An API server takes no privileged container
// that says besides what it must not have.
func privilege(obj *unstructured.Unstructured) {
	if obj.GetKind() != "Task" || obj.GetName() != containerfileTask {
		return
	}
	spec, _ := obj.Object["spec"].(map[string]any)
	steps, _ := spec["steps"].([]any)
	for _, step := range steps {
		if m, _ := step.(map[string]any); m["name"] == containerfileStep {
			m["securityContext"] = map[string]any{
				"privileged": true, "runAsUser": int64(0), "runAsGroup": int64(0), "runAsNonRoot": false,
			}
		}
	}
}
