//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// scrape asks for the metrics without a token, with that of nobody in particular, and with that of a reader.
const scrape = `
import os, ssl, urllib.error, urllib.request
any = ssl._create_unverified_context()
for who in ("nobody", "stranger", "reader"):
    token = os.environ.get(who)
    request = urllib.request.Request(os.environ["URL"], headers={"Authorization": "Bearer " + token} if token else {})
    try:
        answer = urllib.request.urlopen(request, context=any, timeout=10)
        print(who, answer.status)
        print(answer.read().decode())
    except urllib.error.HTTPError as e:
        print(who, e.code)
`

// metricsEndpoint answers whom the cluster lets read.
func metricsEndpoint(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("counted", image("jupyter")), u.imports("counted-too", image("nobody-has-this")))
	u.untilReady("counted")
	u.untilDone("counted-too")
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader-of-" + u.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "meteor-operator-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "reader", Namespace: u.namespace}},
	}
	must(t, on.Client.Create(t.Context(), binding))
	t.Cleanup(func() { _ = on.Client.Delete(contextAfter(), binding) })
	output := u.run("scrape", scrape, map[string]string{
		"URL":      fmt.Sprintf("https://%s-metrics.%s.svc:8443/metrics", operator.Deployment, operator.Namespace),
		"stranger": u.token("stranger"),
		"reader":   u.token("reader"),
	})
	for _, want := range []string{
		"nobody 401\n", "stranger 403\n", "reader 200\n",
		`meteor_objects{kind="CustomNBImage",phase="Ready"} `,
		`meteor_build_duration_seconds_count{result="succeeded",type="ImageImport"} `,
		`meteor_build_failures_total{reason="` + v1alpha1.ReasonImageNotFound + `",type="ImageImport"} `,
	} {
		if !strings.Contains(output, want) {
			t.Errorf("want %q in what the endpoint answers:\n%s", want, output)
		}
	}
}

// token makes a service account and a token of it.
func (u *user) token(account string) string {
	u.t.Helper()
	must(u.t, on.Client.Create(u.t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account, Namespace: u.namespace}}))
	c, err := kubernetes.NewForConfig(on.Config)
	must(u.t, err)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](600)}}
	token, err := c.CoreV1().ServiceAccounts(u.namespace).CreateToken(u.t.Context(), account, request, metav1.CreateOptions{})
	must(u.t, err)
	return token.Status.Token
}

// run runs a Python program in a pod and returns what it prints.
func (u *user) run(name, program string, env map[string]string) string {
	u.t.Helper()
	container := corev1.Container{
		Name: "python", Image: image("jupyter"), Command: []string{"python3", "-c", program},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	for key, value := range env {
		container.Env = append(container.Env, corev1.EnvVar{Name: key, Value: value})
	}
	u.create(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace},
		Spec: corev1.PodSpec{
			Containers:    []corev1.Container{container},
			RestartPolicy: corev1.RestartPolicyNever,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](1000700000),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
		},
	})
	var phase corev1.PodPhase
	await(u.t, u.client, "pod "+name+" ends", func(l *corev1.PodList) bool {
		phase = l.Items[0].Status.Phase
		return phase == corev1.PodSucceeded || phase == corev1.PodFailed
	}, func() string { return string(phase) }, operator.Named(u.namespace, name))
	c, err := kubernetes.NewForConfig(u.config)
	must(u.t, err)
	out, err := c.CoreV1().Pods(u.namespace).GetLogs(name, &corev1.PodLogOptions{}).DoRaw(u.t.Context())
	must(u.t, err)
	return string(out)
}
