// Package buildah builds images in the way that layer builds are compared with: a Containerfile of one FROM and one
// RUN pip install, by buildah in a pod, which then pushes the result.
package buildah

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/hack/operator"
	"github.com/meteor-zone/meteor-operator/manifests"
	"github.com/meteor-zone/meteor-operator/test/cluster"
)

// within is how long a build may take before something is wrong.
const within = 10 * time.Minute

// Namespace is one whose pods may be as buildah needs them: the Pod Security Standard "baseline" is enforced.
func Namespace(generateName string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: generateName,
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "baseline"},
	}}
}

// Request says what to build.
type Request struct {
	// Namespace and Name are those of the TaskRun.
	Namespace, Name string
	// Base is the image to build on, Target the repository and tag of the result, as pods name them.
	Base, Target string
	// Packages are what pip installs, from the local cluster's index.
	Packages []string
	// Driver is how buildah stores images: overlay, or vfs if it is to copy them.
	Driver string
}

// Build builds and pushes, and returns how long it took from the first step's start to the last step's end.
func Build(ctx context.Context, c client.WithWatch, logs Logs, info *cluster.Info, r Request) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	files := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name},
		Data:       map[string]string{"Containerfile": containerfile(info, r)},
	}
	run, err := taskRun(info, r)
	if err != nil {
		return 0, err
	}
	for _, obj := range []client.Object{files, run} {
		if err := c.Create(ctx, obj); err != nil {
			return 0, fmt.Errorf("cannot create %s: %w", r.Name, err)
		}
	}
	var done tektonv1.TaskRun
	err = operator.Await(ctx, c, func(l *tektonv1.TaskRunList) (bool, error) {
		if len(l.Items) == 0 || !l.Items[0].IsDone() {
			return false, nil
		}
		done = l.Items[0]
		return true, nil
	}, operator.Named(r.Namespace, r.Name))
	if err != nil {
		return 0, err
	}
	if !done.IsSuccessful() {
		return 0, fmt.Errorf("TaskRun %q failed: %s", r.Name, done.Status.GetCondition("Succeeded").GetMessage())
	}
	return Span(ctx, c, logs, &done)
}

func containerfile(info *cluster.Info, r Request) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(info.Index, "http://"), ":")
	words := append([]string{"pip", "install", "--no-cache-dir", "--index-url", info.Index, "--trusted-host", host}, r.Packages...)
	return "FROM " + r.Base + "\nRUN " + strings.Join(words, " ") + "\n"
}

// taskRun has the rights of the operator's own Containerfile builds.
func taskRun(info *cluster.Info, r Request) (*tektonv1.TaskRun, error) {
	security, err := rights()
	if err != nil {
		return nil, err
	}
	step := func(name string, args ...string) tektonv1.Step {
		return tektonv1.Step{
			Name: name, Image: info.Images["buildah"], SecurityContext: security,
			Command:      append([]string{"buildah", "--storage-driver", r.Driver, "--root", "/var/lib/containers/storage", "--runroot", "/var/lib/containers/run"}, args...),
			VolumeMounts: []corev1.VolumeMount{{Name: "storage", MountPath: "/var/lib/containers"}, {Name: "context", MountPath: "/context", ReadOnly: true}},
		}
	}
	return &tektonv1.TaskRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name},
		Spec: tektonv1.TaskRunSpec{
			PodTemplate: &pod.Template{AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false)},
			TaskSpec: &tektonv1.TaskSpec{
				Steps: []tektonv1.Step{
					step("bud", "bud", "--isolation", "chroot", "--tls-verify=false", "--tag", r.Target, "--file", "/context/Containerfile", "/context"),
					step("push", "push", "--tls-verify=false", r.Target, "docker://"+r.Target),
				},
				Volumes: []corev1.Volume{
					{Name: "storage", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
					{Name: "context", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
						LocalObjectReference: corev1.LocalObjectReference{Name: r.Name},
					}}},
				},
			},
		},
	}, nil
}

func rights() (*corev1.SecurityContext, error) {
	objs, err := manifests.Objects(manifests.Options{BuilderImage: "builder", BuildahImage: "buildah"})
	if err != nil {
		return nil, err
	}
	for _, obj := range objs {
		if obj.GetKind() != "Task" || obj.GetName() != "meteor-build-containerfile" {
			continue
		}
		data, err := json.Marshal(obj.Object)
		if err != nil {
			return nil, fmt.Errorf("cannot read Task %q: %w", obj.GetName(), err)
		}
		var task tektonv1.Task
		if err := json.Unmarshal(data, &task); err != nil {
			return nil, fmt.Errorf("cannot read Task %q: %w", obj.GetName(), err)
		}
		for _, step := range task.Spec.Steps {
			if step.Name == "build" {
				return step.SecurityContext, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no step that builds Containerfiles")
}
