package lifetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

func only(pipelines ...string) func(*v1alpha1.Meteor) {
	return func(m *v1alpha1.Meteor) { m.Spec.Pipelines = pipelines }
}

func TestGoodDay(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("demo", func(m *v1alpha1.Meteor) {
		m.Annotations = map[string]string{v1alpha1.AnnotationNotebookImageName: "My demo", "example.com/other": "x"}
	})
	obj := w.is("demo", "building", phaseIs(v1alpha1.MeteorBuilding), pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonBuilding))
	if diff := cmp.Diff([]string{hub, book}, obj.Status.Stage.Running); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}

	image := &v1alpha1.CustomNBImage{}
	w.get("demo", image)
	if image.Spec.BuildType != v1alpha1.BuildTypeGitRepository || image.Spec.RepositoryURL != repository || image.Spec.GitRef != "main" {
		t.Errorf("the CustomNBImage asks for %+v", image.Spec)
	}
	if image.Annotations[v1alpha1.AnnotationNotebookImageName] != "My demo" || image.Annotations["example.com/other"] != "" {
		t.Errorf("the CustomNBImage's annotations are %v", image.Annotations)
	}

	run := w.run(book)
	w.builds(run, commit, 1)
	readyIs := func(want string) check {
		return func(m *v1alpha1.Meteor) error {
			if got := pipelineOf(m, book).Ready; got != want {
				return fmt.Errorf("ready is %q", got)
			}
			return nil
		}
	}
	w.is("demo", "serving", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonServing), readyIs("Unknown"))
	d := w.deploys("meteor-demo")
	checkRestricted(t, d)
	w.is("demo", "served", pipelineIs(book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded), readyIs("True"))

	// How the CustomNBImage stands shows through, and leaves what the book has become as it is.
	w.endRun(w.imageRun("demo"), apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionFalse, Reason: "Cancelled", Message: "Any"}, nil)
	obj = w.is("demo", "half good", phaseIs(v1alpha1.MeteorFailed), pipelineIs(hub, metav1.ConditionFalse, v1alpha1.ReasonBuildCancelled), pipelineIs(book, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	if c := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "can be used: jupyterbook") || pipelineOf(obj, book).URL == "" {
		t.Errorf("what is good is not told: %+v", obj.Status)
	}
	w.edit("demo", func(m *v1alpha1.Meteor) { metav1.SetMetaDataAnnotation(&m.ObjectMeta, v1alpha1.AnnotationRebuild, "1") })
	w.imageRun("demo")
}

// imageRun waits for a run of a CustomNBImage that has not ended.
func (w *world) imageRun(name string) *tektonv1.PipelineRun {
	w.t.Helper()
	list := &tektonv1.PipelineRunList{}
	i := -1
	testenv.Eventually(w.t, "there is a run for image "+name, func() error {
		if err := env.Client.List(w.t.Context(), list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelCustomNBImage: name}); err != nil {
			return err
		}
		if i = slices.IndexFunc(list.Items, func(run tektonv1.PipelineRun) bool { return !run.IsDone() }); i < 0 {
			return errors.New("there is none")
		}
		return nil
	})
	return &list.Items[i]
}

// checkRestricted checks that a site's pod may do nothing.
func checkRestricted(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	pod := d.Spec.Template.Spec
	c := pod.Containers[0].SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || *pod.AutomountServiceAccountToken ||
		*c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem || c.Capabilities.Drop[0] != "ALL" {
		t.Errorf("the site's pod is %+v", pod)
	}
}

