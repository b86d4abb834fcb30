package runs

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := tektonv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return scheme
}

// owner is an object that has runs.
var owner = &v1alpha1.Meteor{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "demo", UID: "uid"}}

func TestOwnedMeta(t *testing.T) {
	m := OwnedMeta(owner, v1alpha1.MeteorKind, v1alpha1.LabelMeteor, "demo-run")
	run := &tektonv1.PipelineRun{ObjectMeta: m}
	want := map[string]string{
		v1alpha1.LabelPartOf: v1alpha1.PartOfValue, v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelMeteor: "demo",
	}
	if diff := cmp.Diff(want, m.Labels); diff != "" {
		t.Errorf("labels: -want, +got:\n%s", diff)
	}
	if !metav1.IsControlledBy(run, owner) || run.Namespace != "team" || run.Name != "demo-run" {
		t.Errorf("it does not belong to its owner: %+v", m)
	}
	if diff := cmp.Diff([]string{"uid"}, OwnerUID(run)); diff != "" {
		t.Errorf("index: -want, +got:\n%s", diff)
	}
	if got := OwnerUID(&tektonv1.PipelineRun{}); got != nil {
		t.Errorf("nobody's: got %v", got)
	}
}

func TestHidden(t *testing.T) {
	cases := map[string]struct {
		reason string
		edit   func(*metav1.ObjectMeta)
		want   bool
	}{
		"Ours":       {reason: "the cache will show it", edit: func(*metav1.ObjectMeta) {}},
		"Another":    {reason: "another's has the name", edit: func(m *metav1.ObjectMeta) { m.OwnerReferences[0].UID = "another" }, want: true},
		"Unlabelled": {reason: "the cache does not know it", edit: func(m *metav1.ObjectMeta) { delete(m.Labels, v1alpha1.LabelPartOf) }, want: true},
		"Gone":       {reason: "it has gone meanwhile", edit: func(m *metav1.ObjectMeta) { m.Name = "other" }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			run := &tektonv1.PipelineRun{ObjectMeta: OwnedMeta(owner, v1alpha1.MeteorKind, v1alpha1.LabelMeteor, "run")}
			there := run.DeepCopy()
			tc.edit(&there.ObjectMeta)
			c := fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(there).Build()
			got, err := Hidden(t.Context(), c, run, owner)
			if err != nil || got != tc.want {
				t.Errorf("\n%s\nwant %t, got %t, %v", tc.reason, tc.want, got, err)
			}
		})
	}
}

func TestPrune(t *testing.T) {
	all := []tektonv1.PipelineRun{run("a", "False", 1), run("b", "False", 2), run("gone", "False", 0)}
	for i := range all {
		all[i].Namespace = "team"
	}
	c := fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(&all[0], &all[1]).WithIndex(&tektonv1.PipelineRun{}, "owner", OwnerUID).Build()
	one := int32(1)
	kept := Retention{Spec: v1alpha1.RetentionSpec{Failed: v1alpha1.RunRetention{Count: &one}}}
	if _, err := kept.Prune(t.Context(), c, all, now); err != nil {
		t.Fatal(err)
	}
	left := &tektonv1.PipelineRunList{}
	if err := c.List(context.Background(), left); err != nil {
		t.Fatal(err)
	}
	if len(left.Items) != 1 || left.Items[0].Name != "b" {
		t.Errorf("left are %v", left.Items)
	}
}
