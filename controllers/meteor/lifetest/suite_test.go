package lifetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"knative.dev/pkg/apis"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditionstest"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

const (
	repository = "https://git.example/org/meteor-demo"
	registry   = "registry.example"
	commit     = "0123456789abcdef0123456789abcdef01234567"
	hub, book  = v1alpha1.PipelineJupyterHub, v1alpha1.PipelineJupyterBook
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, &env) }

// world is a namespace of a cluster in which managers come and go.
type world struct {
	t         *testing.T
	namespace string
	clock     *testenv.Clock
	requests  *testenv.Requests
	stop      func()
}

func newWorld(t *testing.T, tekton bool) *world {
	t.Helper()
	w := &world{t: t, clock: &testenv.Clock{}}
	w.clean()
	t.Cleanup(w.clean)
	if tekton {
		env.InstallTekton(t)
	} else {
		env.RemoveTekton(t)
	}
	w.namespace = env.Namespace(t)
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.Repository = registry + "/built/{namespace}/{name}" })
	return w
}

// clean takes away what could keep a manager of another test busy.
func (w *world) clean() {
	env.Clear(w.t, &v1alpha1.MeteorList{}, &v1alpha1.CustomNBImageList{}, &v1alpha1.CNBiConfigList{}, &tektonv1.PipelineRunList{})
}

// start starts a manager, which the end of the test stops.
func (w *world) start() {
	w.t.Helper()
	w.requests, w.stop = env.StartManager(w.t, nil, w.setup)
}

// setup adds all controllers to a manager.
func (w *world) setup(ctx context.Context, mgr ctrl.Manager) error {
	return controllers.SetupAll(ctx, mgr, controllers.Options{
		OperatorImage: registry + "/meteor-operator:1",
		BookImage:     registry + "/book:1",
		Clock:         w.clock,
		Registerer:    prometheus.NewRegistry(),
		LookEvery:     200 * time.Millisecond,
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (w *world) configure(fn func(*v1alpha1.CNBiConfig)) {
	w.t.Helper()
	env.Configure(w.t, fn)
}

// meteor creates a Meteor.
func (w *world) meteor(name string, fn func(*v1alpha1.Meteor)) {
	w.t.Helper()
	obj := &v1alpha1.Meteor{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: v1alpha1.MeteorSpec{URL: repository, Ref: "main"}}
	if fn != nil {
		fn(obj)
	}
	if err := env.Client.Create(w.t.Context(), obj); err != nil {
		w.t.Fatalf("cannot create %s: %v", name, err)
	}
}

func (w *world) edit(name string, fn func(*v1alpha1.Meteor)) {
	w.t.Helper()
	testenv.Edit(w.t, env, &v1alpha1.Meteor{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}, fn)
}

func (w *world) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: name}
}

// get reads an object of the namespace, soon.
func (w *world) get(name string, into client.Object) {
	w.t.Helper()
	testenv.Eventually(w.t, fmt.Sprintf("%T %s is there", into, name), func() error {
		return env.Client.Get(w.t.Context(), w.key(name), into)
	})
}

// gone waits until there is no such object.
func (w *world) gone(name string, kind client.Object) {
	w.t.Helper()
	testenv.Eventually(w.t, fmt.Sprintf("%T %s is gone", kind, name), func() error {
		err := env.Client.Get(w.t.Context(), w.key(name), kind)
		if err == nil {
			return errors.New("it is there")
		}
		return client.IgnoreNotFound(err)
	})
}

type check func(*v1alpha1.Meteor) error

// is waits until a Meteor satisfies all checks.
func (w *world) is(name, what string, checks ...check) *v1alpha1.Meteor {
	w.t.Helper()
	obj := &v1alpha1.Meteor{}
	testenv.Eventually(w.t, name+" is "+what, func() error {
		if err := env.Client.Get(w.t.Context(), w.key(name), obj); err != nil {
			return err
		}
		for _, check := range checks {
			if err := check(obj); err != nil {
				return fmt.Errorf("%w: %+v", err, obj.Status)
			}
		}
		return nil
	})
	conditionstest.Check(w.t, obj)
	return obj
}

func phaseIs(phase v1alpha1.MeteorPhase) check {
	return func(obj *v1alpha1.Meteor) error {
		if obj.Status.Phase != phase {
			return fmt.Errorf("phase is %q", obj.Status.Phase)
		}
		return nil
	}
}

// pipelineIs checks a pipeline's condition.
func pipelineIs(name string, status metav1.ConditionStatus, reason string) check {
	return func(obj *v1alpha1.Meteor) error {
		c := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionPipelinePrefix+name)
		if c == nil || c.Status != status || c.Reason != reason {
			return fmt.Errorf("%s is %+v", name, c)
		}
		return nil
	}
}

func pipelineOf(obj *v1alpha1.Meteor, name string) v1alpha1.PipelineStatus {
	for _, p := range obj.Status.Pipelines {
		if p.Name == name {
			return p
		}
	}
	return v1alpha1.PipelineStatus{}
}

// runs are the runs of a pipeline, or of looks where it is empty.
func (w *world) runs(pipeline string) []tektonv1.PipelineRun {
	w.t.Helper()
	list := &tektonv1.PipelineRunList{}
	if err := env.Client.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	var all []tektonv1.PipelineRun
	for _, run := range list.Items {
		if run.Labels[v1alpha1.LabelPipeline] == pipeline && run.Labels[v1alpha1.LabelMeteor] != "" {
			all = append(all, run)
		}
	}
	return all
}

