//go:build e2e

package olm

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/bundle"
)

// many is how many finished objects there are when the operator is upgraded.
const many = 200

// TestLife is the operator's from its installation to its removal, CRDs included.
func TestLife(t *testing.T) {
	into := namespace(t, restricted)
	i := install(t, catalogueBefore, into)
	i.succeeds(before)
	configure(t)
	users := namespace(t, restricted)
	image(t, users, "first", "jupyter")
	ready(t, users, "first")
	finished := namespace(t, restricted)
	finish(t, finished)
	t.Run("catalogue gone", func(t *testing.T) { catalogueGone(t, i, users) })
	t.Run("upgrade", func(t *testing.T) { upgrade(t, i, users, finished) })
	t.Run("second installation", func(t *testing.T) { second(t, i) })
	t.Run("removal", func(t *testing.T) { remove(t, i, users) })
}

// finish makes objects and lets them end: the namespace refuses their pods, so that each leaves behind what a build
// leaves behind and takes a moment only.
func finish(t *testing.T, in string) {
	t.Helper()
	must(t, k8s.Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: "no-pods"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypePod, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")},
		}}},
	}))
	var creating errgroup.Group
	creating.SetLimit(8)
	for n := range many {
		creating.Go(func() error {
			obj := &v1alpha1.CustomNBImage{ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: fmt.Sprintf("finished-%d", n)}}
			obj.Spec.BuildType, obj.Spec.FromImage = v1alpha1.BuildTypeImageImport, v1alpha1.ImageReference(on.Local.Images["jupyter"])
			return k8s.Create(t.Context(), obj)
		})
	}
	must(t, creating.Wait())
	ended := 0
	until(t, fmt.Sprintf("%d objects have ended", many), func() string { return fmt.Sprintf("%d have", ended) }, func(ctx context.Context) (bool, error) {
		list := &v1alpha1.CustomNBImageList{}
		err := k8s.List(ctx, list, client.InNamespace(in))
		ended = 0
		for n := range list.Items {
			if list.Items[n].Status.Phase == v1alpha1.PhaseFailed {
				ended++
			}
		}
		return ended == many, err
	})
}

// catalogueGone takes the catalogue's image away: what is installed works on.
func catalogueGone(t *testing.T, i *installation, users string) {
	i.serve(t, on.Local.Registry+"/olm/nowhere:1")
	image(t, users, "without-catalogue", "jupyter")
	ready(t, users, "without-catalogue")
	csv, err := i.csv(t.Context(), before)
	must(t, err)
	if csv.Status.Phase != "Succeeded" {
		t.Errorf("without its catalogue the operator is %s", csv.Status.Phase)
	}
}

func (i *installation) serve(t *testing.T, catalogue string) {
	t.Helper()
	must(t, k8s.Get(t.Context(), client.ObjectKeyFromObject(i.source), i.source))
	i.source.Spec.Image = catalogue
	must(t, k8s.Update(t.Context(), i.source))
}

// upgrade brings the next version while builds run, and kills OLM and the new manager in the middle.
func upgrade(t *testing.T, i *installation, users, finished string) {
	for n := range 3 {
		image(t, users, fmt.Sprintf("running-%d", n), "jupyter-slow")
	}
	until(t, "builds run", i.state, func(ctx context.Context) (bool, error) {
		runs := &tektonv1.PipelineRunList{}
		err := k8s.List(ctx, runs, client.InNamespace(users))
		going := 0
		for n := range runs.Items {
			if !runs.Items[n].IsDone() {
				going++
			}
		}
		return going == 3, err
	})
	runs := runsIn(t, users, finished)
	done := endsOf(t, finished)
	i.serve(t, catalogueNow)
	until(t, "the next version is on its way", i.state, func(ctx context.Context) (bool, error) {
		_, err := i.csv(ctx, now)
		return err == nil, client.IgnoreNotFound(err)
	})
	must(t, k8s.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(olmNamespace), client.MatchingLabels{"app": "olm-operator"}))
	must(t, k8s.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(i.namespace), client.MatchingLabels{"app.kubernetes.io/component": "manager"}))
	i.succeeds(now)
	until(t, "the version before is gone", i.state, func(ctx context.Context) (bool, error) {
		_, err := i.csv(ctx, before)
		return absent(err)
	})
	for n := range 3 {
		ready(t, users, fmt.Sprintf("running-%d", n))
	}
	settled(t, i)
	if diff := cmp.Diff(runs, runsIn(t, users, finished)); diff != "" {
		t.Errorf("the upgrade has begun or lost builds (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(done, endsOf(t, finished)); diff != "" {
		t.Errorf("the upgrade has changed what was finished (-before +after):\n%s", diff)
	}
	image(t, users, "after-upgrade", "jupyter")
	ready(t, users, "after-upgrade")
}

