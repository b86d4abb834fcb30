package customnbimage

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const hostile = "$(touch x); `id`\n\"---\nkind: Secret"

func TestNewImageStream(t *testing.T) {
	good := &offer{tag: "1.2", image: testDigest, source: testImage, software: []v1alpha1.SoftwareVersion{{Name: "Python", Version: "3.11.2"}}}
	cases := map[string]struct {
		reason  string
		facts   streamFacts
		offered string
		tags    int
	}{
		"Hidden":  {reason: "nothing is offered before it has passed", facts: streamFacts{phase: "Importing"}, offered: "false"},
		"Offered": {reason: "what has passed has one tag", facts: streamFacts{phase: "Succeeded", offer: good, referencePolicy: imagev1.SourceTagReferencePolicy}, offered: "true", tags: 1},
		"Kept":    {reason: "the last good image stays when the next one fails", facts: streamFacts{phase: "Failed", offer: good, problem: hostile}, offered: "true", tags: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newObject()
			obj.Annotations = map[string]string{v1alpha1.AnnotationNotebookImageDesc: hostile, "example.com/other": "x"}
			stream, err := newImageStream(obj, tc.facts)
			if err != nil {
				t.Fatal(err)
			}
			if got := stream.Labels[labelOffered]; got != tc.offered || len(stream.Spec.Tags) != tc.tags {
				t.Errorf("\n%s\nwant offered %s with %d tags, got %s with %d", tc.reason, tc.offered, tc.tags, got, len(stream.Spec.Tags))
			}
			if got := stream.Annotations[v1alpha1.AnnotationNotebookImageDesc]; got != hostile {
				t.Errorf("text is not text: %q", got)
			}
			if _, ok := stream.Annotations["example.com/other"]; ok {
				t.Error("an annotation of somebody else's was copied")
			}
			var messages []map[string]string
			if err := json.Unmarshal([]byte(stream.Annotations[annotationMessages]), &messages); err != nil {
				t.Errorf("messages are not JSON: %v", err)
			}
			for _, tag := range stream.Spec.Tags {
				for _, key := range []string{annotationSoftware, annotationPackages} {
					var list []v1alpha1.SoftwareVersion
					if err := json.Unmarshal([]byte(tag.Annotations[key]), &list); err != nil || list == nil {
						t.Errorf("%s is no JSON array: %q", key, tag.Annotations[key])
					}
				}
			}
			again, err := newImageStream(obj, tc.facts)
			if err != nil || cmp.Diff(stream, again) != "" {
				t.Errorf("the same facts do not give the same stream: %v", err)
			}
		})
	}
}

func TestTagOf(t *testing.T) {
	cases := map[string]string{
		"quay.io/org/image:v1":         "v1",
		"quay.io/org/image":            "latest",
		"host:5000/org/image":          "latest",
		"host:5000/org/image:2":        "2",
		"image@sha256:0f0f":            "latest",
		"host:5000/image:3@sha256:0f0": "3",
	}
	for reference, want := range cases {
		if got := tagOf(reference); got != want {
			t.Errorf("%s: want %q, got %q", reference, want, got)
		}
	}
}

func TestRemoveFields(t *testing.T) {
	content := func() map[string]any {
		return map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"opendatahub.io/notebook-image": "true", "a": "b"}},
			"spec": map[string]any{
				"lookupPolicy": map[string]any{"local": true},
				"tags":         []any{map[string]any{"name": "1.2", "annotations": map[string]any{"opendatahub.io/notebook-software": "[]"}, "from": map[string]any{"name": "x"}}},
			},
		}
	}
	cases := map[string]struct {
		reason string
		field  string
		want   func(map[string]any)
	}{
		"Label": {reason: "a label's key has dots and slashes", field: ".metadata.labels.opendatahub.io/notebook-image", want: func(c map[string]any) {
			delete(c["metadata"].(map[string]any)["labels"].(map[string]any), "opendatahub.io/notebook-image")
		}},
		"TagAnnotation": {reason: "a tag is found by its name", field: `.spec.tags[name="1.2"].annotations.opendatahub.io/notebook-software`, want: func(c map[string]any) {
			delete(c["spec"].(map[string]any)["tags"].([]any)[0].(map[string]any)["annotations"].(map[string]any), "opendatahub.io/notebook-software")
		}},
		"TagField": {reason: "a tag's field goes whole", field: `.spec.tags[name="1.2"].from.name`, want: func(c map[string]any) {
			delete(c["spec"].(map[string]any)["tags"].([]any)[0].(map[string]any), "from")
		}},
		"Nested": {reason: "other paths", field: ".spec.lookupPolicy.local", want: func(c map[string]any) {
			delete(c["spec"].(map[string]any)["lookupPolicy"].(map[string]any), "local")
		}},
		"Absent": {reason: "what is not there stays away", field: ".spec.none.such", want: nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, want := content(), content()
			removed := removeFields(got, []string{tc.field})
			if tc.want != nil {
				tc.want(want)
			}
			if diff := cmp.Diff(want, got); diff != "" || removed != (tc.want != nil) {
				t.Errorf("\n%s\nremoved: %v\n-want, +got:\n%s", tc.reason, removed, diff)
			}
		})
	}
}
