//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// privateImage is a test image in the registry that asks for a password.
func privateImage() string { return on.Local.PrivateRegistry + "/images/jupyter:1" }

// pullSecret is one that opens the private registry with the right password, or does not.
func (u *user) pullSecret(name, password string) *corev1.Secret {
	u.t.Helper()
	type login struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	config, err := json.Marshal(map[string]any{"auths": map[string]login{on.Local.PrivateRegistry: {on.Local.PrivateUser, password}}})
	must(u.t, err)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: config},
	}
}

// privateRegistry is refused without a secret and with a wrong one, and does as it is told with the right one.
func privateRegistry(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("private", privateImage()))
	obj := u.untilDone("private")
	says(t, obj, v1alpha1.PhaseFailed, v1alpha1.ReasonImagePullUnauthorized, privateImage(), "spec.imagePullSecret")
	neverOffered(t, u, "private")

	u.create(u.pullSecret("wrong", "guessed"), u.pullSecret("right", on.Local.PrivatePassword))
	u.edit("private", func(obj *v1alpha1.CustomNBImage) {
		obj.Spec.ImagePullSecret = &v1alpha1.LocalSecretReference{Name: "wrong"}
	})
	says(t, u.untilDone("private"), v1alpha1.PhaseFailed, v1alpha1.ReasonImagePullUnauthorized, `"wrong"`)

	u.edit("private", func(obj *v1alpha1.CustomNBImage) { obj.Spec.ImagePullSecret.Name = "right" })
	obj = u.untilReady("private")
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	if len(obj.Status.Builds) != 3 {
		t.Errorf("want three builds, got %v", obj.Status.Builds)
	}
}

// secretComesLater waits for a secret that is named before it is there.
func secretComesLater(t *testing.T) {
	u := newUser(t)
	obj := u.imports("early", privateImage())
	obj.Spec.ImagePullSecret = &v1alpha1.LocalSecretReference{Name: "later"}
	u.create(obj)
	says(t, u.untilReason("early", v1alpha1.ReasonSecretMissing), v1alpha1.PhasePending, v1alpha1.ReasonSecretMissing, `"later"`, u.namespace)
	if made := u.runs.made(ofObject[*pipelineRun]("early")); len(made) != 0 {
		t.Errorf("a run was started without the secret: %v", made)
	}
	u.create(u.pullSecret("later", on.Local.PrivatePassword))
	says(t, u.untilDone("early"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
}
