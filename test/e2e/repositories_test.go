//go:build e2e

package e2e

import (
	"archive/tar"
	"io"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// commit is that of a branch or tag of a repository.
func commit(t *testing.T, path, ref string) string {
	t.Helper()
	hash, ok := on.Local.Commits[path+"#"+ref]
	if !ok {
		t.Fatalf("the git server has no %s of %s", ref, path)
	}
	return hash
}

// repositoryGoodDay builds a branch, a tag and a commit, and one that names nothing but the repository, as people do.
func repositoryGoodDay(t *testing.T) {
	const path = "public/notebooks"
	u := newUser(t)
	head, tag, dev := commit(t, path, "main"), commit(t, path, "v1"), commit(t, path, "dev")
	sample := u.repository("ubi8-py38-sample-3", path, "main")
	sample.Spec.BuilderImage = ""
	u.create(sample, u.repository("default", path, ""), u.repository("tag", path, "v1"), u.repository("branch", path, "dev"), u.repository("commit", path, tag))
	for name, want := range map[string]string{sample.Name: head, "default": head, "tag": tag, "branch": dev, "commit": tag} {
		obj := u.untilReady(name)
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		small := map[bool]string{true: "1.0", false: "2.0"}[want == tag]
		wantVersions(t, obj, map[string]string{"meteor-small": small})
		if st := obj.Status; st.GitCommit != want || len(st.Builds) != 1 || st.Builds[0].GitCommit != want {
			t.Errorf("%s: want commit %s in the status, got %q, %+v", name, want, st.GitCommit, st.Builds)
		}
		if stream := u.stream(name); stream != nil {
			wantTagPackages(t, u, obj, "meteor-small")
			if got := stream.Spec.Tags[0].Annotations["opendatahub.io/notebook-build-commit"]; got != want {
				t.Errorf("%s: want commit %s in the tag's annotation, got %q", name, want, got)
			}
		}
	}
	wantOpened(t, u.start(u.get("default"), "import meteor_small; print(meteor_small.__version__)"))
}

// wantOpened checks that the repository is where the notebook opens it, although a volume covers HOME, and can be worked on.
func wantOpened(t *testing.T, n *notebook) {
	t.Helper()
	defer n.stop()
	if said := n.said(); said != "2.0\n" {
		t.Errorf("the repository's package says %q", said)
	}
	for path, want := range map[string]string{
		"/api/contents":                               `"notebooks"`,
		"/api/contents/notebooks":                     `"hello.ipynb"`,
		"/api/contents/notebooks/hello.ipynb":         `"writable": true`,
		"/api/contents/notebooks/analysis/deep.ipynb": `"cells"`,
	} {
		if got := n.get(path); !strings.Contains(got, want) {
			t.Errorf("want %s in what the notebook answers for %s, got %.500s", want, path, got)
		}
	}
}

// kinds are repositories by what they ask for, and the versions that it comes to.
func kinds() map[string]map[string]string {
	small := map[string]string{"meteor-small": "2.0"}
	return map[string]map[string]string{
		"pipfile":      {"meteor-small": "1.0"},
		"pipfile-lock": {"meteor-small": "1.0"},
		"pyproject":    {"meteor-small": "2.0"},
		"aicoe":        small,
		"postbuild":    small,
		"submodules":   small,
		"s2i":          small,
		"plain":        {"meteor-small": ""},
	}
}

func repositoriesOfAllKinds(t *testing.T) {
	u := newUser(t)
	for name := range kinds() {
		obj := u.repository(name, "public/"+name, "")
		switch name {
		case "aicoe":
			obj.Spec.BuilderImage = ""
		case "s2i":
			obj.Spec.BuilderImage = v1alpha1.ImageReference(image("s2i"))
		}
		u.create(obj)
	}
	for name, versions := range kinds() {
		obj := u.untilReady(name)
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		wantVersions(t, obj, versions)
		if want := commit(t, "public/"+name, "main"); obj.Status.GitCommit != want {
			t.Errorf("%s: want commit %s, got %q", name, want, obj.Status.GitCommit)
		}
	}
	wantFiles(t, u.get("postbuild"), "/share/postbuild/made", "made by postBuild")
	wantFiles(t, u.get("submodules"), "/submodules/absolute/hello.ipynb", "", "/submodules/relative/Pipfile", "meteor-small")
	wantFiles(t, u.get("s2i"), "hello.ipynb", "")
}

// wantFiles checks that the build has added files whose names end like that and that hold the text that follows.
func wantFiles(t *testing.T, obj *v1alpha1.CustomNBImage, wanted ...string) {
	t.Helper()
	found := map[string]bool{}
	var names []string
	files(t, fetch(t, obj).added(fetchImage(t, obj.Status.SourceImage)), func(h *tar.Header, content io.Reader) {
		names = append(names, h.Name)
		for i := 0; i < len(wanted); i += 2 {
			if strings.HasSuffix(h.Name, wanted[i]) {
				text, err := io.ReadAll(content)
				must(t, err)
				found[wanted[i]] = found[wanted[i]] || strings.Contains(string(text), wanted[i+1])
			}
		}
	})
	for i := 0; i < len(wanted); i += 2 {
		if !found[wanted[i]] {
			t.Errorf("%s: want %s with %q in the layer, which has %.3000v", obj.Name, wanted[i], wanted[i+1], names)
		}
	}
}

// badRepository is one that cannot be built, and what its user is told.
type badRepository struct {
	path, ref string
	reason    string
	words     []string
}

func badRepositories() map[string]badRepository {
	return map[string]badRepository{
		"no-such-branch":     {"public/notebooks", "of-nobody", v1alpha1.ReasonGitRefNotFound, []string{"of-nobody"}},
		"no-such-commit":     {"public/notebooks", strings.Repeat("beef", 10), v1alpha1.ReasonGitRefNotFound, []string{"beefbeef"}},
		"no-commit-yet":      {"public/empty", "", v1alpha1.ReasonGitRefNotFound, []string{"empty"}},
		"no-such-repository": {"public/of-nobody", "", v1alpha1.ReasonGitAuthenticationFailed, []string{"of-nobody"}},
		"too-large":          {"public/big", "", v1alpha1.ReasonUnsupportedFile, []string{"large"}},
		"debian-packages":    {"public/apt", "", v1alpha1.ReasonUnsupportedFile, []string{"apt.txt"}},
		"conda":              {"public/environment", "", v1alpha1.ReasonUnsupportedFile, []string{"environment.yml", "conda"}},
		"precedence":         {"public/precedence", "", v1alpha1.ReasonUnsupportedFile, []string{"environment.yml", "conda"}},
		"options":            {"public/bad-requirements", "", v1alpha1.ReasonUnsupportedFile, []string{"requirements.txt"}},
		"links":              {"public/hostile-links", "", v1alpha1.ReasonUnsupportedFile, []string{"data/out", "outside of the repository"}},
		"submodules":         {"public/hostile-submodules", "", v1alpha1.ReasonUnsupportedFile, []string{"Submodule", ".gitmodules"}},
		"post-build":         {"public/postbuild-fails", "", v1alpha1.ReasonBuildFailed, []string{"postBuild", "7", "meteor: postBuild fails on purpose"}},
	}
}

func badRepositoriesAreTold(t *testing.T) {
	u := newUser(t)
	for name, bad := range badRepositories() {
		u.create(u.repository(name, bad.path, bad.ref))
	}
	for name, bad := range badRepositories() {
		obj := u.untilDone(name)
		says(t, obj, v1alpha1.PhaseFailed, bad.reason, bad.words...)
		if obj.Status.Image != "" {
			t.Errorf("%s has an image: %s", name, obj.Status.Image)
		}
		neverOffered(t, u, name)
	}
	wantSoundNode(t)
}

// gitSecret is one for HTTPS.
func (u *user) gitSecret(name, password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace},
		Type:       corev1.SecretTypeBasicAuth,
		Data:       map[string][]byte{corev1.BasicAuthUsernameKey: []byte(on.Local.GitUser), corev1.BasicAuthPasswordKey: []byte(password)},
	}
}