// run waits for the only run of a pipeline that has not ended.
func (w *world) run(pipeline string) *tektonv1.PipelineRun {
	w.t.Helper()
	var found *tektonv1.PipelineRun
	testenv.Eventually(w.t, "there is a run of "+pipeline, func() error {
		found = nil
		for _, run := range w.runs(pipeline) {
			if !run.IsDone() && found != nil {
				return errors.New("there are two")
			}
			if !run.IsDone() {
				found = &run
			}
		}
		if found == nil {
			return errors.New("there is none")
		}
		return nil
	})
	return found
}

// words are a step's results as its container leaves them.
func words(results map[string]string) string {
	list := []map[string]string{}
	for key, value := range results {
		list = append(list, map[string]string{"key": key, "value": value})
	}
	data, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// step is how a step of a played TaskRun ended.
type step struct {
	name    string
	code    int32
	results map[string]string
}

// end plays Tekton: one task with the given steps, and the end of the run.
func (w *world) end(run *tektonv1.PipelineRun, task string, steps ...step) {
	w.t.Helper()
	now := metav1.NewTime(w.clock.Now())
	status := corev1.ConditionTrue
	t := &tektonv1.TaskRun{}
	for _, s := range steps {
		state := tektonv1.StepState{Name: s.name}
		state.Terminated = &corev1.ContainerStateTerminated{ExitCode: s.code, Message: words(s.results), FinishedAt: now, StartedAt: now}
		t.Status.Steps = append(t.Status.Steps, state)
		for key, value := range s.results {
			t.Status.Results = append(t.Status.Results, tektonv1.TaskRunResult{Name: key, Type: tektonv1.ResultsTypeString, Value: *tektonv1.NewStructuredValues(value)})
		}
		if s.code != 0 {
			status = corev1.ConditionFalse
			break
		}
	}
	condition := apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: "Any", Message: "Any"}
	t.Status.SetCondition(&condition)
	t.Status.CompletionTime = &now
	w.task(run, task, t.Status)
	w.endRun(run, condition, nil)
}

// task plays a run's task that is as it is told to be.
func (w *world) task(run *tektonv1.PipelineRun, name string, status tektonv1.TaskRunStatus) *tektonv1.TaskRun {
	w.t.Helper()
	t := &tektonv1.TaskRun{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.namespace, Name: run.Name + "-" + name, Labels: run.Labels,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "tekton.dev/v1", Kind: "PipelineRun", Name: run.Name, UID: run.UID, Controller: ptr.To(true)}},
	}, Spec: tektonv1.TaskRunSpec{TaskRef: &tektonv1.TaskRef{Name: "any"}}}
	if err := env.Client.Create(w.t.Context(), t); err != nil {
		w.t.Fatal(err)
	}
	t.Status = status
	run.Status.ChildReferences = []tektonv1.ChildStatusReference{{Name: t.Name, PipelineTaskName: name}}
	run.Status.ChildReferences[0].Kind = "TaskRun"
	if err := errors.Join(env.Client.Status().Update(w.t.Context(), t), env.Client.Status().Update(w.t.Context(), run)); err != nil {
		w.t.Fatal(err)
	}
	return t
}

// endRun plays the end of a run.
func (w *world) endRun(run *tektonv1.PipelineRun, condition apis.Condition, fn func(*tektonv1.PipelineRun)) {
	w.t.Helper()
	now := metav1.NewTime(w.clock.Now())
	run.Status.SetCondition(&condition)
	run.Status.CompletionTime = &now
	if fn != nil {
		fn(run)
	}
	if err := env.Client.Status().Update(w.t.Context(), run); err != nil {
		w.t.Fatal(err)
	}
}

func digest(n int) string { return fmt.Sprintf("sha256:%064d", n) }

// builds plays a book that builds, of the given commit and number.
func (w *world) builds(run *tektonv1.PipelineRun, of string, n int) {
	w.t.Helper()
	w.end(run, "book",
		step{name: "prepare", results: map[string]string{"commit": of}},
		step{name: "build"},
		step{name: "push", results: map[string]string{"commit": of, "image": registry + "/built/site@" + digest(n), "book": `{"tool":"Sphinx","pages":4,"bytes":1000}`}})
}

// fails plays a book that does not, for a reason that the given step tells.
func (w *world) fails(run *tektonv1.PipelineRun, name, reason, message string) {
	w.t.Helper()
	data, err := json.Marshal(map[string]string{"reason": reason, "message": message})
	if err != nil {
		w.t.Fatal(err)
	}
	steps := []step{{name: "prepare", results: map[string]string{"commit": commit}}, {name: "build"}, {name: "push"}}
	for i := range steps {
		if steps[i].name == name {
			steps[i].code, steps[i].results = 1, map[string]string{"failure": string(data)}
		}
	}
	w.end(run, "book", steps...)
}

// deploys plays the controllers that start a Deployment's pods.
func (w *world) deploys(name string) *appsv1.Deployment {
	w.t.Helper()
	d := &appsv1.Deployment{}
	w.get(name, d)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	if err := env.Client.Status().Update(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// events are the reasons of a Meteor's events of the given type.
func (w *world) events(name, kind string) []string {
	w.t.Helper()
	list := &corev1.EventList{}
	if err := env.Client.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	var reasons []string
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == v1alpha1.MeteorKind && e.InvolvedObject.Name == name && e.Type == kind {
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}

// settle waits until the manager writes nothing more.
func (w *world) settle() {
	w.t.Helper()
	testenv.Eventually(w.t, "it is quiet", func() error {
		w.requests.Reset()
		time.Sleep(700 * time.Millisecond)
		return w.quiet()
	})
}

func (w *world) quiet() error {
	if writes := w.requests.Writes(); len(writes) > 0 {
		return fmt.Errorf("writes: %v", writes)
	}
	return nil
}

func (w *world) ingress(name string) *networkingv1.Ingress {
	i := &networkingv1.Ingress{}
	w.get(name, i)
	return i
}
