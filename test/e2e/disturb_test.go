//go:build e2e

package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// contextAfter is for what is put right again when a case has ended.
func contextAfter() context.Context { return context.Background() }

// registryDown has one object asked for during an outage, and one whose image is to be pulled when it begins.
func registryDown(t *testing.T) {
	u := newUser(t)
	stopped := false
	start := func() {
		if stopped {
			must(t, on.LocalCommand(contextAfter(), "start", "registry"))
			stopped = false
		}
	}
	t.Cleanup(start)
	u.create(u.imports("half-way", image("jupyter-slow")))
	u.untilStage("half-way", v1alpha1.StageValidating)
	stopped = true
	must(t, on.LocalCommand(t.Context(), "stop", "registry"))
	u.create(u.imports("outage", image("jupyter")))
	obj := u.until("outage", "was tried twice", func(obj *v1alpha1.CustomNBImage) bool {
		return obj.Status.Retries >= 1 && obj.Status.NextRetryTime != nil
	})
	says(t, obj, v1alpha1.PhaseBuilding, v1alpha1.ReasonRegistryUnavailable, "attempt 3 of 6 follows")
	start()
	for _, name := range []string{"half-way", "outage"} {
		obj := u.untilReady(name)
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		u.onlyRun(obj)
		if len(obj.Status.Builds) != 1 {
			t.Errorf("%s: want one build however often it was tried, got %v", name, obj.Status.Builds)
		}
	}
	if retries := u.get("outage").Status.Retries; retries < 2 {
		t.Errorf("want to read that it was tried again, got %d retries", retries)
	}
}

// noSecurityContexts has Tekton make pods that the namespace refuses.
func noSecurityContexts(t *testing.T) {
	const setting = "set-security-context"
	set := func(ctx context.Context, value string) {
		flags := &corev1.ConfigMap{}
		must(t, on.Client.Get(ctx, client.ObjectKey{Namespace: "tekton-pipelines", Name: "feature-flags"}, flags))
		before := flags.DeepCopy()
		flags.Data[setting] = value
		must(t, on.Client.Patch(ctx, flags, client.MergeFrom(before)))
	}
	u := newUser(t)
	t.Cleanup(func() { set(contextAfter(), "true") })
	set(t.Context(), "false")
	u.create(u.imports("refused", image("jupyter")))
	obj := u.untilReason("refused", v1alpha1.ReasonPodSecurityViolation)
	says(t, obj, v1alpha1.PhaseBuilding, v1alpha1.ReasonPodSecurityViolation, setting, `"true"`, "feature-flags")
	set(t.Context(), "true")
	u.onlyRun(u.untilReady("refused"))
}

