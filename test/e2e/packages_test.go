//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// packagesGoodDay has what people ask for: packages on an image that the catalogue knows, and on one that they name.
func packagesGoodDay(t *testing.T) {
	u := newUser(t)
	named := u.packages("on-an-image", "pandas", "boto3>=1.24.0")
	chosen := u.packages("on-an-environment", "pandas", "boto3>=1.24.0")
	chosen.Spec.BuilderImage = ""
	chosen.Spec.RuntimeEnvironment = &v1alpha1.RuntimeEnvironment{OSName: "ubi", OSVersion: "8", PythonVersion: "3.8"}
	u.create(named, chosen)
	obj := u.untilReady(chosen.Name)
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	for _, name := range []string{"pandas", "boto3", "botocore", "numpy"} {
		if version(obj, name) == "" {
			t.Errorf("want %s among the packages of the image: %v", name, obj.Status.Packages)
		}
	}
	if st := obj.Status; st.SourceImage == "" || st.SourceImage == st.Image || len(st.Builds) != 1 || st.Builds[0].Image != st.Image || st.Builds[0].Duration == nil {
		t.Errorf("want the image, what it was built on and one build: %+v", st)
	}
	wantTagPackages(t, u, obj, "pandas", "boto3")
	wantAttached(t, fetch(t, obj), "pandas", "boto3", "botocore", "numpy")
	n := u.start(obj, "import pandas, boto3; print(pandas.DataFrame({'a': [1, 2]}).a.sum(), boto3.__version__)")
	if said := n.said(); !strings.HasPrefix(said, "3 1.") {
		t.Errorf("want pandas and boto3 to work in the image, got %q", said)
	}
	if answer := n.get("/api"); !strings.Contains(answer, "version") {
		t.Errorf("the notebook answers %q", answer)
	}
	n.stop()
	other := u.untilReady(named.Name)
	if digest(other.Status.Image) != digest(obj.Status.Image) {
		t.Errorf("want the same image from the same inputs, got %s and %s", obj.Status.Image, other.Status.Image)
	}
}

// wantTagPackages checks that the tag tells of packages as the dashboard reads them.
func wantTagPackages(t *testing.T, u *user, obj *v1alpha1.CustomNBImage, names ...string) {
	t.Helper()
	stream := u.stream(obj.Name)
	if stream == nil {
		return
	}
	if !offered(stream) || len(stream.Spec.Tags) != 1 || stream.Spec.Tags[0].From.Name != obj.Status.Image {
		t.Fatalf("%s: want the image offered: %v, %v", obj.Name, stream.Labels, stream.Spec.Tags)
	}
	var list []v1alpha1.SoftwareVersion
	must(t, json.Unmarshal([]byte(stream.Spec.Tags[0].Annotations["opendatahub.io/notebook-python-dependencies"]), &list))
	for _, name := range names {
		if !slices.ContainsFunc(list, func(s v1alpha1.SoftwareVersion) bool { return s.Name == name && s.Version == version(obj, name) }) {
			t.Errorf("want %s %s in the tag's annotation: %v", name, version(obj, name), list)
		}
	}
}

// wantAttached checks the lock and the bill of materials of an image.
func wantAttached(t *testing.T, b *built, names ...string) {
	t.Helper()
	lock := b.artifact(typeLock)
	var sbom struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	must(t, json.Unmarshal([]byte(b.artifact(typeSBOM)), &sbom))
	if sbom.BOMFormat != "CycloneDX" {
		t.Errorf("the bill of materials is in format %q", sbom.BOMFormat)
	}
	for _, name := range names {
		if !strings.Contains(lock, name+"==") {
			t.Errorf("want %s in the lock:\n%s", name, lock)
		}
		if !slices.ContainsFunc(sbom.Components, func(c struct{ Name, Version string }) bool { return c.Name == name && c.Version != "" }) {
			t.Errorf("want %s in the bill of materials: %v", name, sbom.Components)
		}
	}
	if locked, hashed := strings.Count(lock, "=="), strings.Count(lock, "--hash=sha256:"); locked == 0 || hashed < locked {
		t.Errorf("%d of %d packages in the lock have a hash:\n%s", hashed, locked, lock)
	}
}