// sshSecret is one for SSH.
func (u *user) sshSecret(name string) *corev1.Secret {
	u.t.Helper()
	key, err := os.ReadFile(on.Local.GitSSHKey)
	must(u.t, err)
	known, err := os.ReadFile(on.Local.GitKnownHosts)
	must(u.t, err)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace},
		Type:       corev1.SecretTypeSSHAuth,
		Data:       map[string][]byte{corev1.SSHAuthPrivateKey: key, "known_hosts": known},
	}
}

// privateRepository is refused without a secret and with a wrong one, and cloned with the right one, over HTTPS and SSH.
func privateRepository(t *testing.T) {
	const path = "private/private-notebooks"
	u := newUser(t)
	u.create(u.gitSecret("wrong", "guessed"), u.gitSecret("right", on.Local.GitPassword), u.sshSecret("key"))
	u.create(u.repository("private", path, ""))
	ssh := u.repository("over-ssh", path, "main")
	ssh.Spec.RepositoryURL = v1alpha1.RepositoryURL(on.Local.GitSSH + "/" + path + ".git")
	ssh.Spec.GitSecret = &v1alpha1.LocalSecretReference{Name: "key"}
	u.create(ssh)
	says(t, u.untilDone("private"), v1alpha1.PhaseFailed, v1alpha1.ReasonGitAuthenticationFailed, path, "spec.gitSecret")
	neverOffered(t, u, "private")
	u.edit("private", func(obj *v1alpha1.CustomNBImage) { obj.Spec.GitSecret = &v1alpha1.LocalSecretReference{Name: "wrong"} })
	says(t, u.untilDone("private"), v1alpha1.PhaseFailed, v1alpha1.ReasonGitAuthenticationFailed, path, `"wrong"`)
	u.edit("private", func(obj *v1alpha1.CustomNBImage) { obj.Spec.GitSecret.Name = "right" })
	for _, name := range []string{"private", "over-ssh"} {
		obj := u.untilReady(name)
		says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
		if want := commit(t, path, "main"); obj.Status.GitCommit != want {
			t.Errorf("%s: want commit %s, got %q", name, want, obj.Status.GitCommit)
		}
		wantFiles(t, obj, "/private-notebooks/secret.ipynb", "")
		u.nothingLeaks(obj, fetchImage(t, obj.Status.SourceImage), append(secretForms(on.Local.GitUser, on.Local.GitPassword), "PRIVATE KEY")...)
	}
}

// hostileRepository is let near a credential: that of the git server.
func hostileRepository(t *testing.T) {
	u := newUser(t)
	u.create(u.gitSecret("right", on.Local.GitPassword))
	obj := u.repository("hostile", "public/hostile-postbuild", "")
	obj.Spec.GitSecret = &v1alpha1.LocalSecretReference{Name: "right"}
	u.create(obj)
	obj = u.untilDone("hostile")
	wantHostileRefused(t, u, obj)
	u.wantMarker()
	u.leaksNowhere(obj, secretForms(on.Local.GitUser, on.Local.GitPassword)...)
	u.create(u.repository("after", "public/plain", ""))
	says(t, u.untilDone("after"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
}