func TestSite(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("demo", only(book))
	w.builds(w.run(book), commit, 1)
	w.deploys("meteor-demo")
	obj := w.is("demo", "ready", phaseIs(v1alpha1.MeteorSucceeded))
	want := v1alpha1.PipelineStatus{Name: book, PipelineRunName: pipelineOf(obj, book).PipelineRunName, URL: "http://meteor-demo." + w.namespace + ".svc", Ready: "True"}
	if diff := cmp.Diff([]v1alpha1.PipelineStatus{want}, obj.Status.Pipelines); diff != "" {
		t.Errorf("pipelines (-want +got):\n%s", diff)
	}
	wantSite := &v1alpha1.MeteorSite{Image: v1alpha1.ImageReference(registry + "/built/site@" + digest(1)), BuiltWith: v1alpha1.BookToolSphinx, GitCommit: commit, Pages: 4}
	if diff := cmp.Diff(wantSite, obj.Status.Site); diff != "" {
		t.Errorf("site (-want +got):\n%s", diff)
	}
	if obj.Status.GitCommit != commit || obj.Status.ObservedGeneration != obj.Generation || len(obj.Status.Stage.Succeeded) != 1 {
		t.Errorf("status is %+v", obj.Status)
	}

	// A restart writes nothing.
	w.settle()
	w.stop()
	w.start()
	w.settle()
	w.requests.Reset()
	w.edit("demo", func(m *v1alpha1.Meteor) { metav1.SetMetaDataAnnotation(&m.ObjectMeta, "example.com/touched", "1") })
	testenv.Steady(t, "nothing is written", 2*time.Second, w.quiet)

	// Extending builds nothing.
	w.edit("demo", func(m *v1alpha1.Meteor) { m.Spec.TTL = ptr.To[int64](50_000) })
	w.is("demo", "extended", expires(50_000*time.Second), phaseIs(v1alpha1.MeteorSucceeded))
	if n := len(w.runs(book)); n != 1 {
		t.Errorf("%d runs", n)
	}

	// An edit builds again; the site stays until the new one has built, and also when that fails.
	w.edit("demo", func(m *v1alpha1.Meteor) { m.Spec.Ref = "broken" })
	w.fails(w.run(book), "build", "BuildFailed", `Notebook "a.ipynb" could not be run: NameError`)
	obj = w.is("demo", "failed", phaseIs(v1alpha1.MeteorFailed), pipelineIs(book, metav1.ConditionFalse, v1alpha1.ReasonBuildFailed))
	if pipelineOf(obj, book).URL != want.URL || pipelineOf(obj, book).Ready != "False" || obj.Status.Site == nil {
		t.Errorf("the site is not kept: %+v", obj.Status)
	}
	d := &appsv1.Deployment{}
	w.get("meteor-demo", d)
	if got := d.Spec.Template.Spec.Containers[0].Image; got != string(wantSite.Image) {
		t.Errorf("the site's image is %s", got)
	}
	w.settle()
	testenv.Steady(t, "nothing is written", time.Second, w.quiet)

	// Going back is a new build.
	w.edit("demo", func(m *v1alpha1.Meteor) { m.Spec.Ref = "main" })
	w.builds(w.run(book), strings.Repeat("b", 40), 2)
	testenv.Eventually(t, "the new site is served", func() error {
		w.get("meteor-demo", d)
		if got := d.Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(got, digest(2)) {
			return errors.New(got)
		}
		return nil
	})
	w.deploys("meteor-demo")
	w.is("demo", "ready", phaseIs(v1alpha1.MeteorSucceeded))

	// What is taken out of the list goes.
	w.edit("demo", only(hub))
	w.gone("meteor-demo", &appsv1.Deployment{})
	w.gone("meteor-demo", &corev1.Service{})
	w.is("demo", "without a site", func(m *v1alpha1.Meteor) error {
		if m.Status.Site != nil || len(m.Status.Pipelines) != 1 || pipelineIs(book, metav1.ConditionFalse, "")(m) == nil {
			return errors.New("it is told still")
		}
		return nil
	})
}

func TestIngress(t *testing.T) {
	w := newWorld(t, true)
	w.configure(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Meteor.Ingress = &v1alpha1.MeteorIngress{Host: "apps.example.org", ClassName: "nginx", TLS: v1alpha1.IngressTLSEnabled}
	})
	w.start()
	w.meteor("demo", only(book))
	w.builds(w.run(book), commit, 1)
	w.deploys("meteor-demo")
	i := w.ingress("meteor-demo")
	host := i.Spec.Rules[0].Host
	if !strings.HasPrefix(host, "demo-"+w.namespace+"-") || !strings.HasSuffix(host, ".apps.example.org") || *i.Spec.IngressClassName != "nginx" || i.Spec.TLS[0].Hosts[0] != host {
		t.Errorf("the Ingress is %+v", i.Spec)
	}
	w.is("demo", "waiting for an address", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonServing))
	i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	if err := env.Client.Status().Update(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	w.is("demo", "ready", phaseIs(v1alpha1.MeteorSucceeded), func(m *v1alpha1.Meteor) error {
		if got := pipelineOf(m, book).URL; got != "https://"+host {
			return errors.New(got)
		}
		return nil
	})
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Meteor.Ingress = nil })
	w.gone("meteor-demo", &networkingv1.Ingress{})
	w.is("demo", "reached inside", func(m *v1alpha1.Meteor) error {
		if got := pipelineOf(m, book).URL; got != "http://meteor-demo."+w.namespace+".svc" {
			return errors.New(got)
		}
		return nil
	})
}

