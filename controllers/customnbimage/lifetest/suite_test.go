package lifetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	"github.com/prometheus/client_golang/prometheus"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditionstest"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

const (
	pipeline = "cnbi-import"
	// quiet is how long a test watches that nothing happens.
	quiet = 2 * time.Second
	// lookEvery is how often the managers ask what the cluster offers.
	lookEvery = 200 * time.Millisecond
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, &env) }

// world is a namespace of a cluster in which managers come and go. There is no Tekton at work in it, and no kubelet: the
// test plays their part.
type world struct {
	t         *testing.T
	namespace string
	clock     *testenv.Clock
}

// newWorld starts a test with the given kinds and an empty cluster.
func newWorld(t *testing.T, tekton, streams bool) *world {
	t.Helper()
	w := &world{t: t, clock: &testenv.Clock{}}
	w.clean()
	t.Cleanup(w.clean)
	if tekton {
		env.InstallTekton(t)
	} else {
		env.RemoveTekton(t)
	}
	if streams {
		env.InstallImageStreams(t)
	} else {
		env.RemoveImageStreams(t)
	}
	w.namespace = env.Namespace(t)
	w.checkAlways()
	return w
}

// clean takes away what could keep a manager of another test busy.
func (w *world) clean() {
	env.Clear(w.t, &v1alpha1.CustomNBImageList{}, &v1alpha1.CNBiConfigList{}, &tektonv1.PipelineRunList{}, &tektonv1.TaskRunList{}, &imagev1.ImageStreamList{})
}

// checkAlways checks what must hold for the conditions of every version of every object in the namespace.
func (w *world) checkAlways() {
	w.t.Helper()
	c, err := client.NewWithWatch(env.Config, client.Options{Scheme: env.Client.Scheme()})
	if err != nil {
		w.t.Fatalf("cannot make a client: %v", err)
	}
	watcher, err := c.Watch(context.Background(), &v1alpha1.CustomNBImageList{}, client.InNamespace(w.namespace))
	if err != nil {
		w.t.Fatalf("cannot watch: %v", err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for e := range watcher.ResultChan() {
			if obj, ok := e.Object.(*v1alpha1.CustomNBImage); ok && e.Type != watch.Deleted && len(obj.Status.Conditions) > 0 {
				conditionstest.Check(w.t, obj)
			}
		}
	})
	w.t.Cleanup(func() {
		watcher.Stop()
		done.Wait()
	})
}

// manager is a running manager, wired as the real one.
type manager struct {
	*traffic
	stop func()
}

// start starts a manager. The end of the test stops it.
func (w *world) start(watchNamespaces ...string) *manager {
	w.t.Helper()
	return w.startOn(&traffic{}, watchNamespaces...)
}

func (w *world) startOn(tr *traffic, watchNamespaces ...string) *manager {
	w.t.Helper()
	stop := env.StartManagerThrough(w.t, tr.wrap, watchNamespaces, func(ctx context.Context, mgr ctrl.Manager) error {
		return controllers.SetupAll(ctx, mgr, controllers.Options{
			WatchNamespaces: watchNamespaces,
			OperatorImage:   "registry.example/meteor-operator:1",
			Clock:           w.clock,
			Registerer:      prometheus.NewRegistry(),
			LookEvery:       lookEvery,
		})
	})
	return &manager{traffic: tr, stop: stop}
}

// warm gives the namespace its pipelines, and waits until the CNBiConfig says so, so that what follows is counted alone.
func (w *world) warm(m *manager) {
	w.t.Helper()
	obj := fixture.Import(w.namespace, "warm", "registry.example/warm:1").Edit(func(o *v1alpha1.CustomNBImage) { o.Spec.Suspend = true }).Obj()
	w.create(obj)
	testenv.Eventually(w.t, "the namespace has its pipelines", func() error {
		c := &v1alpha1.CNBiConfig{}
		if err := env.Client.Get(w.t.Context(), types.NamespacedName{Name: v1alpha1.CNBiConfigName}, c); err != nil {
			return err
		}
		if c.Status.Namespaces.Ready != 1 {
			return fmt.Errorf("%+v", c.Status)
		}
		return nil
	})
	w.is("warm", "suspended", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonSuspended))
	m.settle(w.t)
}

func (w *world) create(obj client.Object) {
	w.t.Helper()
	if err := env.Client.Create(w.t.Context(), obj); err != nil {
		w.t.Fatalf("cannot create %s: %v", obj.GetName(), err)
	}
}

// configure creates or changes the CNBiConfig.
func (w *world) configure(fn func(*v1alpha1.CNBiConfig)) {
	w.t.Helper()
	env.Configure(w.t, fn)
}

// edit changes an object as its user does.
func (w *world) edit(name string, fn func(*v1alpha1.CustomNBImage)) {
	w.t.Helper()
	testenv.Edit(w.t, env, &v1alpha1.CustomNBImage{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}, fn)
}

// touch has an object looked at again, with nothing to do about it.
func (w *world) touch(name string) {
	w.t.Helper()
	w.edit(name, func(o *v1alpha1.CustomNBImage) {
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, "example.com/touched", time.Now().String())
	})
}

func (w *world) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: name}
}

type check func(*v1alpha1.CustomNBImage) error

// is waits until an object satisfies all checks.
func (w *world) is(name, what string, checks ...check) *v1alpha1.CustomNBImage {
	w.t.Helper()
	obj := &v1alpha1.CustomNBImage{}
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

func phaseIs(phase v1alpha1.CustomNBImagePhase, reason string) check {
	return func(obj *v1alpha1.CustomNBImage) error {
		if obj.Status.Phase != phase {
			return fmt.Errorf("phase is %q", obj.Status.Phase)
		}
		return conditionIs(v1alpha1.ConditionReady, reason)(obj)
	}
}

func stageIs(stage v1alpha1.CustomNBImageStage) check {
	return func(obj *v1alpha1.CustomNBImage) error {
		if obj.Status.Stage != stage {
			return fmt.Errorf("stage is %q", obj.Status.Stage)
		}
		return nil
	}
}

func conditionIs(kind, reason string) check {
	return func(obj *v1alpha1.CustomNBImage) error {
		for _, c := range obj.Status.Conditions {
			if c.Type == kind {
				if c.Reason != reason {
					return fmt.Errorf("%s is %s for %s (%s)", kind, c.Status, c.Reason, c.Message)
				}
				return nil
			}
		}
		return fmt.Errorf("no condition %s", kind)
	}
}

// stays checks that an object goes on satisfying the checks.
func (w *world) stays(name, what string, checks ...check) {
	w.t.Helper()
	testenv.Steady(w.t, name+" is "+what, quiet, func() error {
		obj := &v1alpha1.CustomNBImage{}
		if err := env.Client.Get(w.t.Context(), w.key(name), obj); err != nil {
			return err
		}
		for _, check := range checks {
			if err := check(obj); err != nil {
				return err
			}
		}
		return nil
	})
}

var errNone = errors.New("there is none")
