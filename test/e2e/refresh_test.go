//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// minute is the shortest time that a build can be given.
func minute() *metav1.Duration { return &metav1.Duration{Duration: time.Minute} }

// rebuilt is built again on demand, once for each wish, and to the same digest; then it is edited into what fails.
func rebuilt(t *testing.T) {
	u := newUser(t)
	u.create(u.packages("again", "meteor-small<2"))
	first := u.untilReady("again")
	ask := func(value string) {
		u.edit("again", func(obj *v1alpha1.CustomNBImage) {
			metav1.SetMetaDataAnnotation(&obj.ObjectMeta, v1alpha1.AnnotationRebuild, value)
		})
	}
	ask("one")
	second := u.until("again", "was built again", func(obj *v1alpha1.CustomNBImage) bool {
		return len(obj.Status.Builds) == 2 && obj.Status.Builds[0].Result != ""
	})
	says(t, second, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	if build := second.Status.Builds[0]; build.Cause != v1alpha1.CauseRebuild || second.Status.LastRebuild != "one" || build.Duration == nil || build.Image != second.Status.Image {
		t.Errorf("want a build with its cause, its duration and its image: %+v, last wish %q", build, second.Status.LastRebuild)
	}
	if digest(second.Status.Image) != digest(first.Status.Image) {
		t.Errorf("want the same image from the same inputs: %s and %s", first.Status.Image, second.Status.Image)
	}
	ask("one")
	u.edit("again", func(obj *v1alpha1.CustomNBImage) {
		obj.Spec.PackageVersions = []string{"meteor-small<2", "meteor-of-nobody"}
	})
	failed := u.untilDone("again")
	says(t, failed, v1alpha1.PhaseFailed, v1alpha1.ReasonPackageNotFound, "meteor-of-nobody")
	if failed.Status.Image != second.Status.Image {
		t.Errorf("want the image that was good last to stay: %q", failed.Status.Image)
	}
	want := []v1alpha1.BuildResult{v1alpha1.BuildFailed, v1alpha1.BuildSucceeded, v1alpha1.BuildSucceeded}
	if got := results(failed); !slices.Equal(got, want) {
		t.Errorf("want the history of three builds, got %v", got)
	}
	if made := u.runs.made(ofObject[*pipelineRun]("again")); len(made) != 3 {
		t.Errorf("want three runs, got %v", made)
	}
	wantOfferedSinceFirst(t, u)
	wantTagPackages(t, u, failed)
}

// wantOfferedSinceFirst checks that from the first good image on there was always one to choose.
func wantOfferedSinceFirst(t *testing.T, u *user) {
	t.Helper()
	if u.streams == nil {
		return
	}
	events, _ := u.streams.seen()
	first := slices.IndexFunc(events, func(e event[*imagev1.ImageStream]) bool { return offered(e.obj) })
	if first < 0 || slices.ContainsFunc(events[first:], func(e event[*imagev1.ImageStream]) bool {
		return !offered(e.obj) || len(e.obj.Spec.Tags) != 1
	}) {
		t.Error("the image that was good last was not offered all the time")
	}
}

// editedWhileBuilding changes the list when the first one is being installed.
func editedWhileBuilding(t *testing.T) {
	u := newUser(t)
	u.create(u.packages("edited", "meteor-small<2"))
	first := u.untilBuilds("edited")
	u.edit("edited", func(obj *v1alpha1.CustomNBImage) { obj.Spec.PackageVersions = []string{"meteor-small>=2"} })
	obj := u.untilReady("edited")
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	wantVersions(t, obj, map[string]string{"meteor-small": "2.0"})
	if got := results(obj); !slices.Equal(got, []v1alpha1.BuildResult{v1alpha1.BuildSucceeded, v1alpha1.BuildCancelled}) {
		t.Errorf("want a build that was cancelled and one that succeeded, got %v", got)
	}
	if obj.Status.BuildID == first.Status.BuildID || obj.Status.Builds[0].Cause != v1alpha1.CauseSpecChanged {
		t.Errorf("want another build because of the edit: %+v", obj.Status.Builds)
	}
	if made := u.runs.made(ofObject[*pipelineRun]("edited")); len(made) != 2 {
		t.Errorf("want two runs, got %v", made)
	}
	u.onlyRun(obj)
}

// cancelled ends while it builds, and begins again on demand.
func cancelled(t *testing.T) {
	u := newUser(t)
	u.create(u.packages("unwanted", "meteor-small"))
	u.untilBuilds("unwanted")
	u.edit("unwanted", func(obj *v1alpha1.CustomNBImage) {
		metav1.SetMetaDataAnnotation(&obj.ObjectMeta, v1alpha1.AnnotationCancel, "stop")
	})
	obj := u.untilDone("unwanted")
	says(t, obj, v1alpha1.PhaseFailed, v1alpha1.ReasonBuildCancelled, v1alpha1.AnnotationRebuild)
	if got := results(obj); !slices.Equal(got, []v1alpha1.BuildResult{v1alpha1.BuildCancelled}) || obj.Status.LastCancel != "stop" {
		t.Errorf("want one build that was cancelled: %v, last wish %q", got, obj.Status.LastCancel)
	}
	neverOffered(t, u, "unwanted")
	u.edit("unwanted", func(obj *v1alpha1.CustomNBImage) {
		metav1.SetMetaDataAnnotation(&obj.ObjectMeta, v1alpha1.AnnotationRebuild, "after all")
	})
	obj = u.until("unwanted", "is ready", func(obj *v1alpha1.CustomNBImage) bool { return obj.Status.Phase == v1alpha1.PhaseReady })
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
}
