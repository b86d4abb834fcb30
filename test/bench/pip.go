package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/hack/operator"
)

const (
	// someUser is one that no image knows, as the operator's builds have.
	someUser = 1000650000
	typeLock = "application/vnd.meteor.lock.v1+text"
)

// timePip runs pip as anybody would who has the lock, and says how long that took.
const timePip = `
import subprocess, sys, time
begin = time.monotonic()
subprocess.run([sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes", "--no-cache-dir",
                "--disable-pip-version-check", "--requirement", "/lock/requirements.lock", *sys.argv[1:]], check=True)
print(f"pip took {time.monotonic() - begin:.3f} s", flush=True)
`

func (t *trial) pipPod(lock string) *corev1.Pod {
	host, _, _ := strings.Cut(strings.TrimPrefix(t.Local.Index, "http://"), ":")
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.layers, Name: lock},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](someUser), RunAsGroup: ptr.To[int64](0),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "pip", Image: t.Local.Images["jupyter"],
				Command: []string{"python3", "-c", timePip, "--index-url=" + t.Local.Index, "--trusted-host=" + host},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
				VolumeMounts: []corev1.VolumeMount{{Name: "lock", MountPath: "/lock"}},
			}},
			Volumes: []corev1.Volume{{Name: "lock", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: lock},
			}}}},
		},
	}
}

// awaitPod waits until a pod has done its work.
func (t *trial) awaitPod(ctx context.Context, pod *corev1.Pod) error {
	err := operator.Await(ctx, t.Client, func(l *corev1.PodList) (bool, error) {
		if len(l.Items) != 1 {
			return false, errors.New("it is gone")
		}
		status := l.Items[0].Status
		if status.Phase == corev1.PodFailed {
			return false, fmt.Errorf("it has failed: %v", status.ContainerStatuses)
		}
		return status.Phase == corev1.PodSucceeded, nil
	}, operator.Named(pod.Namespace, pod.Name))
	if err != nil {
		return fmt.Errorf("pod %s does not do its work: %w", pod.Name, err)
	}
	return nil
}

// awaitTaskRun waits until a TaskRun has succeeded.
func (t *trial) awaitTaskRun(ctx context.Context, run *tektonv1.TaskRun) error {
	err := operator.Await(ctx, t.Client, func(l *tektonv1.TaskRunList) (bool, error) {
		if len(l.Items) != 1 {
			return false, errors.New("it is gone")
		}
		if done := &l.Items[0]; done.IsDone() && !done.IsSuccessful() {
			return false, errors.New(done.Status.GetCondition("Succeeded").GetMessage())
		}
		return l.Items[0].IsDone(), nil
	}, operator.Named(run.Namespace, run.Name))
	if err != nil {
		return fmt.Errorf("TaskRun %s does not succeed: %w", run.Name, err)
	}
	return nil
}

// lock is the lock that is attached to the layer build's image of a wish. All builds of a wish have the same.
func (t *trial) lock(ctx context.Context, w wish) (string, error) {
	if lock, ok := t.locks[w.name]; ok {
		return lock, nil
	}
	here := t.Local.RegistryPush + strings.TrimPrefix(t.built[w.name], t.Local.Registry)
	image, err := name.NewDigest(here, name.Insecure)
	if err != nil {
		return "", fmt.Errorf("cannot find the lock: %w", err)
	}
	lock, err := readLock(image, remote.WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("cannot read the lock of %s: %w", image, err)
	}
	t.locks[w.name] = lock
	return lock, nil
}

func readLock(image name.Digest, options ...remote.Option) (string, error) {
	index, err := remote.Referrers(image, options...)
	if err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, d := range manifest.Manifests {
		if d.ArtifactType == typeLock {
			return readArtifact(image.Context().Digest(d.Digest.String()), options...)
		}
	}
	return "", errors.New("there is none")
}

func readArtifact(ref name.Digest, options ...remote.Option) (string, error) {
	artifact, err := remote.Image(ref, options...)
	if err != nil {
		return "", err
	}
	layers, err := artifact.Layers()
	if err != nil {
		return "", err
	}
	return readLayer(layers[0])
}

func readLayer(l v1.Layer) (string, error) {
	content, err := l.Compressed()
	if err != nil {
		return "", err
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	return string(text), err
}
