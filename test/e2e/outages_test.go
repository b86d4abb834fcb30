//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// outage stops a program of the local cluster until the returned function is called, at the latest when the case ends.
func outage(t *testing.T, program string) (over func()) {
	t.Helper()
	down := true
	over = func() {
		if down {
			must(t, on.LocalCommand(contextAfter(), "start", program))
			down = false
		}
	}
	t.Cleanup(over)
	must(t, on.LocalCommand(t.Context(), "stop", program))
	return over
}

// indexAndGitDown has both away for a while. What needs one of them waits, and goes on by itself.
func indexAndGitDown(t *testing.T) {
	u := newUser(t)
	indexOver, gitOver := outage(t, "index"), outage(t, "git")
	u.create(u.packages("packages", "meteor-small"), u.repository("notebooks", "public/notebooks", ""))
	for name, reason := range map[string]string{
		"packages": v1alpha1.ReasonPackageIndexUnavailable, "notebooks": v1alpha1.ReasonGitUnreachable,
	} {
		says(t, u.untilRetried(name, reason), v1alpha1.PhaseBuilding, reason, "attempt", "of 6 follows", ".local")
		if u.get(name).Status.Image != "" {
			t.Errorf("%s has an image", name)
		}
	}
	indexOver()
	gitOver()
	for _, name := range []string{"packages", "notebooks"} {
		obj := u.untilReady(name)
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		u.onlyRun(obj)
		if len(obj.Status.Builds) != 1 || obj.Status.Retries < 1 {
			t.Errorf("%s: want one build that was tried again, got %d retries and %v", name, obj.Status.Retries, obj.Status.Builds)
		}
	}
}

// pushInterrupted takes the registry away as soon as there is a large layer to push.
func pushInterrupted(t *testing.T) {
	u := newUser(t)
	u.create(u.packages("interrupted", "pandas"))
	await(t, on.Client, "the packages are installed", func(l *tektonv1.TaskRunList) bool {
		for i := range l.Items {
			for _, step := range l.Items[i].Status.Steps {
				if step.Name == "install" && step.Terminated != nil {
					return true
				}
			}
		}
		return false
	}, func() string { return describe(u.get("interrupted")) }, labelled(u.namespace, "interrupted")...)
	over := outage(t, "registry")
	obj := u.untilRetried("interrupted", v1alpha1.ReasonRegistryUnavailable)
	says(t, obj, v1alpha1.PhaseBuilding, v1alpha1.ReasonRegistryUnavailable, "of 6 follows", "registry.local")
	over()
	obj = u.untilReady("interrupted")
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	if len(obj.Status.Builds) != 1 {
		t.Errorf("want one build, got %v", obj.Status.Builds)
	}
	u.onlyRun(obj)
}

// Names of what the admin makes in the operator's namespace.
const (
	adminsPush  = "e2e-push"
	adminsIndex = "e2e-index"
)

