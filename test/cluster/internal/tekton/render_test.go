package tekton

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestRender(t *testing.T) {
	opts := Options{Version: "v1.2.3", Images: map[string]string{"controller": "r/controller@sha256:1", "nop": "r/nop@sha256:2"}, Shell: "r/shell"}
	cases := map[string]struct {
		reason    string
		manifests string
		want      string
	}{
		"ImagesAndShell": {
			reason: "References to programs are replaced, and so is the shell's image, whatever it was.",
			manifests: `
kind: Deployment
spec: {template: {spec: {containers: [{image: "ko://github.com/tektoncd/pipeline/cmd/controller",
  args: [-nop-image, "ko://github.com/tektoncd/pipeline/cmd/nop", -shell-image, example.com/x, -shell-image-win, example.com/y]}]}}}`,
			want: `
- kind: Deployment
  spec: {template: {spec: {containers: [{image: "r/controller@sha256:1",
    args: [-nop-image, "r/nop@sha256:2", -shell-image, r/shell, -shell-image-win, r/shell]}]}}}`,
		},
		"StartsQuickly": {
			reason: "No CPU limit, a probe every second, no tini, no autoscaler.",
			manifests: `
kind: HorizontalPodAutoscaler
---
kind: Deployment
spec: {template: {spec: {containers: [{command: [/sbin/tini, --, /x], resources: {limits: {cpu: 1, memory: 1Gi}},
  readinessProbe: {periodSeconds: 10, initialDelaySeconds: 5}}]}}}
---
`,
			want: `
- kind: Deployment
  spec: {template: {spec: {containers: [{command: [/x], resources: {limits: {memory: 1Gi}},
    readinessProbe: {periodSeconds: 1, initialDelaySeconds: 0, failureThreshold: 60}}]}}}`,
		},
		"Flags": {
			reason: "Tekton sets security contexts, and the version is named.",
			manifests: `
{kind: ConfigMap, metadata: {name: feature-flags, namespace: tekton-pipelines}, data: {set-security-context: "false"}}
---
{kind: ConfigMap, metadata: {name: pipelines-info, labels: {version: devel}}}`,
			want: `
- {kind: ConfigMap, metadata: {name: feature-flags, namespace: tekton-pipelines}, data: {set-security-context: "true"}}
- {kind: ConfigMap, metadata: {name: pipelines-info, labels: {version: v1.2.3}}}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			list, err := Render([]byte(tc.manifests), opts)
			if err != nil {
				t.Fatalf("%s\n%v", tc.reason, err)
			}
			var got []any
			for _, item := range list.Items {
				got = append(got, item.Object)
			}
			if diff := cmp.Diff(plain(t, mustYAML(t, tc.want)), plain(t, got)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRenderUnknownImage(t *testing.T) {
	_, err := Render([]byte(`{kind: Pod, x: "ko://github.com/tektoncd/pipeline/cmd/new"}`), Options{})
	if err == nil || !strings.Contains(err.Error(), "cmd/new") {
		t.Errorf("a program that was not built must be named, got: %v", err)
	}
}

func mustYAML(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// plain makes numbers comparable.
func plain(t *testing.T, v any) any {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return mustYAML(t, string(text))
}