// sameInputs gives the same image in two namespaces, built from source in part.
func sameInputs(t *testing.T) {
	var images []string
	users := []*user{newUser(t), newUser(t)}
	for _, u := range users {
		u.create(u.packages("same", "meteor-small", "meteor-yanked", "meteor-good-sdist"))
	}
	for _, u := range users {
		obj := u.untilReady("same")
		wantVersions(t, obj, map[string]string{"meteor-small": "2.0", "meteor-yanked": "1.0", "meteor-good-sdist": "1.0"})
		images = append(images, obj.Status.Image)
	}
	if images[0] == images[1] || digest(images[0]) != digest(images[1]) {
		t.Errorf("want one digest in two repositories, got %v", images)
	}
}

// badList is a list of packages that cannot be had, and what its user is told.
type badList struct {
	packages []string
	reason   string
	words    []string
}

func badLists() map[string]badList {
	return map[string]badList{
		"conflict":      {[]string{"meteor-conflict-a", "meteor-conflict-b"}, v1alpha1.ReasonPackageConflict, []string{"meteor-conflict-a", "meteor-conflict-b", "meteor-small<2", "meteor-small>=2"}},
		"not-found":     {[]string{"meteor-small", "meteor-of-nobody"}, v1alpha1.ReasonPackageNotFound, []string{"meteor-of-nobody"}},
		"no-version":    {[]string{"meteor-small==9.9"}, v1alpha1.ReasonPackageNotFound, []string{"meteor-small==9.9", "2.0"}},
		"needs-missing": {[]string{"meteor-needs-missing"}, v1alpha1.ReasonPackageNotFound, []string{"meteor-nowhere", "meteor-needs-missing"}},
		"other-python":  {[]string{"meteor-future"}, v1alpha1.ReasonPackageNotFound, []string{"meteor-future", "Requires-Python >=3.99"}},
		"broken-sdist":  {[]string{"meteor-broken-sdist"}, v1alpha1.ReasonPackageBuildFailed, []string{"meteor-broken-sdist", "openssl/meteor.h: No such file"}},
	}
}

func badPackages(t *testing.T) {
	u := newUser(t)
	for name, bad := range badLists() {
		u.create(u.packages(name, bad.packages...))
	}
	for name, bad := range badLists() {
		obj := u.untilDone(name)
		says(t, obj, v1alpha1.PhaseFailed, bad.reason, bad.words...)
		if len(obj.Status.Builds) != 1 || obj.Status.Builds[0].Result != v1alpha1.BuildFailed || obj.Status.Builds[0].Reason != bad.reason || obj.Status.Image != "" {
			t.Errorf("%s: want one build that failed and no image: %v, %q", name, obj.Status.Builds, obj.Status.Image)
		}
		neverOffered(t, u, name)
	}
}

