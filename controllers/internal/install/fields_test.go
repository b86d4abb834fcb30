package install

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func TestCovers(t *testing.T) {
	obj := map[string]any{
		"apiVersion": "v1", "kind": "Thing",
		"metadata": map[string]any{
			"name": "n", "namespace": "ns", "labels": map[string]any{"a": "1", "b": "2"},
			"ownerReferences": []any{map[string]any{"uid": "u", "name": "o"}},
		},
		"data":  map[string]any{"k": "v"},
		"steps": []any{map[string]any{"name": "x"}},
		"ports": []any{map[string]any{"port": int64(80), "target": "a"}},
		"set":   []any{"one", "two"},
		"empty": map[string]any{},
		"none":  nil,
	}
	const (
		meta  = `"f:metadata":{"f:labels":{"f:a":{},"f:b":{}},"f:ownerReferences":{"k:{\"uid\":\"u\"}":{}}}`
		rest  = `"f:data":{"f:k":{}},"f:steps":{},"f:empty":{}`
		ports = `"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:target":{}}}`
		set   = `"f:set":{"v:\"one\"":{},"v:\"two\"":{}}`
	)
	cases := map[string]struct {
		reason, fields string
		want           bool
	}{
		"All":          {"everything is there", "{" + meta + "," + rest + "," + ports + "," + set + "}", true},
		"More":         {"what an older version applied besides does not matter", "{" + meta + "," + rest + "," + ports + "," + set + `,"f:other":{}}`, true},
		"OneLabel":     {"a label was taken", `{"f:metadata":{"f:labels":{"f:a":{}},"f:ownerReferences":{"k:{\"uid\":\"u\"}":{}}},` + rest + "," + ports + "," + set + "}", false},
		"Orphan":       {"the owner was taken", `{"f:metadata":{"f:labels":{"f:a":{},"f:b":{}}},` + rest + "," + ports + "," + set + "}", false},
		"AtomicList":   {"a whole list was taken", "{" + meta + `,"f:data":{"f:k":{}},"f:empty":{},` + ports + "," + set + "}", false},
		"FieldOfItem":  {"a field of an item was taken", "{" + meta + "," + rest + `,"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}},` + set + "}", false},
		"Item":         {"an item was taken", "{" + meta + "," + rest + `,"f:ports":{"k:{\"port\":81}":{}},` + set + "}", false},
		"Member":       {"a member of a set was taken", "{" + meta + "," + rest + "," + ports + `,"f:set":{"v:\"one\"":{}}}`, false},
		"MapWithChild": {"a map that is ours in name only", "{" + meta + `,"f:data":{".":{}},"f:steps":{},"f:empty":{},` + ports + "," + set + "}", false},
		"Nothing":      {"no list", "", false},
		"Empty":        {"an empty list", "{}", false},
		"Broken":       {"no JSON", "{", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := covers(tc.fields, obj); got != tc.want {
				t.Errorf("%s: got %v", tc.reason, got)
			}
		})
	}
}

func TestReduce(t *testing.T) {
	full := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "n", Namespace: "ns", UID: "u", ResourceVersion: "7",
		Labels:          map[string]string{v1alpha1.LabelRevision: "r", "other": "x"},
		Annotations:     map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "a password"},
		OwnerReferences: []metav1.OwnerReference{{UID: "o", Name: "cluster"}},
		ManagedFields: []metav1.ManagedFieldsEntry{
			{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(`{"f:a":{}}`)},
			{Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(`{"f:b":{}}`)},
			{Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:c":{}}`)},
		},
	}}
	obj, err := Reduce(full)
	if err != nil {
		t.Fatal(err)
	}
	reduced := obj.(*metav1.PartialObjectMetadata)
	want := metav1.ObjectMeta{
		Name: "n", Namespace: "ns", UID: "u", ResourceVersion: "7",
		Labels:          map[string]string{v1alpha1.LabelRevision: "r"},
		OwnerReferences: []metav1.OwnerReference{{UID: "o", Name: "cluster"}},
		ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationApply, FieldsType: `{"f:c":{}}`}},
	}
	if diff := cmp.Diff(want, reduced.ObjectMeta); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if again, err := Reduce(reduced); err != nil || Fields(again.(*metav1.PartialObjectMetadata)) != `{"f:c":{}}` {
		t.Errorf("what is reduced stays so: %v, %v", again, err)
	}
}

func TestPipelinesNeed(t *testing.T) {
	object := func(apiVersion, kind, name string, tasks ...any) Object {
		u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"tasks": tasks}}}
		u.SetAPIVersion(apiVersion)
		u.SetKind(kind)
		u.SetName(name)
		o, err := NewObject(u, "")
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	ref := func(name string) any {
		return map[string]any{"name": "t", "taskRef": map[string]any{"name": name}}
	}
	account := object("v1", "ServiceAccount", "a")
	one, two := object("tekton.dev/v1", "Task", "one"), object("tekton.dev/v1", "Task", "two")
	b := &Bundle{Objects: []Object{one, two, object("tekton.dev/v1", "Pipeline", "p", ref("one"), ref("one"), ref("foreign"))}}
	got := b.With([]Object{account}).Objects[3].Needs
	if diff := cmp.Diff([]Key{account.Key, one.Key}, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if b.With(nil).ID == b.With([]Object{account}).ID {
		t.Error("bundles of other objects have other IDs")
	}
}
