package lifetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

// Who removes what was in the way need not do anything about the Meteor.
func TestConflictsEnd(t *testing.T) {
	cases := map[string]struct {
		pipeline string
		object   client.Object
	}{
		"Site": {book, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "meteor-m"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}}},
		"Image": {hub, &v1alpha1.CustomNBImage{
			ObjectMeta: metav1.ObjectMeta{Name: "m"},
			Spec:       v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypeImageImport, FromImage: "registry.example/a:1", Suspend: true},
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, true)
			w.start()
			c.object.SetNamespace(w.namespace)
			if err := env.Client.Create(t.Context(), c.object); err != nil {
				t.Fatal(err)
			}
			w.meteor("m", only(c.pipeline))
			if c.pipeline == book {
				w.builds(w.run(book), commit, 1)
			}
			w.is("m", "told", pipelineIs(c.pipeline, metav1.ConditionFalse, v1alpha1.ReasonConflictingObject))
			w.settle()
			if err := env.Client.Delete(t.Context(), c.object); err != nil {
				t.Fatal(err)
			}
			w.is("m", "going on", func(m *v1alpha1.Meteor) error {
				if pipelineIs(c.pipeline, metav1.ConditionFalse, v1alpha1.ReasonConflictingObject)(m) == nil {
					return errors.New("it is told still")
				}
				return nil
			})
		})
	}
}

// The stream of an earlier Meteor of the same name goes by itself, and then the build starts. Nothing tells of its end.
func TestStreamOfAnEarlierMeteor(t *testing.T) {
	w := newWorld(t, true)
	env.InstallImageStreams(t)
	t.Cleanup(func() { env.RemoveImageStreams(t) })
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.Repository = "" })
	w.start()
	stream := &imagev1.ImageStream{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.namespace, Name: "meteor-m",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.MeteorKind, Name: "m", UID: "earlier", Controller: ptr.To(true)}},
	}}
	if err := env.Client.Create(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	w.meteor("m", only(book))
	w.is("m", "waiting", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonPreparing), func(m *v1alpha1.Meteor) error {
		if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "earlier") {
			return errors.New(c.Message)
		}
		return nil
	})
	w.settle()
	if err := env.Client.Delete(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	w.run(book)
}

// An object that loses the label by which it is known is not lost.
func TestLabelsAreRestored(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", only(book))
	w.builds(w.run(book), commit, 1)
	d := w.deploys("meteor-m")
	w.is("m", "ready", phaseIs(v1alpha1.MeteorSucceeded))
	before := d.DeepCopy()
	delete(d.Labels, v1alpha1.LabelPartOf)
	if err := env.Client.Patch(t.Context(), d, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the label is back", func() error {
		now := &appsv1.Deployment{}
		w.get("meteor-m", now)
		if now.Labels[v1alpha1.LabelPartOf] == "" {
			return errors.New("it is not")
		}
		return nil
	})
	w.is("m", "ready", phaseIs(v1alpha1.MeteorSucceeded))
}

// What somebody sets on the CustomNBImage that the Meteor says nothing of stays, and keeps nothing from going on.
func TestSettingsOfTheImageStay(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", only(hub))
	w.is("m", "building", pipelineIs(hub, metav1.ConditionUnknown, v1alpha1.ReasonPreparing))
	image := &v1alpha1.CustomNBImage{}
	w.get("m", image)
	before := image.DeepCopy()
	image.Spec.Suspend = true
	image.Spec.Refresh = &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshInterval, Interval: &metav1.Duration{Duration: time.Hour}}
	if err := env.Client.Patch(t.Context(), image, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.is("m", "shown as it stands", pipelineIs(hub, metav1.ConditionUnknown, v1alpha1.ReasonSuspended))
	w.get("m", image)
	if image.Spec.Refresh == nil {
		t.Error("the setting was taken away")
	}
	// What the Meteor does say is put right again.
	before = image.DeepCopy()
	image.Spec.GitRef = "other"
	if err := env.Client.Patch(t.Context(), image, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the ref is the Meteor's", func() error {
		w.get("m", image)
		if image.Spec.GitRef != "main" {
			return errors.New(string(image.Spec.GitRef))
		}
		return nil
	})
}

func refreshing(pipelines ...string) func(*v1alpha1.Meteor) {
	return func(m *v1alpha1.Meteor) {
		m.Spec.Pipelines = pipelines
		m.Spec.Refresh = &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshOnSourceChange, Interval: &metav1.Duration{Duration: 10 * time.Minute}}
	}
}

// finds has the repository looked at, where the given commit is found.
func (w *world) finds(name, commit string) {
	w.t.Helper()
	w.clock.Advance(11 * time.Minute)
	w.edit(name, func(m *v1alpha1.Meteor) {
		metav1.SetMetaDataAnnotation(&m.ObjectMeta, "example.com/touched", fmt.Sprint(time.Now()))
	})
	w.end(w.run(""), "find", step{name: "find", results: map[string]string{"commit": commit}})
}

// A branch that has moved is built whenever that can be, not only at the moment when it is noticed.
func TestRefreshIsNotLost(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", refreshing(book))
	w.builds(w.run(book), commit, 1)
	w.deploys("meteor-m")
	w.is("m", "ready", phaseIs(v1alpha1.MeteorSucceeded))
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.Repository = "" })
	w.finds("m", strings.Repeat("b", 40))
	obj := w.is("m", "waiting", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonRegistryNotConfigured))
	if pipelineOf(obj, book).URL == "" {
		t.Error("the site is not told of any more")
	}
	w.settle()
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.Repository = registry + "/a/{namespace}/{name}" })
	w.builds(w.run(book), strings.Repeat("b", 40), 2)
	w.is("m", "built again", func(m *v1alpha1.Meteor) error {
		if m.Status.GitCommit != strings.Repeat("b", 40) {
			return errors.New(m.Status.GitCommit)
		}
		return nil
	})
}

// A Pipeline that is not there keeps no site from being built again.
func TestRefreshBesideWhatFailed(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", refreshing(book, "missing"))
	w.builds(w.run(book), commit, 1)
	w.deploys("meteor-m")
	w.is("m", "half good", pipelineIs(book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded), pipelineIs("missing", metav1.ConditionFalse, v1alpha1.ReasonPipelineNotFound))
	w.finds("m", strings.Repeat("b", 40))
	w.run(book)
}
