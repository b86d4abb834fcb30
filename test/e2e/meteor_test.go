//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

const (
	hub  = v1alpha1.PipelineJupyterHub
	book = v1alpha1.PipelineJupyterBook
)

// meteor is a Meteor of a repository of the local git server. Without pipelines it has the default ones.
func (u *user) meteor(name, path, ref string, ttl int64, pipelines ...string) *v1alpha1.Meteor {
	return &v1alpha1.Meteor{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace},
		Spec:       v1alpha1.MeteorSpec{URL: on.Local.Git + "/" + path, Ref: v1alpha1.GitReference(ref), TTL: ptr.To(ttl), Pipelines: pipelines},
	}
}

func (u *user) getMeteor(name string) *v1alpha1.Meteor {
	u.t.Helper()
	obj := &v1alpha1.Meteor{}
	must(u.t, u.client.Get(u.t.Context(), u.key(name), obj))
	return obj
}

func (u *user) editMeteor(name string, change func(*v1alpha1.Meteor)) {
	u.t.Helper()
	obj := u.getMeteor(name)
	before := obj.DeepCopy()
	change(obj)
	must(u.t, u.client.Patch(u.t.Context(), obj, client.MergeFrom(before)))
}

// untilMeteor waits for a Meteor to be as wanted.
func (u *user) untilMeteor(name, what string, wanted func(*v1alpha1.Meteor) bool) *v1alpha1.Meteor {
	u.t.Helper()
	var last *v1alpha1.Meteor
	await(u.t, u.client, name+" "+what, func(l *v1alpha1.MeteorList) bool {
		if len(l.Items) == 0 {
			return false
		}
		last = &l.Items[0]
		return wanted(last)
	}, func() string { return describeMeteor(last) }, operator.Named(u.namespace, name))
	return last
}

// untilMeteorDone waits for the end of what the Meteor's present spec asks for.
func (u *user) untilMeteorDone(name string) *v1alpha1.Meteor {
	u.t.Helper()
	return u.untilMeteor(name, "comes to an end", func(m *v1alpha1.Meteor) bool {
		return m.Status.ObservedGeneration == m.Generation && m.Status.Phase != v1alpha1.MeteorBuilding
	})
}

func meteorCondition(m *v1alpha1.Meteor, kind string) metav1.Condition {
	if m != nil {
		for _, c := range m.Status.Conditions {
			if c.Type == kind {
				return c
			}
		}
	}
	return metav1.Condition{}
}

func describeMeteor(m *v1alpha1.Meteor) string {
	if m == nil {
		return "it is not there"
	}
	c := meteorCondition(m, v1alpha1.ConditionReady)
	return fmt.Sprintf("phase %s, %s: %s", m.Status.Phase, c.Reason, c.Message)
}

// saysOf checks what a Meteor tells a person of one of its pipelines.
func saysOf(t *testing.T, m *v1alpha1.Meteor, pipeline string, status metav1.ConditionStatus, reason string, words ...string) {
	t.Helper()
	c := meteorCondition(m, v1alpha1.ConditionPipelinePrefix+pipeline)
	if c.Status != status || c.Reason != reason {
		t.Errorf("%s: want %s to be %s for %s, got %+v", m.Name, pipeline, status, reason, c)
	}
	for _, word := range words {
		if !strings.Contains(c.Message, word) {
			t.Errorf("%s: want %q in the message %q", m.Name, word, c.Message)
		}
	}
	t.Logf("%s: %s: %s: %s", m.Name, pipeline, c.Reason, c.Message)
}

func pipelineOf(m *v1alpha1.Meteor, name string) v1alpha1.PipelineStatus {
	for _, p := range m.Status.Pipelines {
		if p.Name == name {
			return p
		}
	}
	return v1alpha1.PipelineStatus{}
}