// operatorKilled ends the manager's process at moments that matter, and at some that nobody chose.
func operatorKilled(t *testing.T) {
	u := newUser(t)
	u.create(u.pullSecret("right", on.Local.PrivatePassword))
	moments := map[string]func(name string){
		"run-made": func(name string) {
			u.runs.until(t, "there is a run", func(e event[*pipelineRun]) bool { return ofObject[*pipelineRun](name)(e.obj) })
		},
		"validating": func(name string) { u.untilStage(name, v1alpha1.StageValidating) },
		"run-ended": func(name string) {
			u.runs.until(t, "the run has ended", func(e event[*pipelineRun]) bool { return ofObject[*pipelineRun](name)(e.obj) && e.obj.IsDone() })
		},
		"any": func(string) { kill(t); passes(t, rand.N(3*time.Second)); kill(t); passes(t, rand.N(20*time.Second)) },
	}
	for moment, comes := range moments {
		good, bad := u.imports("good-"+moment, privateImage()), u.imports("bad-"+moment, image("no-jupyter"))
		good.Spec.ImagePullSecret = &v1alpha1.LocalSecretReference{Name: "right"}
		u.create(good, bad)
		comes(bad.Name)
		kill(t)
		says(t, u.untilDone(good.Name), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		says(t, u.untilDone(bad.Name), v1alpha1.PhaseFailed, v1alpha1.ReasonValidationFailed)
		neverOffered(t, u, bad.Name)
		if made := u.runs.made(ofObject[*pipelineRun](good.Name)); len(made) != 1 {
			t.Errorf("%s: want exactly one run, got %v", good.Name, made)
		}
	}
	wantQuietRestart(t, u)
}

// wantQuietRestart checks that a manager that starts writes nothing about what is done.
func wantQuietRestart(t *testing.T, u *user) {
	t.Helper()
	before := u.versions()
	kill(t)
	// The new one looks at what there is first: when it has dealt with a newcomer, it has dealt with all others.
	u.create(u.imports("newcomer", image("nobody-has-this")))
	u.untilDone("newcomer")
	after := u.versions()
	for name, version := range before {
		if after[name] != version {
			t.Errorf("%s was written again by a manager that started", name)
		}
	}
}

// versions are those of all objects and streams.
func (u *user) versions() map[string]string {
	u.t.Helper()
	versions := map[string]string{}
	objects := &v1alpha1.CustomNBImageList{}
	must(u.t, u.client.List(u.t.Context(), objects, inNamespace(u)))
	for i := range objects.Items {
		name := objects.Items[i].Name
		versions["CustomNBImage "+name] = objects.Items[i].ResourceVersion
		versions["ImageStream "+name] = u.stream(name).ResourceVersion
	}
	return versions
}

// kill ends the manager's process without a warning, so that it gives nothing back. Its pod goes too, since the kubelet
// would start one that ends again and again later and later.
func kill(t *testing.T) {
	t.Helper()
	must(t, on.LocalCommand(t.Context(), "enter", "sh", "-c", "for pid in $(pidof manager); do kill -9 $pid; done"))
	must(t, on.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(operator.Namespace),
		client.MatchingLabels{"app.kubernetes.io/component": "manager"}, client.GracePeriodSeconds(0)))
}

// passes lets time pass, to come to a moment that nobody chose.
func passes(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// configDeleted takes the CNBiConfig away while things are built, and makes another.
func configDeleted(t *testing.T) {
	u := newUser(t)
	t.Cleanup(func() { _ = makeConfig(contextAfter()) })
	u.create(u.imports("validating", image("jupyter-slow")))
	u.untilStage("validating", v1alpha1.StageValidating)
	u.create(u.imports("importing", image("jupyter-slow")))
	u.untilStage("importing", v1alpha1.StageImporting)
	u.removeConfig()
	u.create(u.imports("later", image("jupyter")))
	obj := u.untilReason("later", v1alpha1.ReasonWaitingForPipelines)
	says(t, obj, v1alpha1.PhasePending, v1alpha1.ReasonWaitingForPipelines, `CNBiConfig "cluster"`)
	must(t, makeConfig(t.Context()))
	for _, name := range []string{"validating", "importing", "later"} {
		obj := u.untilReady(name)
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		u.onlyRun(obj)
	}
}

// removeConfig deletes the CNBiConfig and waits until all is gone that it gave the namespace.
func (u *user) removeConfig() {
	u.t.Helper()
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	must(u.t, on.Client.Delete(u.t.Context(), config))
	gone(u.t, "the CNBiConfig", &v1alpha1.CNBiConfigList{})
	u.pipelinesGo()
}

// pipelinesGo waits until all is gone that the CNBiConfig gave the namespace.
func (u *user) pipelinesGo() {
	u.t.Helper()
	ours := []client.ListOption{inNamespace(u), client.HasLabels{v1alpha1.LabelRevision}}
	gone(u.t, "the Pipelines", &tektonv1.PipelineList{}, ours...)
	gone(u.t, "the Tasks", &tektonv1.TaskList{}, ours...)
	gone(u.t, "the ServiceAccounts", &corev1.ServiceAccountList{}, ours...)
	gone(u.t, "the Roles", &rbacv1.RoleList{}, ours...)
	gone(u.t, "the RoleBindings", &rbacv1.RoleBindingList{}, ours...)
	gone(u.t, "the Secrets", &corev1.SecretList{}, ours...)
	gone(u.t, "the ConfigMaps", &corev1.ConfigMapList{}, ours...)
}

// makeConfig makes a CNBiConfig, unless there is one.
func makeConfig(ctx context.Context) error {
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	if err := on.Client.Create(ctx, config); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	return configure(ctx)
}

// deletedWhileAway deletes everything while nobody is there who could help.
func deletedWhileAway(t *testing.T) {
	u, other := newUser(t), newUser(t)
	u.create(u.imports("goes", image("jupyter-slow")), u.imports("stays", image("jupyter-slow")))
	other.create(other.imports("goes-too", image("jupyter-slow")))
	for _, o := range []struct {
		*user
		name string
	}{{u, "goes"}, {u, "stays"}, {other, "goes-too"}} {
		o.untilStage(o.name, v1alpha1.StageValidating)
	}
	t.Cleanup(func() { _ = errors.Join(scale(contextAfter(), 1), configure(contextAfter())) })
	must(t, scale(t.Context(), 0))
	gone(t, "the manager's pods", &corev1.PodList{}, client.InNamespace(operator.Namespace))
	must(t, on.Client.DeleteAllOf(t.Context(), &coordinationv1.Lease{}, client.InNamespace(operator.Namespace)))

	u.remove("goes")
	u.goesWith("goes")
	u.removeConfig()
	other.removeNamespace()

	must(t, scale(t.Context(), 1))
	must(t, configure(t.Context()))
	says(t, u.untilReady("stays"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	if made := u.runs.made(ofObject[*pipelineRun]("stays")); len(made) != 1 {
		t.Errorf("want the run that was begun to be the only one, got %v", made)
	}
}

// scale says how many managers there are to be.
func scale(ctx context.Context, replicas int32) error {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: operator.Deployment}}
	if err := on.Client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
		return err
	}
	before := deployment.DeepCopy()
	deployment.Spec.Replicas = ptr.To(replicas)
	return on.Client.Patch(ctx, deployment, client.MergeFrom(before))
}

