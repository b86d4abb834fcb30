//go:build e2e

package e2e

import (
	"testing"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// containerfiles are built where the namespace lets buildah have what it needs.
func containerfiles(t *testing.T) {
	u := newUserUnder(t, "baseline")
	u.create(u.gitSecret("right", on.Local.GitPassword))
	hostile := u.repository("hostile", "public/hostile-containerfile", "")
	hostile.Spec.GitSecret = &v1alpha1.LocalSecretReference{Name: "right"}
	u.create(hostile)
	for _, name := range []string{"containerfile", "dockerfile", "containerfile-fails"} {
		obj := u.repository(name, "public/"+name, "")
		obj.Spec.BuilderImage = ""
		u.create(obj)
	}
	says(t, u.untilDone("containerfile-fails"), v1alpha1.PhaseFailed, v1alpha1.ReasonBuildFailed, "Containerfile", "this step fails on purpose")
	neverOffered(t, u, "containerfile-fails")
	for name, small := range map[string]string{"containerfile": "2.0", "dockerfile": ""} {
		obj := u.untilReady(name)
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		wantVersions(t, obj, map[string]string{"meteor-small": small})
		if want := commit(t, "public/"+name, "main"); obj.Status.GitCommit != want {
			t.Errorf("%s: want commit %s, got %q", name, want, obj.Status.GitCommit)
		}
	}
	obj := u.untilDone("hostile")
	// It may do with its own image what it likes: here, it is the one that does not start.
	says(t, obj, v1alpha1.PhaseFailed, v1alpha1.ReasonValidationFailed)
	neverOffered(t, u, obj.Name)
	u.wantMarker()
	u.leaksNowhere(obj, secretForms(on.Local.GitUser, on.Local.GitPassword)...)
	wantSoundNode(t)
}

// containerfileRefused is in a namespace that enforces more than buildah can do with.
func containerfileRefused(t *testing.T) {
	u := newUser(t)
	obj := u.repository("refused", "public/containerfile", "")
	obj.Spec.BuilderImage = ""
	u.create(obj)
	obj = u.untilReason("refused", v1alpha1.ReasonPodSecurityViolation)
	says(t, obj, obj.Status.Phase, v1alpha1.ReasonPodSecurityViolation, "Containerfile", "an admin", "enforce: baseline", "docs/containerfiles.md")
}
