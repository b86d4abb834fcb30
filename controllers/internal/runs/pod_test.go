package runs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func TestPodTemplate(t *testing.T) {
	want := func(user, group *int64, secrets ...string) *pod.PodTemplate {
		p := &pod.PodTemplate{
			AutomountServiceAccountToken: ptr.To(false),
			EnableServiceLinks:           ptr.To(false),
			NodeSelector:                 map[string]string{"pool": "builds"},
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: user, RunAsGroup: group,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
		}
		for _, name := range secrets {
			p.ImagePullSecrets = append(p.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
		}
		return p
	}
	cases := map[string]struct {
		reason    string
		openShift bool
		secrets   []string
		want      *pod.PodTemplate
	}{
		"Kubernetes": {reason: "a random user of group 0", want: want(ptr.To(RandomUser("uid")), ptr.To[int64](0))},
		"OpenShift":  {reason: "the platform chooses the user", openShift: true, want: want(nil, nil)},
		"Secrets":    {reason: "an empty name is no Secret", openShift: true, secrets: []string{"", "a", "b"}, want: want(nil, nil, "a", "b")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := PodTemplate("uid", &v1alpha1.BuildSpec{NodeSelector: map[string]string{"pool": "builds"}}, tc.openShift, tc.secrets...)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRandomUser(t *testing.T) {
	a, b := RandomUser("a"), RandomUser("b")
	if a == b || a != RandomUser("a") {
		t.Errorf("of one object always the same, of two not: %d, %d", a, b)
	}
	for _, user := range []int64{a, b} {
		if user < 1_000_000_000 || user >= 1_001_000_000 {
			t.Errorf("%d is outside the range", user)
		}
	}
}
