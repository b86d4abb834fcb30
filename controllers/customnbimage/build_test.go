package customnbimage

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func TestNewBuild(t *testing.T) {
	first := newBuild(newObject())
	ended := func(result v1alpha1.BuildResult) *v1alpha1.CustomNBImage {
		obj := newObject()
		obj.Status.BuildID, obj.Status.ObservedGeneration = first.id, 1
		obj.Status.Builds = []v1alpha1.BuildRecord{{ID: first.id, Cause: v1alpha1.CauseCreated, Result: result}}
		return obj
	}
	cases := map[string]struct {
		reason string
		obj    *v1alpha1.CustomNBImage
		edit   func(*v1alpha1.CustomNBImage)
		same   bool
		want   v1alpha1.BuildCause
	}{
		"Unchanged": {
			reason: "nothing new, no new build", obj: ended(v1alpha1.BuildSucceeded), same: true, want: v1alpha1.CauseCreated,
			edit: func(*v1alpha1.CustomNBImage) {},
		},
		"OlderSpelling": {
			reason: "the older name of the same build type builds nothing again", obj: ended(v1alpha1.BuildSucceeded), same: true, want: v1alpha1.CauseCreated,
			edit: func(o *v1alpha1.CustomNBImage) { o.Spec.BuildType, o.Generation = v1alpha1.BuildTypeImportImage, 2 },
		},
		"TimeoutOfGoodImage": {
			reason: "what only says how to build is no reason to build a good image again", obj: ended(v1alpha1.BuildSucceeded), same: true, want: v1alpha1.CauseCreated,
			edit: func(o *v1alpha1.CustomNBImage) {
				o.Spec.Timeout, o.Generation = &metav1.Duration{Duration: time.Hour}, 2
			},
		},
		"EditAfterFailure": {
			reason: "who edits a failed object wants it tried again", obj: ended(v1alpha1.BuildFailed), want: v1alpha1.CauseSpecChanged,
			edit: func(o *v1alpha1.CustomNBImage) {
				o.Spec.Timeout, o.Generation = &metav1.Duration{Duration: time.Hour}, 2
			},
		},
		"OtherImage": {
			reason: "another image is another build", obj: ended(v1alpha1.BuildSucceeded), want: v1alpha1.CauseSpecChanged,
			edit: func(o *v1alpha1.CustomNBImage) { o.Spec.FromImage, o.Generation = "other:1", 2 },
		},
		"BackAgain": {
			reason: "what was asked for before an edit is built anew: its old run is not what comes of it", want: v1alpha1.CauseSpecChanged,
			obj: func() *v1alpha1.CustomNBImage {
				o := ended(v1alpha1.BuildCancelled)
				o.Status.BuildID = "another"
				o.Status.Builds = append([]v1alpha1.BuildRecord{{ID: "another"}}, o.Status.Builds...)
				return o
			}(),
			edit: func(o *v1alpha1.CustomNBImage) { o.Generation = 3 },
		},
		"Rebuild": {
			reason: "a new value of the annotation is a new build", obj: ended(v1alpha1.BuildSucceeded), want: v1alpha1.CauseRebuild,
			edit: func(o *v1alpha1.CustomNBImage) { o.Annotations = map[string]string{v1alpha1.AnnotationRebuild: "now"} },
		},
		"Recreated": {
			reason: "an object of the same name is another object", obj: newObject(), want: v1alpha1.CauseCreated,
			edit: func(o *v1alpha1.CustomNBImage) { o.UID = "another" },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.edit(tc.obj)
			got := newBuild(tc.obj)
			if (got.id == first.id) != tc.same || got.cause != tc.want {
				t.Errorf("\n%s\nwant same=%v, cause %s; first %q, got %q, %s", tc.reason, tc.same, tc.want, first.id, got.id, got.cause)
			}
		})
	}
}