func TestFailuresAreToldApart(t *testing.T) {
	cases := map[string]struct {
		step, says, message, want string
		retried                   bool
	}{
		"NoBook":      {"build", "BookNotFound", "The repository holds no book", v1alpha1.ReasonBookNotFound, false},
		"Notebook":    {"build", "BuildFailed", "Notebook", v1alpha1.ReasonBuildFailed, false},
		"Ref":         {"prepare", "GitRefNotFound", "it has no branch", v1alpha1.ReasonGitRefNotFound, false},
		"Credentials": {"prepare", "GitAuthenticationFailed", "refused", v1alpha1.ReasonGitAuthenticationFailed, false},
		"Unreachable": {"prepare", "GitUnreachable", "no answer", v1alpha1.ReasonGitUnreachable, true},
		// What the step that runs notebooks says of things that it cannot know is not believed.
		"Forged": {"build", "GitUnreachable", "forged", v1alpha1.ReasonInternalError, true},
	}
	w := newWorld(t, true)
	w.start()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			object := strings.ToLower(name)
			w.meteor(object, only(book))
			run := w.run(book)
			w.fails(run, c.step, c.says, c.message)
			status := metav1.ConditionFalse
			if c.retried {
				status = metav1.ConditionUnknown
			}
			obj := w.is(object, "told", pipelineIs(book, status, c.want))
			if !c.retried && obj.Status.Phase != v1alpha1.MeteorFailed {
				t.Errorf("phase is %s", obj.Status.Phase)
			}
			if !c.retried {
				return
			}
			w.clock.Advance(11 * time.Second)
			w.edit(object, func(m *v1alpha1.Meteor) { metav1.SetMetaDataAnnotation(&m.ObjectMeta, "example.com/touched", "1") })
			if again := w.run(book); again.Name != run.Name+"-r2" {
				t.Errorf("the second attempt is %s", again.Name)
			}
			if err := env.Client.Delete(t.Context(), w.is(object, "there")); err != nil {
				t.Fatal(err)
			}
			if err := env.Client.Delete(t.Context(), w.run(book)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A build whose step could not tell the next one of its end is ended, and told.
func TestCutOff(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", only(book))
	run := w.run(book)
	var status tektonv1.TaskRunStatus
	status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionUnknown, Reason: "Running", Message: "Any"})
	status.Steps = []tektonv1.StepState{{Name: "build"}, {Name: "push"}}
	task := w.task(run, "book", status)
	w.settle()

	// Nothing happens to the run, and what happens to the task is no end.
	task.Status.Steps[0].Terminated = &corev1.ContainerStateTerminated{ExitCode: 2, StartedAt: metav1.NewTime(w.clock.Now().Add(-time.Hour)), FinishedAt: metav1.NewTime(w.clock.Now().Add(-10 * time.Second))}
	if err := env.Client.Status().Update(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	w.is("m", "told", pipelineIs(book, metav1.ConditionFalse, v1alpha1.ReasonLimitExceeded), phaseIs(v1alpha1.MeteorFailed))
	w.get(run.Name, run)
	if run.Spec.Status != tektonv1.PipelineRunSpecStatusCancelled {
		t.Errorf("the run's spec.status is %q", run.Spec.Status)
	}
	w.endRun(run, apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionFalse, Reason: "Cancelled", Message: "Any"}, nil)
	w.settle()
	w.is("m", "told still", pipelineIs(book, metav1.ConditionFalse, v1alpha1.ReasonLimitExceeded))
}

