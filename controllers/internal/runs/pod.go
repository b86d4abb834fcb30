package runs

import (
	"hash/fnv"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// UntrustedServiceAccount may do nothing: what its pods see, what users bring sees.
const UntrustedServiceAccount = "meteor-validate"

// PodTemplate is that of the pods of an object's builds: no token of the service account, no user but a random one of
// group 0, as on OpenShift. There the platform chooses the user, and refuses any that is named here. The kubelet pulls
// with the Secrets of the given names, of which empty ones count for nothing.
func PodTemplate(owner types.UID, config *v1alpha1.BuildSpec, openShift bool, pullSecrets ...string) *pod.PodTemplate {
	security := &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if !openShift {
		security.RunAsUser, security.RunAsGroup = ptr.To(RandomUser(owner)), ptr.To[int64](0)
	}
	template := &pod.PodTemplate{
		AutomountServiceAccountToken: ptr.To(false),
		EnableServiceLinks:           ptr.To(false),
		SecurityContext:              security,
		NodeSelector:                 config.NodeSelector,
		Tolerations:                  config.Tolerations,
		Affinity:                     config.Affinity,
	}
	for _, name := range pullSecrets {
		if name != "" {
			template.ImagePullSecrets = append(template.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
		}
	}
	return template
}

// RandomUser is a user ID that no image can have counted on, and the same for every build of an object.
func RandomUser(owner types.UID) int64 {
	const first, count = 1_000_000_000, 1_000_000
	h := fnv.New32a()
	_, _ = h.Write([]byte(owner)) // never fails
	return first + int64(h.Sum32()%count)
}