// settled waits until OLM is told that the next upgrade may come.
func settled(t *testing.T, i *installation) {
	t.Helper()
	condition := &operatorsv2.OperatorCondition{}
	until(t, "the version is Upgradeable", func() string { return fmt.Sprintf("%+v", condition.Spec) }, func(ctx context.Context) (bool, error) {
		err := k8s.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: bundle.Name(now)}, condition)
		return apimeta.IsStatusConditionTrue(condition.Spec.Conditions, operatorsv2.Upgradeable), client.IgnoreNotFound(err)
	})
}

func runsIn(t *testing.T, namespaces ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, ns := range namespaces {
		list := &tektonv1.PipelineRunList{}
		must(t, k8s.List(t.Context(), list, client.InNamespace(ns)))
		for n := range list.Items {
			out[ns+"/"+list.Items[n].Name] = string(list.Items[n].UID)
		}
	}
	return out
}

// endsOf are the objects' versions, which any write would change.
func endsOf(t *testing.T, in string) map[string]string {
	t.Helper()
	list := &v1alpha1.CustomNBImageList{}
	must(t, k8s.List(t.Context(), list, client.InNamespace(in)))
	out := map[string]string{}
	for n := range list.Items {
		out[list.Items[n].Name] = list.Items[n].ResourceVersion
	}
	return out
}

// second asks for the operator in another namespace, although one has all: no second manager comes to be. OLM shows the
// first one's version there, as in every namespace, and takes it for what was asked for.
func second(t *testing.T, first *installation) {
	into, target := namespace(t, restricted), namespace(t, restricted)
	i := &installation{t: t, namespace: into, source: first.source}
	i.group(target)
	i.subscribe()
	until(t, "OLM has done what it will", i.state, func(ctx context.Context) (bool, error) {
		plans := &operatorsv1alpha1.InstallPlanList{}
		err := k8s.List(ctx, plans, client.InNamespace(into))
		return len(plans.Items) == 1 && plans.Items[0].Status.Phase == operatorsv1alpha1.InstallPlanPhaseComplete, err
	})
	csv, err := i.csv(t.Context(), now)
	must(t, err)
	if from := csv.Labels["olm.copiedFrom"]; from != first.namespace {
		t.Errorf("the second installation is %s (%s), no copy of the first", csv.Status.Phase, csv.Status.Message)
	}
	managers := &appsv1.DeploymentList{}
	must(t, k8s.List(t.Context(), managers, client.InNamespace(into)))
	if len(managers.Items) > 0 {
		t.Error("there is a second manager")
	}
	must(t, k8s.DeleteAllOf(t.Context(), &operatorsv1alpha1.Subscription{}, client.InNamespace(into)))
	first.succeeds(now)
}

// remove takes the operator away while there are objects, and then the CRDs. Nothing hangs.
func remove(t *testing.T, i *installation, users string) {
	image(t, users, "left-behind", "jupyter-slow")
	i.uninstall()
	obj := &v1alpha1.CustomNBImage{}
	must(t, k8s.Get(t.Context(), client.ObjectKey{Namespace: users, Name: "first"}, obj))
	if obj.Status.Phase != v1alpha1.PhaseReady {
		t.Errorf("an image is %s after the operator was removed", obj.Status.Phase)
	}
	began := time.Now()
	removeCRDs(t)
	t.Logf("all CRDs with their objects were gone after %s", time.Since(began).Round(time.Second))
	until(t, "what the objects made is gone", i.state, func(ctx context.Context) (bool, error) {
		runs := &tektonv1.PipelineRunList{}
		err := k8s.List(ctx, runs, client.MatchingLabels{"app.kubernetes.io/part-of": "meteor-operator"})
		return len(runs.Items) == 0, err
	})
}
