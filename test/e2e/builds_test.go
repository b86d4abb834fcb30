//go:build e2e

package e2e

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// builds is an object whose image is built.
func (u *user) builds(name string, spec v1alpha1.CustomNBImageSpec) *v1alpha1.CustomNBImage {
	return &v1alpha1.CustomNBImage{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace}, Spec: spec}
}

// packages is an object that adds packages to the test image.
func (u *user) packages(name string, list ...string) *v1alpha1.CustomNBImage {
	return u.builds(name, v1alpha1.CustomNBImageSpec{
		BuildType: v1alpha1.BuildTypePackageList, PackageVersions: list, BuilderImage: v1alpha1.ImageReference(image("jupyter")),
	})
}

// repository is an object that builds a repository of the git server on the test image.
func (u *user) repository(name, path, ref string) *v1alpha1.CustomNBImage {
	return u.builds(name, v1alpha1.CustomNBImageSpec{
		BuildType: v1alpha1.BuildTypeGitRepository, RepositoryURL: v1alpha1.RepositoryURL(on.Local.Git + "/" + path + ".git"),
		GitRef: v1alpha1.GitReference(ref), BuilderImage: v1alpha1.ImageReference(image("jupyter")),
	})
}

// untilBuilds waits until the object's present spec is being built.
func (u *user) untilBuilds(name string) *v1alpha1.CustomNBImage {
	u.t.Helper()
	return u.until(name, "builds", func(obj *v1alpha1.CustomNBImage) bool {
		return obj.Status.Stage == v1alpha1.StageResolving || obj.Status.Stage == v1alpha1.StageBuilding
	})
}

// untilRetried waits until a build has met the given obstacle and is to be tried again.
func (u *user) untilRetried(name, reason string) *v1alpha1.CustomNBImage {
	u.t.Helper()
	return u.until(name, "is tried again because of "+reason, func(obj *v1alpha1.CustomNBImage) bool {
		return ready(obj).Reason == reason && obj.Status.NextRetryTime != nil
	})
}

// version is that of a package in the image, as the status tells it; empty when it is not there.
func version(obj *v1alpha1.CustomNBImage, name string) string {
	for _, p := range obj.Status.Packages {
		if p.Name == name {
			return p.Version
		}
	}
	return ""
}

// wantVersions checks the versions of packages in the image.
func wantVersions(t *testing.T, obj *v1alpha1.CustomNBImage, want map[string]string) {
	t.Helper()
	for name, v := range want {
		if got := version(obj, name); got != v {
			t.Errorf("%s: want %s %q in the image, got %q", obj.Name, name, v, got)
		}
	}
}

// digest is that of an image.
func digest(image string) string {
	_, digest, _ := strings.Cut(image, "@")
	return digest
}

// built is an image as the machine finds it in a registry of the local cluster.
type built struct {
	t       *testing.T
	ref     name.Digest
	image   v1.Image
	options []remote.Option
}

// fetch finds the image that an object has made.
func fetch(t *testing.T, obj *v1alpha1.CustomNBImage) *built {
	t.Helper()
	if obj.Status.Image == "" {
		t.Fatalf("%s has no image", obj.Name)
	}
	return fetchImage(t, obj.Status.Image)
}

func fetchImage(t *testing.T, image string) *built {
	t.Helper()
	here := strings.NewReplacer(
		on.Local.PrivateRegistry+"/", on.Local.PrivateRegistryPush+"/", on.Local.Registry+"/", on.Local.RegistryPush+"/").Replace(image)
	ref, err := name.NewDigest(here, name.Insecure)
	must(t, err)
	b := &built{t: t, ref: ref, options: []remote.Option{remote.WithContext(t.Context())}}
	if strings.HasPrefix(here, on.Local.PrivateRegistryPush) {
		auth := &authn.Basic{Username: on.Local.PrivateUser, Password: on.Local.PrivatePassword}
		b.options = append(b.options, remote.WithAuth(auth))
	}
	b.image, err = remote.Image(ref, b.options...)
	must(t, err)
	return b
}

// artifact is what is attached to the image with the given type.
func (b *built) artifact(kind string) string {
	b.t.Helper()
	text := b.attached(kind)
	if text == "" {
		b.t.Errorf("%s has no %s attached", b.ref, kind)
	}
	return text
}

