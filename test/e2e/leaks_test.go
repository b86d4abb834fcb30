//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// token is how every token of a service account begins.
const token = "eyJhbGciOi"

// marker begins each line that the hostile program prints, and writes into the image.
const marker = "METEOR-HOSTILE"

// conquests are what the hostile program must not be able to say, whatever else it says.
func conquests() []string {
	var all []string
	for _, done := range []string{
		"read /var/run/secrets/", "read /run/secrets/", "read /tekton/creds", "read /meteor/pull-secret", "read /meteor/push-secret",
		"read /meteor/git-secret", "read /meteor/index-credentials", "read /meteor/push-token", "read /var/lib/kubelet", "read /etc/shadow",
		"wrote /meteor/bin/builder", "wrote /tekton/bin/entrypoint", "wrote /usr/bin/python3", "wrote /etc/ld.so.preload",
		"wrote /proc/sys/kernel/core_pattern", "made a device",
	} {
		all = append(all, marker+" "+done)
	}
	return all
}

// secretForms are the forms in which a password could be found.
func secretForms(user, password string) []string {
	return []string{
		password,
		base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
		base64.StdEncoding.EncodeToString([]byte(password)),
	}
}

// nothingLeaks looks for what nobody must find in everything that the object's build has left: objects, events, logs and,
// where there is an image, its configuration and history, the files that the build added, and what is attached to it.
func (u *user) nothingLeaks(obj *v1alpha1.CustomNBImage, base *built, secrets ...string) {
	u.t.Helper()
	u.leaksNowhere(obj, secrets...)
	if obj.Status.Image == "" {
		return
	}
	secrets = append(secrets, token)
	files(u.t, fetch(u.t, obj).added(base), func(h *tar.Header, content io.Reader) {
		u.wantHarmless(h)
		found, err := findAny(content, append(conquests(), secrets...))
		must(u.t, err)
		if found != "" {
			u.t.Errorf("%s is in %s of the image of %s", shown(found), h.Name, obj.Name)
		}
	})
}

// leaksNowhere is the same without a look at the files of the image.
func (u *user) leaksNowhere(obj *v1alpha1.CustomNBImage, secrets ...string) {
	u.t.Helper()
	secrets = append(secrets, token)
	u.search("the objects", u.everything(), secrets)
	u.search("the logs", u.logs(), append(conquests(), secrets...))
	if obj.Status.Image == "" {
		return
	}
	image := fetch(u.t, obj)
	config, err := image.image.RawConfigFile()
	must(u.t, err)
	manifest, err := image.image.RawManifest()
	must(u.t, err)
	u.search("the image's configuration", string(config)+string(manifest), secrets)
	u.search("what is attached to the image", image.attachments(), secrets)
}

// attachments is all that is attached to the image, empty where nothing is.
func (b *built) attachments() string {
	b.t.Helper()
	return b.attached(typeLock) + b.attached(typeSBOM)
}

// wantHarmless checks the name and the type of a file that a build has added.
func (u *user) wantHarmless(h *tar.Header) {
	u.t.Helper()
	clean := path.Clean("/" + h.Name)
	switch {
	case h.Typeflag == tar.TypeChar, h.Typeflag == tar.TypeBlock, h.Typeflag == tar.TypeFifo:
		u.t.Errorf("%s in the layer is a device or a pipe", h.Name)
	case clean != "/"+strings.TrimSuffix(h.Name, "/") && h.Name != "./" && h.Name != "/":
		u.t.Errorf("%s is a name that leads elsewhere", h.Name)
	case h.Typeflag == tar.TypeReg && h.FileInfo().Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		u.t.Errorf("%s in the layer sets a user or a group", h.Name)
	}
	for _, ours := range []string{"/meteor", "/tekton", "/proc", "/dev", "/sys", "/run", "/var/run", "/tmp", "/hostile-was-here"} {
		if clean == ours || strings.HasPrefix(clean, ours+"/") {
			u.t.Errorf("%s is in the layer", h.Name)
		}
	}
}

func (u *user) search(where, text string, words []string) {
	u.t.Helper()
	for _, word := range words {
		if i := strings.Index(text, word); i >= 0 {
			u.t.Errorf("%s is in %s: %.300s", shown(word), where, strings.ReplaceAll(text[max(0, i-100):], word, shown(word)))
		}
	}
}

// shown is how a word is told that should not have been found: a secret not whole.
func shown(word string) string {
	if strings.HasPrefix(word, marker) || word == token {
		return word
	}
	return word[:min(4, len(word)/2)] + "…"
}

// findAny looks for words in a stream.
func findAny(r io.Reader, words []string) (string, error) {
	const chunk = 1 << 20
	longest := 0
	for _, word := range words {
		longest = max(longest, len(word))
	}
	buffer := make([]byte, 0, chunk+longest)
	for {
		n, err := io.ReadFull(r, buffer[len(buffer):len(buffer)+chunk])
		buffer = buffer[:len(buffer)+n]
		for _, word := range words {
			if bytes.Contains(buffer, []byte(word)) {
				return word, nil
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		buffer = append(buffer[:0], buffer[max(0, len(buffer)-longest):]...)
	}
}

// everything is what the API server knows of the namespace, but for its Secrets.
func (u *user) everything() string {
	u.t.Helper()
	var out strings.Builder
	for _, list := range []client.ObjectList{
		&v1alpha1.CustomNBImageList{}, &tektonv1.PipelineRunList{}, &tektonv1.TaskRunList{}, &corev1.PodList{}, &corev1.EventList{},
		&imagev1.ImageStreamList{},
	} {
		must(u.t, on.Client.List(u.t.Context(), list, inNamespace(u)))
		text, err := yaml.Marshal(list)
		must(u.t, err)
		out.Write(text)
	}
	return out.String()
}

// logs are those of all containers of the namespace that have run.
func (u *user) logs() string {
	u.t.Helper()
	pods := &corev1.PodList{}
	must(u.t, on.Client.List(u.t.Context(), pods, inNamespace(u)))
	var out strings.Builder
	for i := range pods.Items {
		for _, status := range pods.Items[i].Status.ContainerStatuses {
			if status.State.Terminated != nil || status.State.Running != nil {
				out.WriteString(u.log(pods.Items[i].Name, status.Name))
			}
		}
	}
	return out.String()
}

// log is that of a container.
func (u *user) log(pod, container string) string {
	u.t.Helper()
	text, err := u.clientset().CoreV1().Pods(u.namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container}).DoRaw(u.t.Context())
	if err != nil {
		u.t.Fatalf("cannot read the log of container %s of pod %s: %v", container, pod, err)
	}
	return string(text)
}

// clientset is the user's own.
func (u *user) clientset() *kubernetes.Clientset {
	u.t.Helper()
	c, err := kubernetes.NewForConfig(u.config)
	must(u.t, err)
	return c
}

// wantMarker checks that what the hostile program has said can be looked at, without which nothing is proven.
func (u *user) wantMarker() {
	u.t.Helper()
	if text := u.logs(); !strings.Contains(text, marker+" refused") {
		u.t.Errorf("the hostile program did not run, or its log is gone: %.2000s", text)
	}
}
