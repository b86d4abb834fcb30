package runs_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

func TestTarget(t *testing.T) {
	const internal = "image-registry.openshift-image-registry.svc:5000/team/notebook"
	cases := map[string]struct {
		reason  string
		config  v1alpha1.CNBiConfigSpec
		streams bool
		want    string
		token   bool
		waits   bool
	}{
		"Named": {
			reason: "the admin's repository, whatever the cluster offers",
			config: v1alpha1.CNBiConfigSpec{Registry: v1alpha1.RegistrySpec{Repository: "registry.example/{namespace}/x-{name}"}}, streams: true,
			want: "registry.example/team/x-notebook",
		},
		"Internal": {reason: "OpenShift's own registry by token", streams: true, want: internal, token: true},
		"InternalWithSecret": {
			reason: "the admin's Secret instead of a token",
			config: v1alpha1.CNBiConfigSpec{Registry: v1alpha1.RegistrySpec{PushSecret: &v1alpha1.SharedSecretReference{Name: "push"}}}, streams: true,
			want: internal,
		},
		"NoStreams": {reason: "nowhere to go", waits: true},
		"NeverStreams": {
			reason: "OpenShift's registry takes images of ImageStreams only, and the admin wants none",
			config: v1alpha1.CNBiConfigSpec{Publish: v1alpha1.PublishSpec{ImageStreams: v1alpha1.ImageStreamsNever}}, streams: true, waits: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, token, err := runs.Target(&tc.config, tc.streams, "team", "notebook")
			wait, waits := outcome.AsWait(err)
			if got != tc.want || token != tc.token || waits != tc.waits {
				t.Errorf("\n%s\ngot %q, token %t, error %v", tc.reason, got, token, err)
			}
			if waits && wait.Reason != v1alpha1.ReasonRegistryNotConfigured {
				t.Errorf("\n%s\ngot reason %s", tc.reason, wait.Reason)
			}
		})
	}
}

func TestAwaitPipeline(t *testing.T) {
	excluding := v1alpha1.CNBiConfigSpec{Namespaces: v1alpha1.NamespacesSpec{Exclude: []string{"team"}}}
	selecting := v1alpha1.CNBiConfigSpec{Namespaces: v1alpha1.NamespacesSpec{
		Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"notebooks": "yes"}},
	}}
	cases := map[string]struct {
		config                 v1alpha1.CNBiConfigSpec
		configured, unselected bool
		reason, words          string
	}{
		"Unmanaged":  {v1alpha1.CNBiConfigSpec{ManagementState: v1alpha1.StateUnmanaged}, true, false, v1alpha1.ReasonUnmanaged, "installs none"},
		"Excluded":   {excluding, true, false, v1alpha1.ReasonNamespaceExcluded, "spec.namespaces.exclude"},
		"Unselected": {selecting, true, true, v1alpha1.ReasonNamespaceExcluded, "(notebooks=yes)"},
		"NoConfig":   {v1alpha1.CNBiConfigSpec{}, false, false, v1alpha1.ReasonWaitingForPipelines, "There is no CNBiConfig"},
		"OnTheirWay": {selecting, true, false, v1alpha1.ReasonWaitingForPipelines, `Pipeline "cnbi-import"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			wait, ok := outcome.AsWait(runs.AwaitPipeline(&tc.config, tc.configured, "team", "cnbi-import", tc.unselected))
			if !ok || wait.Reason != tc.reason || !strings.Contains(wait.Message, tc.words) {
				t.Errorf("want %s and %q, got %+v", tc.reason, tc.words, wait)
			}
		})
	}
}
