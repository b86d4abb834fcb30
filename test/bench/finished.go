package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/auditlog"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

const (
	// finishWithin is how long it may take until all objects are finished. Tekton limits its own requests.
	finishWithin = 40 * time.Minute
	// restartWithin is how long the manager may take to be there again.
	restartWithin = 2 * time.Minute
	// afterRestart is how long a restarted manager is watched.
	afterRestart = 45 * time.Second
)

// finished measures the manager's memory when it holds n finished objects, and what it writes when it is restarted
// among them.
//
// The objects come to their end by themselves, nobody writes a status for them: the manager makes each a PipelineRun,
// Tekton takes it up and makes a TaskRun, and a LimitRange of the namespace refuses the TaskRun's pod. Without retries,
// which are turned off for this, the object is Failed then. So each leaves behind what an import leaves behind: the
// object with its conditions and history, a PipelineRun, a TaskRun and an ImageStream; what an import that is Ready has
// besides are a second TaskRun and a list of packages. A thousand images that start as notebooks would take hours here.
func (b *bench) finished(ctx context.Context, n int) error {
	namespace, remove, err := b.namespace(ctx)
	if err != nil {
		return err
	}
	defer remove()
	if err := b.finishMany(ctx, namespace, n); err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	from, err := auditlog.End(b.audit.file)
	if err != nil {
		return err
	}
	old, err := b.managerPods(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Restarting the manager")
	if err := b.restart(ctx, old); err != nil {
		return err
	}
	rss, err := b.rss(ctx)
	if err != nil {
		return err
	}
	all, err := b.audit.since(from)
	if err != nil {
		return err
	}
	// What the old manager still did is none of the new one's.
	all = slices.DeleteFunc(concerning(all, namespace), func(r request) bool { return slices.Contains(old, r.pod) })
	tell("What the restarted manager asked of the API server", all)
	b.add(figures.Figure{Name: fmt.Sprintf("manager_rss_at_%d_finished", n), Value: float64(rss) / (1 << 20), Unit: "MiB", Bar: figures.NoBar})
	b.count(fmt.Sprintf("restart_writes_at_%d_finished", n), countOf(all, groupWrite)+countOf(all, groupStream)+countOf(all, groupEvent), 0)
	return nil
}

// finishMany creates n objects and waits until all are Failed.
func (b *bench) finishMany(ctx context.Context, namespace string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, finishWithin)
	defer cancel()
	limits := &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "no-pods"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypePod, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")},
		}}},
	}
	if err := b.Client.Create(ctx, limits); err != nil {
		return fmt.Errorf("cannot create the LimitRange: %w", err)
	}
	var before *int32
	if err := b.configure(ctx, func(c *v1alpha1.CNBiConfig) { before, c.Spec.Build.Retries = c.Spec.Build.Retries, ptr.To[int32](0) }); err != nil {
		return err
	}
	restore := func() error {
		return b.configure(context.WithoutCancel(ctx), func(c *v1alpha1.CNBiConfig) { c.Spec.Build.Retries = before })
	}
	fmt.Fprintf(os.Stderr, "Creating %d objects that Tekton and a LimitRange bring to their end\n", n)
	var creating errgroup.Group
	creating.SetLimit(8)
	for i := range n {
		creating.Go(func() error { return b.Client.Create(ctx, b.newImport(namespace, fmt.Sprintf("finished-%d", i))) })
	}
	return errors.Join(creating.Wait(), b.awaitFinished(ctx, namespace, n), restore())
}

func (b *bench) awaitFinished(ctx context.Context, namespace string, n int) error {
	for {
		list := &v1alpha1.CustomNBImageList{}
		if err := b.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return fmt.Errorf("cannot list the objects: %w", err)
		}
		failed := 0
		for i := range list.Items {
			if list.Items[i].Status.Phase == v1alpha1.PhaseFailed {
				failed++
			}
		}
		if failed == n {
			return nil
		}
		fmt.Fprintf(os.Stderr, "%d of %d are finished\n", failed, n)
		if err := pause(ctx, 15*time.Second); err != nil {
			return err
		}
	}
}

// restart deletes the manager's pods, waits until it is there again, and for what it might have to say.
func (b *bench) restart(ctx context.Context, old []string) error {
	for _, name := range old {
		if err := b.Client.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: name}}); err != nil {
			return fmt.Errorf("cannot delete the manager's pod: %w", err)
		}
	}
	within, cancel := context.WithTimeout(ctx, restartWithin)
	defer cancel()
	err := operator.Await(within, b.Client, func(l *corev1.PodList) (bool, error) {
		ready := 0
		for i := range l.Items {
			if slices.Contains(old, l.Items[i].Name) {
				return false, nil
			}
			for _, c := range l.Items[i].Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready == len(old), nil
	}, client.InNamespace(operator.Namespace))
	if err != nil {
		return fmt.Errorf("the manager does not come back: %w", err)
	}
	return pause(ctx, afterRestart)
}

func (b *bench) managerPods(ctx context.Context) ([]string, error) {
	pods := &corev1.PodList{}
	if err := b.Client.List(ctx, pods, client.InNamespace(operator.Namespace)); err != nil {
		return nil, fmt.Errorf("cannot list the manager's pods: %w", err)
	}
	var names []string
	for i := range pods.Items {
		names = append(names, pods.Items[i].Name)
	}
	if len(names) == 0 {
		return nil, errors.New("the manager has no pod")
	}
	return names, nil
}

// rss is the manager's resident memory in bytes, as the kubelet measures it.
func (b *bench) rss(ctx context.Context) (uint64, error) {
	pods := &corev1.PodList{}
	if err := b.Client.List(ctx, pods, client.InNamespace(operator.Namespace)); err != nil || len(pods.Items) == 0 {
		return 0, errors.Join(errors.New("cannot find the manager's pod"), err)
	}
	set, err := kubernetes.NewForConfig(b.Config)
	if err != nil {
		return 0, fmt.Errorf("cannot make a client: %w", err)
	}
	data, err := set.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes", pods.Items[0].Spec.NodeName, "proxy/stats/summary").DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("cannot ask the kubelet: %w", err)
	}
	var summary struct {
		Pods []struct {
			PodRef     struct{ Name string }
			Containers []struct{ Memory struct{ RSSBytes uint64 } }
		}
	}
	if err := json.Unmarshal(data, &summary); err != nil {
		return 0, fmt.Errorf("cannot read the kubelet's answer: %w", err)
	}
	for _, pod := range summary.Pods {
		if pod.PodRef.Name == pods.Items[0].Name && len(pod.Containers) == 1 {
			return pod.Containers[0].Memory.RSSBytes, nil
		}
	}
	return 0, errors.New("the kubelet knows nothing of the manager's pod")
}
