package api

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// TestDefaults reads what the apiserver makes of objects that say the least.
func TestDefaults(t *testing.T) {
	tests := map[string]struct {
		kind string
		name string
		spec map[string]any
		want map[string]any
	}{
		"CustomNBImage": {
			kind: v1alpha1.CustomNBImageKind,
			name: "least",
			spec: map[string]any{"buildType": "ImageImport", "fromImage": "python"},
			want: map[string]any{
				"spec":   map[string]any{"buildType": "ImageImport", "fromImage": "python"},
				"status": map[string]any{"observedGeneration": int64(-1), "phase": "Pending"},
			},
		},
		"CustomNBImage with a refresh": {
			kind: v1alpha1.CustomNBImageKind,
			name: "refreshed",
			spec: map[string]any{"buildType": "ImportImage", "fromImage": "python", "refresh": map[string]any{}},
			want: map[string]any{
				"spec": map[string]any{
					"buildType": "ImportImage", "fromImage": "python",
					"refresh": map[string]any{"policy": "Never"},
				},
				"status": map[string]any{"observedGeneration": int64(-1), "phase": "Pending"},
			},
		},
		"Meteor": {
			kind: v1alpha1.MeteorKind,
			name: "least",
			spec: map[string]any{"url": "https://github.com/org/repository"},
			want: map[string]any{
				"spec": map[string]any{
					"url":       "https://github.com/org/repository",
					"pipelines": []any{"jupyterhub", "jupyterbook"},
				},
				"status": map[string]any{"observedGeneration": int64(-1), "phase": "Building"},
			},
		},
		"CNBiConfig": {
			kind: v1alpha1.CNBiConfigKind,
			name: v1alpha1.CNBiConfigName,
			want: defaultConfig(),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			obj := sketch{Spec: tc.spec}.object(tc.kind, tc.name)
			if err := k8s.Create(context.Background(), obj, client.FieldValidation("Strict")); err != nil {
				t.Fatal(err)
			}
			removeAtEnd(t, obj)
			got := map[string]any{"spec": obj.Object["spec"], "status": obj.Object["status"]}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("object with its defaults (-want, +got):\n%s", diff)
			}
		})
	}
}

// defaultConfig is the CNBiConfig that nobody has edited.
func defaultConfig() map[string]any {
	return map[string]any{
		"spec": map[string]any{
			"managementState": "Managed",
			"namespaces":      map[string]any{"mode": "OnDemand"},
			"registry":        map[string]any{"insecure": "Never"},
			"validation":      map[string]any{"minimumPython": "3.8", "startupTimeout": "120s"},
			"build":           map[string]any{"timeout": "1h", "concurrency": int64(10), "containerfiles": "Unprivileged", "retries": int64(5)},
			"publish":         map[string]any{"imageStreams": "Auto", "referencePolicy": "Source", "scheduledImport": "Disabled"},
			"retention": map[string]any{
				"successful": map[string]any{"count": int64(1), "age": "168h"},
				"failed":     map[string]any{"count": int64(3), "age": "168h"},
			},
		},
		"status": map[string]any{"observedGeneration": int64(-1)},
	}
}

// TestGoTypesLoseNothing writes full samples, reads them into the Go types and
// writes them back: nothing may change on the way but how durations are spelt.
func TestGoTypesLoseNothing(t *testing.T) {
	files := map[string]client.Object{
		"../../config/samples/cnbiconfig-full.yaml":                      &v1alpha1.CNBiConfig{},
		"../../config/samples/customnbimage-import-refresh.yaml":         &v1alpha1.CustomNBImage{},
		"../../config/samples/customnbimage-git-repository-private.yaml": &v1alpha1.CustomNBImage{},
		"../../config/samples/meteor.yaml":                               &v1alpha1.Meteor{},
	}
	for file, typed := range files {
		t.Run(file, func(t *testing.T) {
			obj := readObjects(t, file)[0]
			if obj.GetKind() != v1alpha1.CNBiConfigKind {
				obj.SetNamespace(newNamespace(t))
			}
			if err := k8s.Create(context.Background(), obj); err != nil {
				t.Fatal(err)
			}
			removeAtEnd(t, obj)
			key := client.ObjectKeyFromObject(obj)
			if err := k8s.Get(context.Background(), key, typed); err != nil {
				t.Fatal(err)
			}
			if err := k8s.Update(context.Background(), typed); err != nil {
				t.Fatal(err)
			}
			after := &unstructured.Unstructured{}
			after.SetGroupVersionKind(obj.GroupVersionKind())
			if err := k8s.Get(context.Background(), key, after); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(normalized(obj.Object["spec"]), normalized(after.Object["spec"])); diff != "" {
				t.Errorf("spec (-before, +after):\n%s", diff)
			}
		})
	}
}

// normalized lets durations compare by their length.
func normalized(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = normalized(item)
		}
		return out
	case string:
		if d, err := time.ParseDuration(v); err == nil {
			return d.String()
		}
	}
	return value
}

func TestFullStatus(t *testing.T) {
	ctx := context.Background()
	image := &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{Name: "full", Namespace: newNamespace(t)},
		Spec:       v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypeImageImport, FromImage: "python"},
	}
	if err := k8s.Create(ctx, image); err != nil {
		t.Fatal(err)
	}
	want := fullStatus()
	want.DeepCopyInto(&image.Status)
	if err := k8s.Status().Update(ctx, image); err != nil {
		t.Fatal(err)
	}
	got := &v1alpha1.CustomNBImage{}
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(image), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Status); diff != "" {
		t.Errorf("status (-written, +read):\n%s", diff)
	}
}

func fullStatus() v1alpha1.CustomNBImageStatus {
	digest := "quay.io/org/image@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	status := v1alpha1.CustomNBImageStatus{
		ObservedGeneration: 1,
		Phase:              v1alpha1.PhaseReady,
		Stage:              v1alpha1.StageValidating,
		Image:              digest,
		SourceImage:        digest,
		ImageStreamTag:     "full:latest",
		GitCommit:          "36a44f7e18e3d04d36a44f7e18e3d04d36a44f7e",
		Software:           []v1alpha1.SoftwareVersion{{Name: "Python", Version: "3.11.2"}, {Name: "JupyterLab"}},
		PackagesTotal:      812,
		Validation: []v1alpha1.ValidationMessage{
			{Check: v1alpha1.CheckHome, Severity: v1alpha1.SeverityWarning, Message: "$HOME has to be set and point to writeable directory"},
		},
		BuildID:         "0123456789",
		PipelineRunName: "full-0123456789",
		Retries:         2,
		NextRetryTime:   &now,
		LastRefreshTime: &now,
		LastRebuild:     "again",
		Builds: []v1alpha1.BuildRecord{{
			ID: "0123456789", Cause: v1alpha1.CauseRetry, Result: v1alpha1.BuildSucceeded, Reason: v1alpha1.ReasonSucceeded,
			Image: digest, PipelineRunName: "full-0123456789", StartTime: &now, CompletionTime: &now,
		}},
		Pipelines: []v1alpha1.PipelineStatus{{Name: "cnbi-import", PipelineRunName: "full-0123456789", Ready: "True", URL: "https://example.com"}},
	}
	for _, condition := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionPipelinesInstalled, v1alpha1.ConditionImageBuilt,
		v1alpha1.ConditionImageValidated, v1alpha1.ConditionImagePublished,
	} {
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded,
			Message: "Image is ready", ObservedGeneration: 1, LastTransitionTime: now,
		})
	}
	for range 500 {
		status.Packages = append(status.Packages, v1alpha1.SoftwareVersion{Name: "package", Version: "1.0"})
	}
	return status
}