// page is what a site answers inside the cluster, by the API server's proxy.
func (u *user) page(m *v1alpha1.Meteor, path string) string {
	u.t.Helper()
	url := pipelineOf(m, book).URL
	service, ok := strings.CutPrefix(url, "http://")
	service, found := strings.CutSuffix(service, "."+u.namespace+".svc")
	if !ok || !found {
		u.t.Fatalf("%s: %q is no URL of a Service in the namespace", m.Name, url)
	}
	set, err := kubernetes.NewForConfig(on.Config)
	must(u.t, err)
	data, err := set.CoreV1().Services(u.namespace).ProxyGet("http", service, "80", path, nil).DoRaw(u.t.Context())
	if err != nil {
		u.t.Fatalf("%s: the site does not answer for %s: %v", m.Name, path, err)
	}
	return string(data)
}

// meteorGoodDay is the example of the documentation: an image that is offered, and a site that answers.
func meteorGoodDay(t *testing.T) {
	u := newUser(t)
	m := u.meteor("demo", "public/meteor-demo", "main", 5000)
	m.Annotations = map[string]string{v1alpha1.AnnotationNotebookImageName: "The demo", v1alpha1.AnnotationNotebookImageCreator: "somebody"}
	u.create(m)
	m = u.untilMeteorDone("demo")
	saysOf(t, m, hub, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	saysOf(t, m, book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "Sphinx")
	if m.Status.Phase != v1alpha1.MeteorSucceeded || len(m.Status.Stage.Succeeded) != 2 || len(m.Status.GitCommit) != 40 {
		t.Errorf("status is %+v", m.Status)
	}
	if left := m.Status.ExpirationTimestamp.Sub(m.CreationTimestamp.Time); left != 5000*time.Second {
		t.Errorf("it expires %s after its creation", left)
	}
	for path, want := range map[string]string{
		"/": "README.html", "/README.html": "A demo", "/docs/guide.html": "worth knowing", "/notebooks/demo.html": "\n42\n", "/notebooks/kept.html": "as it was",
	} {
		if got := u.page(m, path); !strings.Contains(got, want) {
			t.Errorf("want %q in what the site answers for %s, got %.2000s", want, path, got)
		}
	}
	image := u.get("demo")
	if image.Status.Phase != v1alpha1.PhaseReady || image.DisplayName() != "The demo" || image.Creator() != "somebody" || !metav1.IsControlledBy(image, m) {
		t.Errorf("the CustomNBImage is %+v", image)
	}
	if stream := u.stream("demo"); stream != nil && stream.Labels["opendatahub.io/notebook-image"] != "true" {
		t.Error("the image is not offered")
	}
	u.sitePodIsRestricted(m)

	must(t, u.client.Delete(t.Context(), m))
	gone(t, "deployments", &appsv1.DeploymentList{}, client.InNamespace(u.namespace))
	gone(t, "runs", &tektonv1.PipelineRunList{}, client.InNamespace(u.namespace))
	gone(t, "images", &v1alpha1.CustomNBImageList{}, client.InNamespace(u.namespace))
	gone(t, "pods", &corev1.PodList{}, client.InNamespace(u.namespace))
	gone(t, "services", &corev1.ServiceList{}, client.InNamespace(u.namespace))
}

// sitePodIsRestricted looks at the pod that serves a site as it was admitted.
func (u *user) sitePodIsRestricted(m *v1alpha1.Meteor) {
	u.t.Helper()
	pods := &corev1.PodList{}
	must(u.t, on.Client.List(u.t.Context(), pods, client.InNamespace(u.namespace), client.HasLabels{"meteor.zone/site"}))
	if len(pods.Items) != 1 {
		u.t.Fatalf("%s: %d pods serve the site", m.Name, len(pods.Items))
	}
	pod := pods.Items[0].Spec
	for _, v := range pod.Volumes {
		u.t.Errorf("%s: the site's pod has volume %q", m.Name, v.Name)
	}
	if c := pod.Containers[0].SecurityContext; !ptr.Deref(c.ReadOnlyRootFilesystem, false) {
		u.t.Errorf("%s: the site can be written to", m.Name)
	}
}

// meteorBadDays has what goes wrong told, each for its own reason, beside what went well.
func meteorBadDays(t *testing.T) {
	u := newUser(t)
	const absent = "reports-of-nobody"
	u.create(
		u.meteor("gone", "public/no-such-repository", "", 0, book),
		u.meteor("ref", "public/meteor-demo", "no-such-branch", 0, book),
		u.meteor("nothing", "public/no-book", "", 0),
		u.meteor("notebook", "public/book-fails", "", 0, book),
		u.meteor("private", "private/private-notebooks", "", 0, book),
		u.meteor("pipeline", "public/plain", "", 0, book, absent),
	)
	for name, want := range map[string]struct {
		reason string
		words  []string
	}{
		"gone":     {v1alpha1.ReasonGitAuthenticationFailed, []string{"no-such-repository"}},
		"ref":      {v1alpha1.ReasonGitRefNotFound, []string{"no-such-branch"}},
		"nothing":  {v1alpha1.ReasonBookNotFound, []string{"no book"}},
		"notebook": {v1alpha1.ReasonBuildFailed, []string{"broken.ipynb", "NameError: name 'undefined_name' is not defined"}},
		"private":  {v1alpha1.ReasonGitAuthenticationFailed, []string{"private-notebooks", "gitSecret"}},
	} {
		m := u.untilMeteorDone(name)
		saysOf(t, m, book, metav1.ConditionFalse, want.reason, want.words...)
		if m.Status.Phase != v1alpha1.MeteorFailed || pipelineOf(m, book).Ready != "False" || pipelineOf(m, book).URL != "" {
			t.Errorf("%s: %+v", name, m.Status)
		}
	}
	// One pipeline's failure leaves the other's result.
	saysOf(t, u.getMeteor("nothing"), hub, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	m := u.untilMeteorDone("pipeline")
	saysOf(t, m, absent, metav1.ConditionFalse, v1alpha1.ReasonPipelineNotFound, absent)
	saysOf(t, m, book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if got := u.page(m, "/"); !strings.Contains(got, "html") {
		t.Errorf("the site answers %.200s", got)
	}

	u.create(u.gitSecret("right", on.Local.GitPassword))
	u.editMeteor("private", func(m *v1alpha1.Meteor) { m.Spec.GitSecret = &v1alpha1.LocalSecretReference{Name: "right"} })
	m = u.untilMeteorDone("private")
	if c := meteorCondition(m, v1alpha1.ConditionPipelinePrefix+book); c.Reason == v1alpha1.ReasonGitAuthenticationFailed || len(m.Status.GitCommit) != 40 {
		t.Errorf("the repository is not read with gitSecret: %+v", m.Status)
	}
}

// meteorEdits has a site replaced by one that built, and by nothing else.
func meteorEdits(t *testing.T) {
	u := newUser(t)
	u.create(u.meteor("m", "public/plain", "", 0, book))
	m := u.untilMeteorDone("m")
	saysOf(t, m, book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	first := m.Status.Site.Image
	u.editMeteor("m", func(m *v1alpha1.Meteor) { m.Spec.URL = on.Local.Git + "/public/book-fails" })
	m = u.untilMeteorDone("m")
	saysOf(t, m, book, metav1.ConditionFalse, v1alpha1.ReasonBuildFailed, "before stays")
	if m.Status.Site.Image != first || !strings.Contains(u.page(m, "/README.html"), "Nothing is needed") {
		t.Errorf("the site was replaced by one that did not build: %+v", m.Status)
	}
	u.editMeteor("m", func(m *v1alpha1.Meteor) { m.Spec.URL = on.Local.Git + "/public/meteor-demo" })
	m = u.untilMeteorDone("m")
	saysOf(t, m, book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if m.Status.Site.Image == first || !strings.Contains(u.page(m, "/README.html"), "Meteor demo") {
		t.Errorf("the site was not replaced: %+v", m.Status)
	}
}

// meteorEnds has two Meteors of one repository, of which one ends, to the second, while the other stays; and one that ends
// while it is built, by the longest name.
func meteorEnds(t *testing.T) {
	u := newUser(t)
	long := strings.Repeat("m", 63)
	u.create(u.meteor("stays", "public/plain", "", 0, book), u.meteor("ends", "public/plain", "", 90, book), u.meteor(long, "public/plain", "", 5, book))
	u.goneInTime(long, 5*time.Second)
	u.untilMeteor("stays", "is served", func(m *v1alpha1.Meteor) bool { return m.Status.Phase == v1alpha1.MeteorSucceeded })
	u.goneInTime("ends", 90*time.Second)
	gone(t, "the ended site's deployment", &appsv1.DeploymentList{}, operator.Named(u.namespace, "meteor-ends"))
	if got := u.page(u.getMeteor("stays"), "/"); !strings.Contains(got, "html") {
		t.Errorf("the other's site answers %.200s", got)
	}
}

// goneInTime checks when a Meteor goes, counted from its creation.
func (u *user) goneInTime(name string, ttl time.Duration) {
	u.t.Helper()
	obj := &v1alpha1.Meteor{}
	err := u.client.Get(u.t.Context(), u.key(name), obj)
	if apierrors.IsNotFound(err) {
		return
	}
	must(u.t, err)
	due := obj.CreationTimestamp.Add(ttl)
	for {
		err := u.client.Get(u.t.Context(), u.key(name), obj)
		late := time.Since(due)
		if apierrors.IsNotFound(err) {
			if late < 0 || late > 3*time.Second {
				u.t.Errorf("%s was gone %s after its time", name, late)
			}
			u.t.Logf("%s was gone %s after its time", name, late.Round(10*time.Millisecond))
			return
		}
		must(u.t, err)
		if late > time.Minute {
			u.t.Fatalf("%s is there %s after its time", name, late)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// meteorForeign runs a Pipeline of another tool, and changes nothing about it.
func meteorForeign(t *testing.T) {
	u := newUser(t)
	restricted := &corev1.SecurityContext{
		RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532), AllowPrivilegeEscalation: ptr.To(false),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	reports := &tektonv1.Pipeline{ObjectMeta: metav1.ObjectMeta{Name: "reports", Namespace: u.namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "another-tool"}}}
	reports.Spec = tektonv1.PipelineSpec{
		Params:  tektonv1.ParamSpecs{{Name: "url", Type: tektonv1.ParamTypeString}, {Name: "ref", Type: tektonv1.ParamTypeString}},
		Results: []tektonv1.PipelineResult{{Name: "url", Value: *tektonv1.NewStructuredValues("$(tasks.report.results.url)")}},
		Tasks: []tektonv1.PipelineTask{{
			Name:   "report",
			Params: tektonv1.Params{{Name: "ref", Value: *tektonv1.NewStructuredValues("$(params.ref)")}},
			TaskSpec: &tektonv1.EmbeddedTask{TaskSpec: tektonv1.TaskSpec{
				Params:  tektonv1.ParamSpecs{{Name: "ref", Type: tektonv1.ParamTypeString}},
				Results: []tektonv1.TaskResult{{Name: "url"}},
				Steps: []tektonv1.Step{{
					Name: "say", Image: on.Local.Registry + "/busybox:1", SecurityContext: restricted,
					Command: []string{"/bin/sh", "-c", `echo -n "https://reports.example/$1" > $(results.url.path)`, "sh", "$(params.ref)"},
				}},
			}},
		}},
	}
	must(t, on.Client.Create(t.Context(), reports))
	u.create(u.meteor("m", "public/plain", "main", 0, "reports"))
	m := u.untilMeteorDone("m")
	saysOf(t, m, "reports", metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if got := pipelineOf(m, "reports"); got.URL != "https://reports.example/main" || got.Ready != "True" {
		t.Errorf("the pipeline's result is not shown: %+v", got)
	}
	must(t, u.client.Delete(t.Context(), m))
	gone(t, "runs", &tektonv1.PipelineRunList{}, client.InNamespace(u.namespace))
	now := &tektonv1.Pipeline{}
	must(t, on.Client.Get(t.Context(), client.ObjectKeyFromObject(reports), now))
	if now.Generation != reports.Generation || len(now.OwnerReferences) > 0 || len(now.Labels) != 1 {
		t.Errorf("the other tool's Pipeline was changed: %+v", now.ObjectMeta)
	}
}

// meteorShrinks has a Meteor reached at a host of the admin's, and edited until little is left of it.
func meteorShrinks(t *testing.T) {
	u := newUser(t)
	const domain = "sites.example.com"
	serve := func(spec *v1alpha1.CNBiConfigSpec) { spec.Meteor.Ingress = &v1alpha1.MeteorIngress{Host: domain} }
	changeConfig(t, serve)
	u.create(u.meteor("m", "public/plain", "main", 0))
	u.until("m", "is there", func(*v1alpha1.CustomNBImage) bool { return true })
	u.editMeteor("m", func(m *v1alpha1.Meteor) { m.Spec.Pipelines = []string{book} })
	gone(t, "the CustomNBImage", &v1alpha1.CustomNBImageList{}, inNamespace(u))

	ingress := &networkingv1.Ingress{ObjectMeta: u.meta("meteor-m")}
	reached := func() {
		t.Helper()
		untilIs(t, "the site is reached from outside", ingress, func() bool { return len(ingress.Spec.Rules) == 1 })
		rule := ingress.Spec.Rules[0]
		label, ok := strings.CutSuffix(rule.Host, "."+domain)
		// The namespace has a hyphen, so the host has a hash behind.
		ok = ok && strings.HasPrefix(label, "m-"+u.namespace+"-") && !strings.Contains(label, ".")
		if backend := rule.HTTP.Paths[0].Backend.Service; !ok || backend.Name != "meteor-m" {
			t.Errorf("the site is reached as %s, from Service %q", rule.Host, backend.Name)
		}
	}
	reached()
	if m := u.getMeteor("m"); len(m.Status.Pipelines) != 1 || m.Status.CustomNBImageName != "" {
		t.Errorf("what is not wanted any more is in the status: %+v", m.Status)
	}
	editConfig(t, func(spec *v1alpha1.CNBiConfigSpec) { spec.Meteor.Ingress = nil })
	gone(t, "the Ingress", &networkingv1.IngressList{}, inNamespace(u))
	m := u.untilMeteorDone("m")
	saysOf(t, m, book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if got := u.page(m, "/README.html"); !strings.Contains(got, "Nothing is needed") {
		t.Errorf("the site answers %.200s", got)
	}

	editConfig(t, serve)
	reached()
	u.editMeteor("m", func(m *v1alpha1.Meteor) { m.Spec.Pipelines = []string{hub} })
	gone(t, "the site's Ingress", &networkingv1.IngressList{}, inNamespace(u))
	gone(t, "the site's Deployment", &appsv1.DeploymentList{}, inNamespace(u))
	gone(t, "the site's Service", &corev1.ServiceList{}, inNamespace(u))
	u.until("m", "is there again", func(*v1alpha1.CustomNBImage) bool { return true })
	m = u.untilMeteor("m", "says what is left", func(m *v1alpha1.Meteor) bool { return m.Status.Site == nil && m.Status.CustomNBImageName == "m" })
	if len(m.Status.Pipelines) != 1 || pipelineOf(m, book).URL != "" {
		t.Errorf("what is not wanted any more is in the status: %+v", m.Status)
	}
}

// meteorEndsWhileAway has a Meteor's time be over while there is no operator.
func meteorEndsWhileAway(t *testing.T) {
	u := newUser(t)
	t.Cleanup(func() { _ = scale(contextAfter(), 1) })
	u.create(u.meteor("m", "public/plain", "", 20, book))
	u.untilMeteor("m", "is seen", func(m *v1alpha1.Meteor) bool { return m.Status.ExpirationTimestamp != nil })
	must(t, scale(t.Context(), 0))
	time.Sleep(25 * time.Second)
	u.getMeteor("m")
	must(t, scale(t.Context(), 1))
	gone(t, "Meteors", &v1alpha1.MeteorList{}, client.InNamespace(u.namespace))
}