// streamsGo takes the kind ImageStream away, which is no trouble, and brings it back.
func streamsGo(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("before", image("jupyter")))
	u.untilReady("before")
	crd := &apiextensionsv1.CustomResourceDefinition{}
	must(t, on.Client.Get(t.Context(), client.ObjectKey{Name: "imagestreams.image.openshift.io"}, crd))
	again := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: crd.Name, Labels: crd.Labels, Annotations: crd.Annotations}, Spec: crd.Spec,
	}
	t.Cleanup(func() { _ = client.IgnoreAlreadyExists(on.Client.Create(contextAfter(), again.DeepCopy())) })
	must(t, on.Client.Delete(t.Context(), crd))
	gone(t, "the CRD", &apiextensionsv1.CustomResourceDefinitionList{}, operator.Named("", crd.Name))
	u.create(u.imports("without", image("jupyter")))
	for _, name := range []string{"before", "without"} {
		obj := u.until(name, "is not offered by a stream", published(v1alpha1.ReasonNotPublished))
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		if obj.Status.ImageStreamTag != "" || obj.Status.Image == "" {
			t.Errorf("want the image alone, got %q and %q", obj.Status.ImageStreamTag, obj.Status.Image)
		}
	}
	must(t, on.Client.Create(t.Context(), again.DeepCopy()))
	for _, name := range []string{"before", "without"} {
		obj := u.until(name, "is offered by a stream", published(v1alpha1.ReasonSucceeded))
		if stream := u.stream(name); !offered(stream) || obj.Status.ImageStreamTag != name+":1" {
			t.Errorf("want the image offered again: %v, %q", stream.Labels, obj.Status.ImageStreamTag)
		}
		if made := u.runs.made(ofObject[*pipelineRun](name)); len(made) != 1 {
			t.Errorf("want no other run for that, got %v", made)
		}
	}
}

// published tells whether a Ready object says so of where its image is offered.
func published(reason string) func(*v1alpha1.CustomNBImage) bool {
	return func(obj *v1alpha1.CustomNBImage) bool {
		return obj.Status.Phase == v1alpha1.PhaseReady && condition(obj, v1alpha1.ConditionImagePublished).Reason == reason
	}
}