// A manager that cannot know whether there are Routes leaves a site as it is told, and begins nothing.
func TestUnansweredAPI(t *testing.T) {
	w := newWorld(t, true)
	w.configure(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Meteor.Ingress = &v1alpha1.MeteorIngress{Host: "apps.example.org"}
	})
	crd := routes()
	if err := env.Client.Create(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.Client.Delete(context.Background(), crd) })
	w.start()
	w.meteor("demo", only(book))
	w.builds(w.run(book), commit, 1)
	w.admit("meteor-demo", "True", "")
	w.deploys("meteor-demo")
	w.is("demo", "ready", phaseIs(v1alpha1.MeteorSucceeded))
	w.stop()
	told := w.is("demo", "ready", phaseIs(v1alpha1.MeteorSucceeded)).ResourceVersion

	var answers atomic.Bool
	w.stop = env.StartManagerThrough(t, func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if !answers.Load() && (req.URL.Path == "/apis/route.openshift.io/v1" || req.URL.Path == "/apis/security.openshift.io/v1") {
				return nil, errors.New("no route to host")
			}
			return next.RoundTrip(req)
		})
	}, nil, w.setup)
	w.meteor("new", func(m *v1alpha1.Meteor) {
		m.Spec.Pipelines, m.Spec.TTL = []string{book}, ptr.To[int64](5000)
	})
	w.is("new", "waiting", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonProgressingWithRetry), func(m *v1alpha1.Meteor) error {
		if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "security.openshift.io/v1") || m.Status.ExpirationTimestamp == nil {
			return fmt.Errorf("%+v", m.Status)
		}
		return nil
	})
	if n := len(w.runs(book)); n != 1 {
		t.Errorf("%d runs", n)
	}
	stands := func() error {
		if err := env.Client.Get(t.Context(), w.key("meteor-demo"), &networkingv1.Ingress{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the Route was taken for absent: %w", err)
		}
		demo := &v1alpha1.Meteor{}
		if w.get("demo", demo); demo.ResourceVersion != told {
			return errors.New("the site is told otherwise")
		}
		return nil
	}
	testenv.Steady(t, "the site stands", 2*time.Second, stands)

	answers.Store(true)
	testenv.Eventually(t, "the other is built", func() error {
		if n := len(w.runs(book)); n != 2 {
			return fmt.Errorf("%d runs", n)
		}
		return nil
	})
	testenv.Steady(t, "the site stands", time.Second, stands)
}

func TestForeignPipelines(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", only("reports", "missing"))
	w.is("m", "told", pipelineIs("reports", metav1.ConditionFalse, v1alpha1.ReasonPipelineNotFound), phaseIs(v1alpha1.MeteorFailed))
	testenv.Eventually(t, "each is told", func() error {
		if got := w.events("m", "Warning"); len(got) != 2 {
			return fmt.Errorf("events: %v", got)
		}
		return nil
	})

	reports := &tektonv1.Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "reports", Labels: map[string]string{"tool": "other"}}}
	reports.Spec.Tasks = []tektonv1.PipelineTask{{Name: "a", TaskRef: &tektonv1.TaskRef{Name: "a"}}}
	if err := env.Client.Create(t.Context(), reports); err != nil {
		t.Fatal(err)
	}
	run := w.run("reports") // by itself
	want := tektonv1.Params{{Name: "url", Value: *tektonv1.NewStructuredValues(repository)}, {Name: "ref", Value: *tektonv1.NewStructuredValues("main")}}
	if diff := cmp.Diff(want, run.Spec.Params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	if run.Spec.TaskRunTemplate.ServiceAccountName != "" || run.Spec.PipelineRef.Name != "reports" {
		t.Errorf("the run is %+v", run.Spec)
	}
	w.endRun(run, apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionTrue, Reason: "Succeeded"}, func(run *tektonv1.PipelineRun) {
		run.Status.Results = []tektonv1.PipelineRunResult{{Name: "url", Value: *tektonv1.NewStructuredValues("https://reports.example/1")}}
	})
	obj := w.is("m", "half good", pipelineIs("reports", metav1.ConditionTrue, v1alpha1.ReasonSucceeded), pipelineIs("missing", metav1.ConditionFalse, v1alpha1.ReasonPipelineNotFound), phaseIs(v1alpha1.MeteorFailed))
	if got := pipelineOf(obj, "reports"); got.URL != "https://reports.example/1" || got.Ready != "True" {
		t.Errorf("pipelines are %+v", obj.Status.Pipelines)
	}
	if len(obj.Status.Stage.Succeeded) != 1 || len(obj.Status.Stage.Failed) != 1 {
		t.Errorf("stage is %+v", obj.Status.Stage)
	}
	now := &tektonv1.Pipeline{}
	w.get("reports", now)
	if now.ResourceVersion != reports.ResourceVersion {
		t.Error("the other tool's Pipeline was touched")
	}
}