// attached is the same, empty when there is nothing.
func (b *built) attached(kind string) string {
	b.t.Helper()
	index, err := remote.Referrers(b.ref, b.options...)
	must(b.t, err)
	manifest, err := index.IndexManifest()
	must(b.t, err)
	i := slices.IndexFunc(manifest.Manifests, func(d v1.Descriptor) bool { return d.ArtifactType == kind })
	if i < 0 {
		return ""
	}
	attached, err := remote.Image(b.ref.Context().Digest(manifest.Manifests[i].Digest.String()), b.options...)
	must(b.t, err)
	layers, err := attached.Layers()
	must(b.t, err)
	content, err := layers[0].Compressed()
	must(b.t, err)
	defer content.Close()
	text, err := io.ReadAll(content)
	must(b.t, err)
	return string(text)
}

// The types of what is attached to an image.
const (
	typeLock = "application/vnd.meteor.lock.v1+text"
	typeSBOM = "application/vnd.cyclonedx+json"
)

// added are the layers that the image has and its base has not.
func (b *built) added(base *built) []v1.Layer {
	b.t.Helper()
	layers, err := b.image.Layers()
	must(b.t, err)
	below, err := base.image.Layers()
	must(b.t, err)
	if len(layers) <= len(below) {
		b.t.Fatalf("%s has %d layers, and its base %d", b.ref, len(layers), len(below))
	}
	return layers[len(below):]
}

// files calls visit for each file of the layers.
func files(t *testing.T, layers []v1.Layer, visit func(*tar.Header, io.Reader)) {
	t.Helper()
	for _, l := range layers {
		content, err := l.Uncompressed()
		must(t, err)
		for r := tar.NewReader(content); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			visit(h, r)
		}
		must(t, content.Close())
	}
}

// someUser is one that no image knows, as OpenShift gives to pods.
const someUser = 1000650000

// notebook is a notebook of the user's, run from an image that was built.
type notebook struct {
	*user
	name, prefix string
}

// start runs an image as Open Data Hub does, with a volume over HOME. Before that, a program is run in the same image.
func (u *user) start(obj *v1alpha1.CustomNBImage, program string) *notebook {
	u.t.Helper()
	n := &notebook{user: u, name: "notebook-of-" + obj.Name, prefix: "/notebook/" + u.namespace + "/" + obj.Name}
	arguments := "--ServerApp.port=8888 --ServerApp.token='' --ServerApp.password='' --ServerApp.base_url=" + n.prefix
	security := &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(bool), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	user, group, yes := int64(someUser), int64(0), true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: n.name, Namespace: u.namespace},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(bool),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsUser: &user, RunAsGroup: &group, RunAsNonRoot: &yes, FSGroup: &group,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			InitContainers: []corev1.Container{{
				Name: "program", Image: obj.Status.Image, Command: []string{"python3", "-c", program}, SecurityContext: security,
			}},
			Containers: []corev1.Container{{
				Name: "notebook", Image: obj.Status.Image, SecurityContext: security,
				Env: []corev1.EnvVar{{Name: "NB_PREFIX", Value: n.prefix}, {Name: "NOTEBOOK_ARGS", Value: arguments}},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
					Exec: &corev1.ExecAction{Command: []string{"python3", "-c", ask(n.prefix + "/api")}},
				}, TimeoutSeconds: 5},
				VolumeMounts: []corev1.VolumeMount{{Name: "home", MountPath: "/opt/app-root/src"}},
			}},
			Volumes: []corev1.Volume{{Name: "home", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
	u.create(pod)
	await(u.t, u.client, "the notebook of "+obj.Name+" answers", func(l *corev1.PodList) bool {
		for i := range l.Items {
			if p := &l.Items[i]; p.Name == n.name {
				pod = p
				return isReady(p)
			}
		}
		return false
	}, func() string { return fmt.Sprint(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) }, inNamespace(u))
	return n
}

// ask is a program that fails unless the notebook answers.
func ask(path string) string {
	return fmt.Sprintf("import urllib.request as r; r.urlopen('http://127.0.0.1:8888%s', timeout=4).read()", path)
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// said is what the program has printed.
func (n *notebook) said() string { return n.log(n.name, "program") }

// get asks the running notebook.
func (n *notebook) get(path string) string {
	n.t.Helper()
	answer, err := n.clientset().CoreV1().Pods(n.namespace).ProxyGet("http", n.name, "8888", n.prefix+path, nil).DoRaw(n.t.Context())
	if err != nil {
		n.t.Fatalf("the notebook does not answer for %s: %v: %s", path, err, answer)
	}
	return string(answer)
}

// stop takes the notebook away.
func (n *notebook) stop() {
	n.t.Helper()
	must(n.t, n.client.Delete(n.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: n.name, Namespace: n.namespace}}))
}