// hostilePackage is let near a credential: that of the registry of its base image.
func hostilePackage(t *testing.T) {
	u := newUser(t)
	u.create(u.pullSecret("right", on.Local.PrivatePassword))
	obj := u.packages("hostile", "meteor-hostile")
	obj.Spec.BuilderImage = v1alpha1.ImageReference(privateImage())
	obj.Spec.ImagePullSecret = &v1alpha1.LocalSecretReference{Name: "right"}
	u.create(obj)
	obj = u.untilDone("hostile")
	wantHostileRefused(t, u, obj)
	u.leaksNowhere(obj, secretForms(on.Local.PrivateUser, on.Local.PrivatePassword)...)
	u.create(u.packages("after", "meteor-small"))
	says(t, u.untilDone("after"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
}

// wantHostileRefused checks that the hostile program has run, since what it left in the image is why there is none.
func wantHostileRefused(t *testing.T, u *user, obj *v1alpha1.CustomNBImage) {
	t.Helper()
	says(t, obj, v1alpha1.PhaseFailed, v1alpha1.ReasonUnsupportedFile, "/.wh.", "reserve")
	neverOffered(t, u, obj.Name)
}

// greedyPackages take more than they may. What else is built meanwhile comes to its end.
func greedyPackages(t *testing.T) {
	u := newUser(t)
	hog := u.packages("disk-hog", "meteor-disk-hog")
	hog.Spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{
		corev1.ResourceEphemeralStorage: resource.MustParse("300Mi"), corev1.ResourceMemory: resource.MustParse("2Gi"),
	}}
	hungry := u.packages("hungry", "pandas", "boto3")
	hungry.Spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("40Mi")}}
	u.create(hog, hungry, u.packages("forks", "meteor-forks"), u.packages("modest", "meteor-small"))
	says(t, u.untilDone("hungry"), v1alpha1.PhaseFailed, v1alpha1.ReasonLimitExceeded, "out of memory", "spec.resources.limits.memory")
	// Tekton's own program shares the pod's processes: it may be the one that finds none left.
	forks := u.untilDone("forks")
	reason := v1alpha1.ReasonPackageBuildFailed
	if meta.IsStatusConditionPresentAndEqual(forks.Status.Conditions, v1alpha1.ConditionImageBuilt, metav1.ConditionFalse) &&
		meta.FindStatusCondition(forks.Status.Conditions, v1alpha1.ConditionImageBuilt).Reason == v1alpha1.ReasonLimitExceeded {
		reason = v1alpha1.ReasonLimitExceeded
	}
	says(t, forks, v1alpha1.PhaseFailed, reason, "more processes than")
	says(t, u.untilDone("modest"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	says(t, u.untilDone("disk-hog"), v1alpha1.PhaseFailed, v1alpha1.ReasonLimitExceeded, "ephemeral", "spec.resources")
	neverOffered(t, u, "disk-hog")
	wantSoundNode(t)
}

// wantSoundNode checks that no node suffers.
func wantSoundNode(t *testing.T) {
	t.Helper()
	nodes := &corev1.NodeList{}
	must(t, on.Client.List(t.Context(), nodes))
	for i := range nodes.Items {
		for _, c := range nodes.Items[i].Status.Conditions {
			if want := c.Type == corev1.NodeReady; (c.Status == corev1.ConditionTrue) != want {
				t.Errorf("node %s: %s is %s: %s", nodes.Items[i].Name, c.Type, c.Status, c.Message)
			}
		}
	}
}

// manyPackages is as long as lists get.
func manyPackages(t *testing.T) {
	const many = 200
	u := newUser(t)
	var list []string
	for i := range many {
		list = append(list, fmt.Sprintf("meteor-many-%03d==1.0", i))
	}
	u.create(u.packages("many", list...))
	obj := u.untilReady("many")
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	wantVersions(t, obj, map[string]string{"meteor-many-000": "1.0", "meteor-many-199": "1.0"})
	if lock := fetch(t, obj).artifact(typeLock); strings.Count(lock, "==1.0") != many {
		t.Errorf("the lock does not have %d packages:\n%s", many, lock)
	}
	if n := int(obj.Status.PackagesTotal); n < many {
		t.Errorf("the image is said to have %d packages", n)
	}
}

// unknownEnvironment is told at once what there is.
func unknownEnvironment(t *testing.T) {
	u := newUser(t)
	obj := u.packages("unknown", "meteor-small")
	obj.Spec.BuilderImage = ""
	obj.Spec.RuntimeEnvironment = &v1alpha1.RuntimeEnvironment{OSName: "fedora", OSVersion: "99", PythonVersion: "4.0"}
	u.create(obj)
	says(t, u.untilDone("unknown"), v1alpha1.PhaseFailed, v1alpha1.ReasonRuntimeEnvironmentNotFound,
		"fedora 99 with Python 4.0", "debian 12 with Python 3.11", "ubi 8 with Python 3.8", "spec.runtimeEnvironment")
	if made := u.runs.made(ofObject[*pipelineRun]("unknown")); len(made) != 0 {
		t.Errorf("a build was started all the same: %v", made)
	}
	u.edit("unknown", func(obj *v1alpha1.CustomNBImage) {
		obj.Spec.RuntimeEnvironment = &v1alpha1.RuntimeEnvironment{OSName: "debian", OSVersion: "12", PythonVersion: "3.11"}
	})
	says(t, u.untilDone("unknown"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
}

// slowBuild takes longer than it may.
func slowBuild(t *testing.T) {
	u := newUser(t)
	obj := u.packages("slow", "meteor-small")
	obj.Spec.BuilderImage = v1alpha1.ImageReference(image("never-listens"))
	obj.Spec.Timeout = minute()
	u.create(obj)
	says(t, u.untilDone("slow"), v1alpha1.PhaseFailed, v1alpha1.ReasonBuildTimeout, "spec.timeout")
	neverOffered(t, u, "slow")
}
