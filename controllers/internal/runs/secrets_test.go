package runs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

func TestCheckSecrets(t *testing.T) {
	there := Secret{Name: "there", NamedBy: "spec.gitSecret names"}
	missing := Secret{Name: "missing", NamedBy: "spec.registry.pushSecret asks for"}
	const message = `Secret "missing", which spec.registry.pushSecret asks for, does not exist in namespace "team": create it, and the build starts by itself`
	wait := func(after time.Duration) *outcome.Waiting {
		return &outcome.Waiting{Reason: v1alpha1.ReasonSecretMissing, Message: message, After: after}
	}
	cases := map[string]struct {
		reason  string
		secrets []Secret
		waited  time.Duration
		want    *outcome.Waiting
	}{
		"None":    {reason: "an empty name asks for nothing", secrets: []Secret{{NamedBy: "spec.gitSecret names"}}},
		"There":   {reason: "what is there is not waited for", secrets: []Secret{there}},
		"Missing": {reason: "a young object is looked at soon", secrets: []Secret{there, missing}, waited: time.Second, want: wait(2 * time.Second)},
		"Later":   {reason: "an older one less often", secrets: []Secret{missing}, waited: 40 * time.Second, want: wait(10 * time.Second)},
		"Late":    {reason: "but never seldom", secrets: []Secret{missing}, waited: time.Hour, want: wait(30 * time.Second)},
	}
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).
		WithObjects(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "there"}}).Build()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := &v1alpha1.Meteor{ObjectMeta: metav1.ObjectMeta{Namespace: "team", CreationTimestamp: metav1.NewTime(now.Add(-tc.waited))}}
			err := CheckSecrets(t.Context(), c, obj, now, tc.secrets...)
			got, ok := outcome.AsWait(err)
			if err != nil && !ok {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSecretNames(t *testing.T) {
	const copied = "copy"
	for want, got := range map[string]string{
		"mine":   SecretName(&v1alpha1.LocalSecretReference{Name: "mine"}),
		"theirs": SharedSecret(&v1alpha1.SharedSecretReference{Name: "theirs"}, copied),
		copied:   SharedSecret(&v1alpha1.SharedSecretReference{Name: "theirs", Source: v1alpha1.SecretFromOperator}, copied),
	} {
		if got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
	if got := SecretName(nil) + SharedSecret(nil, copied); got != "" {
		t.Errorf("none is named: got %q", got)
	}
}