// credentials has the admin set up a registry and an index that ask for passwords: first wrong ones, then the right ones.
func credentials(t *testing.T) {
	u := newUser(t)
	setSecret(t, pushSecret(t, "guessed"))
	setSecret(t, indexSecret("guessed"))
	changeConfig(t, func(spec *v1alpha1.CNBiConfigSpec) {
		spec.Registry.Repository = on.Local.PrivateRegistry + "/built/{namespace}/{name}"
		spec.Registry.PushSecret = &v1alpha1.SharedSecretReference{Name: adminsPush, Source: v1alpha1.SecretFromOperator}
		spec.PackageIndex = v1alpha1.PackageIndexSpec{
			URL:         on.Local.PrivateIndex,
			Credentials: &v1alpha1.SharedSecretReference{Name: adminsIndex, Source: v1alpha1.SecretFromOperator},
		}
	})
	u.create(u.packages("private", "meteor-private"))
	says(t, u.untilRetried("private", v1alpha1.ReasonPackageIndexUnavailable), v1alpha1.PhaseBuilding, v1alpha1.ReasonPackageIndexUnavailable, "packages.local:5443", "refuses the credentials")
	setSecret(t, indexSecret(on.Local.IndexPassword))
	says(t, u.untilRetried("private", v1alpha1.ReasonRegistryPushUnauthorized), v1alpha1.PhaseBuilding, v1alpha1.ReasonRegistryPushUnauthorized,
		on.Local.PrivateRegistry, "of 6 follows")
	setSecret(t, pushSecret(t, on.Local.PrivatePassword))
	obj := u.untilReady("private")
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	wantVersions(t, obj, map[string]string{"meteor-private": "1.0"})
	if !strings.HasPrefix(obj.Status.Image, on.Local.PrivateRegistry+"/") || len(obj.Status.Builds) != 1 {
		t.Errorf("want one build, pushed to the private registry: %q, %v", obj.Status.Image, obj.Status.Builds)
	}
	u.create(u.packages("hostile", "meteor-private", "meteor-hostile"))
	wantHostileRefused(t, u, u.untilDone("hostile"))
	u.create(u.packages("thief", "meteor-private", "meteor-thief"))
	thief := u.untilReady("thief")
	says(t, thief, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	secrets := append(secretForms(on.Local.PrivateUser, on.Local.PrivatePassword), secretForms(on.Local.IndexUser, on.Local.IndexPassword)...)
	for _, image := range []*v1alpha1.CustomNBImage{obj, thief} {
		u.nothingLeaks(image, fetchImage(t, image.Status.SourceImage), secrets...)
	}
	if lock := fetch(t, obj).artifact(typeLock); !strings.Contains(lock, "meteor-private==1.0") || strings.Contains(lock, "127.0.0.1") || strings.Contains(lock, on.Local.IndexUser) {
		t.Errorf("want the private package in the lock, and no credentials or addresses of the build's own:\n%s", lock)
	}
}

// changeConfig changes the CNBiConfig for the time of a case.
func changeConfig(t *testing.T, change func(*v1alpha1.CNBiConfigSpec)) {
	t.Helper()
	var before v1alpha1.CNBiConfigSpec
	editConfig(t, func(spec *v1alpha1.CNBiConfigSpec) {
		spec.DeepCopyInto(&before)
		change(spec)
	})
	t.Cleanup(func() {
		must(t, patchConfig(contextAfter(), func(spec *v1alpha1.CNBiConfigSpec) { *spec = before }))
	})
}

// editConfig changes the CNBiConfig once more, in a case that has changed it.
func editConfig(t *testing.T, change func(*v1alpha1.CNBiConfigSpec)) {
	t.Helper()
	must(t, patchConfig(t.Context(), change))
}

func patchConfig(ctx context.Context, change func(*v1alpha1.CNBiConfigSpec)) error {
	config := &v1alpha1.CNBiConfig{}
	if err := on.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.CNBiConfigName}, config); err != nil {
		return err
	}
	before := config.DeepCopy()
	change(&config.Spec)
	return on.Client.Patch(ctx, config, client.MergeFrom(before))
}

// setSecret makes a Secret of the admin's, or changes it. It goes when the case ends.
func setSecret(t *testing.T, secret *corev1.Secret) {
	t.Helper()
	now := &corev1.Secret{}
	err := on.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), now)
	if err == nil {
		before := now.DeepCopy()
		now.Data = secret.Data
		must(t, on.Client.Patch(t.Context(), now, client.MergeFrom(before)))
		return
	}
	must(t, client.IgnoreNotFound(err))
	must(t, on.Client.Create(t.Context(), secret))
	t.Cleanup(func() { _ = on.Client.Delete(contextAfter(), secret) })
}

func pushSecret(t *testing.T, password string) *corev1.Secret {
	t.Helper()
	return (&user{t: t, namespace: operator.Namespace}).pullSecret(adminsPush, password)
}

func indexSecret(password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: adminsIndex, Namespace: operator.Namespace},
		Type:       corev1.SecretTypeBasicAuth,
		Data: map[string][]byte{
			corev1.BasicAuthUsernameKey: []byte(on.Local.IndexUser), corev1.BasicAuthPasswordKey: []byte(password),
		},
	}
}
