//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

const (
	dumpWithin = 30 * time.Second
	logLines   = 40
)

// dump prints what a person would look at to find out why a case failed.
func (u *user) dump() {
	ctx, cancel := context.WithTimeout(context.Background(), dumpWithin)
	defer cancel()
	var out strings.Builder
	fmt.Fprintf(&out, "---- namespace %s\n", u.namespace)
	for _, list := range []client.ObjectList{&v1alpha1.CustomNBImageList{}, &imagev1.ImageStreamList{}} {
		dumpYAML(ctx, &out, list, client.InNamespace(u.namespace))
	}
	dumpYAML(ctx, &out, &v1alpha1.CNBiConfigList{})
	u.dumpRuns(ctx, &out)
	u.dumpEvents(ctx, &out)
	dumpPods(ctx, &out, u.namespace)
	dumpPods(ctx, &out, operator.Namespace)
	u.t.Log(out.String())
}

func dumpYAML(ctx context.Context, out io.Writer, list client.ObjectList, opts ...client.ListOption) {
	if err := on.Client.List(ctx, list, opts...); err != nil {
		fmt.Fprintf(out, "---- %T: %v\n", list, err)
		return
	}
	for _, obj := range items(list) {
		obj.SetManagedFields(nil)
		text, err := yaml.Marshal(obj)
		fmt.Fprintf(out, "---- %T %s\n%s", obj, obj.GetName(), text)
		if err != nil {
			fmt.Fprintln(out, err)
		}
	}
}

func (u *user) dumpRuns(ctx context.Context, out io.Writer) {
	runs, tasks := &tektonv1.PipelineRunList{}, &tektonv1.TaskRunList{}
	if err := on.Client.List(ctx, runs, client.InNamespace(u.namespace)); err != nil {
		fmt.Fprintln(out, err)
	}
	if err := on.Client.List(ctx, tasks, client.InNamespace(u.namespace)); err != nil {
		fmt.Fprintln(out, err)
	}
	for i := range runs.Items {
		fmt.Fprintf(out, "---- PipelineRun %s: %v\n", runs.Items[i].Name, runs.Items[i].Status.Conditions)
	}
	for i := range tasks.Items {
		run := &tasks.Items[i]
		fmt.Fprintf(out, "---- TaskRun %s: %v\n", run.Name, run.Status.Conditions)
		text, _ := yaml.Marshal(map[string]any{"steps": run.Status.Steps, "sidecars": run.Status.Sidecars, "results": run.Status.Results})
		fmt.Fprintf(out, "%s", text)
	}
}

func (u *user) dumpEvents(ctx context.Context, out io.Writer) {
	events := &corev1.EventList{}
	if err := on.Client.List(ctx, events, client.InNamespace(u.namespace)); err != nil {
		fmt.Fprintln(out, err)
	}
	fmt.Fprintln(out, "---- events")
	for i := range events.Items {
		e := &events.Items[i]
		fmt.Fprintf(out, "%s %s/%s %s: %s\n", e.Type, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
	}
}

// dumpPods prints the pods of a namespace and the ends of their logs.
func dumpPods(ctx context.Context, out io.Writer, namespace string) {
	pods := &corev1.PodList{}
	clientset, err := kubernetes.NewForConfig(on.Config)
	if err == nil {
		err = on.Client.List(ctx, pods, client.InNamespace(namespace))
	}
	if err != nil {
		fmt.Fprintln(out, err)
		return
	}
	lines := int64(logLines)
	for i := range pods.Items {
		pod := &pods.Items[i]
		fmt.Fprintf(out, "---- pod %s: %s\n", pod.Name, pod.Status.Phase)
		for _, container := range pod.Spec.Containers {
			text, err := clientset.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container.Name, TailLines: &lines}).DoRaw(ctx)
			if err != nil {
				text = []byte(err.Error())
			}
			fmt.Fprintf(out, "-- log of %s\n%s\n", container.Name, text)
		}
	}
}