func TestConflicts(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	other := &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "m"},
		Spec:       v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypeImageImport, FromImage: "registry.example/a:1", Suspend: true},
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "meteor-m"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}}
	if err := errors.Join(env.Client.Create(t.Context(), other), env.Client.Create(t.Context(), service)); err != nil {
		t.Fatal(err)
	}
	w.meteor("m", nil)
	w.builds(w.run(book), commit, 1)
	w.is("m", "told", pipelineIs(hub, metav1.ConditionFalse, v1alpha1.ReasonConflictingObject), pipelineIs(book, metav1.ConditionFalse, v1alpha1.ReasonConflictingObject))
	w.get("meteor-m", service)
	if service.Spec.Ports[0].Port != 1 || len(service.OwnerReferences) > 0 {
		t.Error("somebody else's Service was changed")
	}
}

func TestSecrets(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", func(m *v1alpha1.Meteor) {
		m.Spec.Pipelines, m.Spec.GitSecret = []string{book}, &v1alpha1.LocalSecretReference{Name: "git"}
	})
	w.is("m", "waiting", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonSecretMissing))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "git"}, Type: corev1.SecretTypeBasicAuth, StringData: map[string]string{"username": "a", "password": "b"}}
	if err := env.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	run := w.run(book)
	for _, p := range run.Spec.Params {
		if p.Name == "gitSecret" && p.Value.StringVal != "git" {
			t.Errorf("gitSecret is %q", p.Value.StringVal)
		}
	}
}

func TestTwoOfOneRepository(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("one", only(book))
	w.builds(w.run(book), commit, 1)
	w.deploys("meteor-one")
	w.is("one", "ready", phaseIs(v1alpha1.MeteorSucceeded))
	w.meteor("two", only(book))
	w.builds(w.run(book), commit, 2)
	w.deploys("meteor-two")
	w.is("two", "ready", phaseIs(v1alpha1.MeteorSucceeded))
	w.is("one", "ready", phaseIs(v1alpha1.MeteorSucceeded))
}

// A branch that moved is built again, one that did not is not.
func TestRefresh(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", func(m *v1alpha1.Meteor) {
		m.Spec.Pipelines = []string{book}
		m.Spec.Refresh = &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshOnSourceChange, Interval: &metav1.Duration{Duration: 10 * time.Minute}}
	})
	w.builds(w.run(book), commit, 1)
	w.deploys("meteor-m")
	w.is("m", "ready", phaseIs(v1alpha1.MeteorSucceeded))

	look := func(found string) {
		t.Helper()
		w.clock.Advance(11 * time.Minute)
		w.edit("m", func(m *v1alpha1.Meteor) {
			metav1.SetMetaDataAnnotation(&m.ObjectMeta, "example.com/touched", fmt.Sprint(time.Now()))
		})
		run := w.run("") // a look
		w.end(run, "find", step{name: "find", results: map[string]string{"commit": found}})
	}
	look(commit)
	testenv.Eventually(t, "the look is over", func() error {
		if n := len(w.runs("")); n > 0 {
			return fmt.Errorf("%d looks", n)
		}
		return nil
	})
	if n := len(w.runs(book)); n != 1 {
		t.Errorf("%d runs", n)
	}
	moved := strings.Repeat("b", 40)
	look(moved)
	run := w.run(book)
	obj := w.is("m", "built again", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonBuilding))
	if pipelineOf(obj, book).URL == "" {
		t.Error("the site is not told of any more")
	}
	w.builds(run, moved, 2)
	testenv.Eventually(t, "the new site is served", func() error {
		d := &appsv1.Deployment{}
		w.get("meteor-m", d)
		if got := d.Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(got, digest(2)) {
			return errors.New(got)
		}
		return nil
	})
	w.deploys("meteor-m")
	w.is("m", "ready", phaseIs(v1alpha1.MeteorSucceeded), func(m *v1alpha1.Meteor) error {
		if m.Status.Site.GitCommit != moved {
			return errors.New(m.Status.Site.GitCommit)
		}
		return nil
	})
	w.settle()
}

// An operator that ends at any moment starts nothing twice.
func TestRestarts(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", only(book))
	run := w.run(book)
	w.stop()
	w.start()
	w.settle()
	if again := w.run(book); again.UID != run.UID {
		t.Error("there is another run")
	}
	w.stop()
	w.builds(run, commit, 1)
	w.start()
	w.deploys("meteor-m")
	w.is("m", "ready", phaseIs(v1alpha1.MeteorSucceeded))
	if n := len(w.runs(book)); n != 1 {
		t.Errorf("%d runs", n)
	}
}

