package buildah

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Logs reads what containers printed, with the time of each line.
type Logs func(ctx context.Context, namespace, pod, container string) (io.ReadCloser, error)

// NewLogs returns what reads the logs of a cluster.
func NewLogs(config *rest.Config) (Logs, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot read logs: %w", err)
	}
	return func(ctx context.Context, namespace, pod, container string) (io.ReadCloser, error) {
		return client.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: container, Timestamps: true, TailLines: ptr.To[int64](1),
		}).Stream(ctx)
	}, nil
}

// Span is how long a finished TaskRun took from its first step's start to its last step's end. The API tells these in
// whole seconds only, so the start is what Tekton's entrypoint noted, and the end the time of the last line that the
// last step printed, which every step of ours and buildah's push prints as the last thing that it does.
func Span(ctx context.Context, c client.Client, logs Logs, run *tektonv1.TaskRun) (time.Duration, error) {
	var pod corev1.Pod
	if err := c.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: run.Status.PodName}, &pod); err != nil {
		return 0, fmt.Errorf("cannot get the pod of TaskRun %q: %w", run.Name, err)
	}
	steps := run.Status.Steps
	if len(steps) == 0 {
		return 0, fmt.Errorf("TaskRun %q has no steps", run.Name)
	}
	start, err := started(&pod, steps[0].Container)
	if err != nil {
		return 0, err
	}
	end, err := lastLine(ctx, logs, &pod, steps[len(steps)-1].Container)
	return end.Sub(start), err
}

// started is when a step's command started, by the note that Tekton's entrypoint leaves among the results.
func started(pod *corev1.Pod, container string) (time.Time, error) {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name != container || status.State.Terminated == nil {
			continue
		}
		var notes []struct{ Key, Value string }
		if err := json.Unmarshal([]byte(status.State.Terminated.Message), &notes); err != nil {
			return time.Time{}, fmt.Errorf("cannot read what container %q left: %w", container, err)
		}
		for _, note := range notes {
			if note.Key == "StartedAt" {
				return time.Parse(time.RFC3339Nano, note.Value)
			}
		}
	}
	return time.Time{}, fmt.Errorf("nothing tells when container %q started", container)
}

func lastLine(ctx context.Context, logs Logs, pod *corev1.Pod, container string) (time.Time, error) {
	stream, err := logs(ctx, pod.Namespace, pod.Name, container)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read the log of container %q: %w", container, err)
	}
	defer stream.Close()
	var last time.Time
	for lines := bufio.NewScanner(stream); lines.Scan(); {
		stamp, _, _ := strings.Cut(lines.Text(), " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			last = at
		}
	}
	if last.IsZero() {
		return last, fmt.Errorf("container %q printed nothing", container)
	}
	return last, nil
}
