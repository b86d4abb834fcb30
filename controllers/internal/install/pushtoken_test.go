package install

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/manifests"
)

// TestPushToken follows the token for OpenShift's internal registry from the settings to the namespace.
func TestPushToken(t *testing.T) {
	token := Key{GVK: Secret, Name: "meteor-push-token"}
	c := NewCatalogue(func(o manifests.Options) ([]*unstructured.Unstructured, string, error) {
		objs, err := manifests.Objects(o)
		return objs, manifests.Revision(objs), err
	}, Defaults{BuilderImage: "builder"})
	if keys, err := c.Keys(); err != nil || !slices.Contains(keys, token) {
		t.Errorf("what can be in a namespace is watched: %v, %v", keys, err)
	}
	cases := map[string]struct {
		reason  string
		streams bool
		spec    v1alpha1.CNBiConfigSpec
		want    bool
	}{
		"Default":    {reason: "where there is the internal registry, images go there", streams: true, want: true},
		"Kubernetes": {reason: "elsewhere there is no use for a token"},
		"Repository": {
			reason: "nor where images go to another registry", streams: true,
			spec: v1alpha1.CNBiConfigSpec{Registry: v1alpha1.RegistrySpec{Repository: "registry.example/{namespace}/{name}"}},
		},
		"PushSecret": {
			reason: "nor where a Secret is there to push with", streams: true,
			spec: v1alpha1.CNBiConfigSpec{Registry: v1alpha1.RegistrySpec{PushSecret: &v1alpha1.SharedSecretReference{Name: "push"}}},
		},
		"NoStreams": {
			reason: "nor where no ImageStream is made that the registry could push to", streams: true,
			spec: v1alpha1.CNBiConfigSpec{Publish: v1alpha1.PublishSpec{ImageStreams: v1alpha1.ImageStreamsNever}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b, err := c.Bundle(&v1alpha1.CNBiConfig{Spec: tc.spec}, tc.streams)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.ContainsFunc(b.Objects, func(o Object) bool { return o.Key == token })
			if got != tc.want {
				t.Errorf("%s: the token is there: %t", tc.reason, got)
			}
		})
	}
}