// What is waited for is told, and starts by itself.
func TestWaiting(t *testing.T) {
	w := newWorld(t, true)
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.Repository = "" })
	w.start()
	w.meteor("m", only(book))
	w.is("m", "waiting", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonRegistryNotConfigured), phaseIs(v1alpha1.MeteorBuilding))
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.Repository = registry + "/a/{namespace}/{name}" })
	w.run(book)
}

// OpenShift's internal registry takes an image only where there is an ImageStream for it.
func TestInternalRegistry(t *testing.T) {
	w := newWorld(t, true)
	env.InstallImageStreams(t)
	t.Cleanup(func() { env.RemoveImageStreams(t) })
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.Repository = "" })
	w.start()
	w.meteor("m", only(book))
	run := w.run(book)
	stream := &imagev1.ImageStream{}
	w.get("meteor-m", stream)
	if len(stream.OwnerReferences) != 1 || stream.Labels["opendatahub.io/notebook-image"] != "" {
		t.Errorf("the ImageStream is %+v", stream)
	}
	for _, p := range run.Spec.Params {
		if p.Name == "targetImage" && !strings.HasPrefix(p.Value.StringVal, "image-registry.openshift-image-registry.svc:5000/"+w.namespace+"/meteor-m:") || p.Name == "pushToken" && p.Value.StringVal != "true" {
			t.Errorf("%s is %q", p.Name, p.Value.StringVal)
		}
	}
}

// Where the admin does without ImageStreams, nothing can go to a registry that asks for them.
func TestInternalRegistryWithoutStreams(t *testing.T) {
	w := newWorld(t, true)
	env.InstallImageStreams(t)
	t.Cleanup(func() { env.RemoveImageStreams(t) })
	w.configure(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Registry.Repository, c.Spec.Publish.ImageStreams = "", v1alpha1.ImageStreamsNever
	})
	w.start()
	w.meteor("m", only(book))
	w.is("m", "waiting", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonRegistryNotConfigured))
}

// routes is a stand-in for OpenShift's Routes, of which there is no CRD: the API is aggregated.
func routes() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "routes.route.openshift.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "route.openshift.io", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "routes", Singular: "route", Kind: "Route", ListKind: "RouteList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: ptr.To(true),
				}},
			}},
		},
	}
}

// admit plays a router.
func (w *world) admit(name, status, message string) {
	w.t.Helper()
	testenv.Eventually(w.t, "the Route is played", func() error {
		route := &unstructured.Unstructured{}
		route.SetAPIVersion("route.openshift.io/v1")
		route.SetKind("Route")
		if err := env.Client.Get(w.t.Context(), w.key(name), route); err != nil {
			return err
		}
		if to, _, _ := unstructured.NestedString(route.Object, "spec", "to", "name"); to != name {
			return fmt.Errorf("it leads to %q", to)
		}
		route.Object["status"] = map[string]any{"ingress": []any{map[string]any{
			"host": name + ".apps.example", "conditions": []any{map[string]any{"type": "Admitted", "status": status, "message": message}},
		}}}
		return env.Client.Status().Update(w.t.Context(), route)
	})
}

// Where there are Routes, a site has one, and its URL once a router has admitted it. Routes can come later.
func TestRoute(t *testing.T) {
	w := newWorld(t, true)
	w.configure(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Meteor.Ingress = &v1alpha1.MeteorIngress{Host: "apps.example.org"}
	})
	w.start()
	w.meteor("demo", only(book))
	w.builds(w.run(book), commit, 1)
	w.deploys("meteor-demo")
	w.ingress("meteor-demo")

	crd := routes()
	if err := env.Client.Create(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.Client.Delete(context.Background(), crd) })
	w.gone("meteor-demo", &networkingv1.Ingress{})
	w.is("demo", "waiting for a router", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonServing))
	w.admit("meteor-demo", "False", "host is taken")
	w.is("demo", "refused", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonSiteUnavailable))
	w.admit("meteor-demo", "True", "")
	w.is("demo", "reached from outside", phaseIs(v1alpha1.MeteorSucceeded), func(m *v1alpha1.Meteor) error {
		if got := pipelineOf(m, book).URL; got != "https://meteor-demo.apps.example" {
			return errors.New(got)
		}
		return nil
	})
}
