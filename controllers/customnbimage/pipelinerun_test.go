package customnbimage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func TestTaskRunSpecs(t *testing.T) {
	own := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
	others := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}}
	notebook := func(r corev1.ResourceRequirements) []tektonv1.TaskRunSidecarSpec {
		return []tektonv1.TaskRunSidecarSpec{{Name: "notebook", ComputeResources: r}}
	}
	cases := map[string]struct {
		reason string
		own    *corev1.ResourceRequirements
		build  v1alpha1.BuildSpec
		want   tektonv1.PipelineTaskRunSpec
	}{
		"Default": {
			reason: "the image never runs as the account that may push",
			want:   tektonv1.PipelineTaskRunSpec{PipelineTaskName: "validate", ServiceAccountName: "meteor-validate"},
		},
		"Account": {
			reason: "the admin's account is for every pod",
			build:  v1alpha1.BuildSpec{ServiceAccount: "builder"},
			want:   tektonv1.PipelineTaskRunSpec{PipelineTaskName: "validate", ServiceAccountName: "builder"},
		},
		"Resources": {
			reason: "the object's resources go before the admin's",
			own:    &own, build: v1alpha1.BuildSpec{Resources: &others},
			want: tektonv1.PipelineTaskRunSpec{PipelineTaskName: "validate", ServiceAccountName: "meteor-validate", SidecarSpecs: notebook(own)},
		},
		"DefaultResources": {
			reason: "the admin's are for objects that do not say",
			build:  v1alpha1.BuildSpec{Resources: &others},
			want:   tektonv1.PipelineTaskRunSpec{PipelineTaskName: "validate", ServiceAccountName: "meteor-validate", SidecarSpecs: notebook(others)},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newObject()
			obj.Spec.Resources = tc.own
			got := taskRunSpecs(obj, &v1alpha1.CNBiConfigSpec{Build: tc.build})
			if diff := cmp.Diff([]tektonv1.PipelineTaskRunSpec{tc.want}, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
