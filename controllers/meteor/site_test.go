package meteor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// No tenant can have the host of another's site, however names and namespaces are put together.
func TestSiteHosts(t *testing.T) {
	long := strings.Repeat("m", 55)
	seen := map[string]string{}
	for _, m := range []struct{ name, namespace string }{
		{"a", "b"}, {"a-b", "c"}, {"a", "b-c"}, {"a.b", "c"}, {"a--b", "c"},
		{long + "-x", "yyyyyyyyy"}, {long, "x-yyyyyyyyy"}, {long + "-xx", "yyyyyyyyy"},
	} {
		obj := newMeteor(m.name, 0)
		obj.Namespace = m.namespace
		host := siteHost(obj, "apps.example.org")
		if other, ok := seen[host]; ok {
			t.Errorf("%s of %s and %s share host %s", m.name, m.namespace, other, host)
		}
		seen[host] = m.name + " of " + m.namespace
	}
	obj := newMeteor("demo", 0)
	obj.Namespace = "team"
	if got := siteHost(obj, "apps.example.org"); got != "demo-team.apps.example.org" {
		t.Errorf("a host that nothing else can have is %s", got)
	}
}

func deployment(edit func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d", Generation: 2}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)}}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	edit(d)
	return d
}

func TestAvailable(t *testing.T) {
	progressing := func(status corev1.ConditionStatus, reason string) appsv1.DeploymentCondition {
		return appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason, Message: "Progress."}
	}
	unavailable := appsv1.DeploymentCondition{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, Reason: "MinimumReplicasUnavailable", Message: "Deployment does not have minimum availability."}
	cases := map[string]struct {
		reason string
		edit   func(*appsv1.Deployment)
		want   string
	}{
		"Answers":    {"one pod of the newest image is enough", func(*appsv1.Deployment) {}, ""},
		"NotSeenYet": {"what is told of an older version does not count", func(d *appsv1.Deployment) { d.Generation = 3 }, v1alpha1.ReasonServing},
		"Starts": {"a pod that starts is nobody's turn", func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas = 0
			d.Status.Conditions = []appsv1.DeploymentCondition{unavailable, progressing(corev1.ConditionTrue, "ReplicaSetUpdated")}
		}, v1alpha1.ReasonServing},
		"Replaced": {"as long as the old image answers too the new one is waited for", func(d *appsv1.Deployment) { d.Status.Replicas, d.Status.AvailableReplicas = 2, 1 }, v1alpha1.ReasonServing},
		"Stuck": {"a pod that does not start is told", func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas = 0
			d.Status.Conditions = []appsv1.DeploymentCondition{progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded")}
		}, v1alpha1.ReasonSiteUnavailable},
		"Refused": {"so is one that is refused", func(d *appsv1.Deployment) {
			d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 0, 0, 0
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "quota"}}
		}, v1alpha1.ReasonSiteUnavailable},
		"Lost": {"and one that has answered before", func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas = 0
			d.Status.Conditions = []appsv1.DeploymentCondition{unavailable, progressing(corev1.ConditionTrue, "NewReplicaSetAvailable")}
		}, v1alpha1.ReasonSiteUnavailable},
		"Zero": {"and one that somebody wants none of", func(d *appsv1.Deployment) {
			d.Spec.Replicas = ptr.To[int32](0)
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2}
		}, v1alpha1.ReasonSiteUnavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := available(deployment(c.edit))
			got := ""
			if wait, ok := outcome.AsWait(err); ok {
				got = wait.Reason
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s%v", c.reason, diff, err)
			}
		})
	}
}

// Several routers can look at a Route: one that admits it is enough.
func TestRouteURL(t *testing.T) {
	router := func(host, status string) any {
		return map[string]any{"host": host, "conditions": []any{map[string]any{"type": "Admitted", "status": status, "message": "not mine"}}}
	}
	cases := map[string]struct {
		reason  string
		routers []any
		want    string
		waits   string
	}{
		"None":     {"no router has looked", nil, "", v1alpha1.ReasonServing},
		"Admitted": {"one has admitted it", []any{router("a.example", "True")}, "https://a.example", ""},
		"Refused":  {"one has refused it", []any{router("a.example", "False")}, "", v1alpha1.ReasonSiteUnavailable},
		"Both":     {"another router's refusal does not matter", []any{router("b.example", "False"), router("a.example", "True")}, "https://a.example", ""},
		"Odd":      {"what nobody has written is no reason to fail", []any{"x", map[string]any{"conditions": "y"}}, "", v1alpha1.ReasonServing},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			route := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"ingress": c.routers}}}
			url, err := routeURL(route)
			reason := ""
			if wait, ok := outcome.AsWait(err); ok {
				reason = wait.Reason
			}
			if diff := cmp.Diff([]string{c.want, c.waits}, []string{url, reason}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
