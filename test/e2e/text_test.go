//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	imagev1 "github.com/openshift/api/image/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// hostile is text that means something to shells, YAML, JSON, templates and Tekton.
const hostile = "$(touch /tmp/x); `id` ${HOME} \"\n--- kind: Secret\n\\u0022, %s {{.}} $(params.baseImage) $(tasks.inspect.results.image) \u202e</script>'"

// hostileText is passed on as the text that it is.
func hostileText(t *testing.T) {
	u := newUser(t)
	obj := u.imports("hostile", image("jupyter"))
	obj.Annotations = map[string]string{
		v1alpha1.AnnotationNotebookImageName:                hostile,
		v1alpha1.AnnotationNotebookImageDesc:                hostile,
		v1alpha1.AnnotationNotebookImageCreator:             hostile,
		"opendatahub.io/notebook-image-order":               hostile,
		"opendatahub.io/notebook-software":                  hostile,
		"opendatahub.io/notebook-image-messages":            hostile,
		"opendatahub.io/recommended-accelerators":           hostile,
		v1alpha1.AnnotationRebuild:                          strings.Repeat(hostile, 5),
		"kubectl.kubernetes.io/last-applied-configuration2": hostile,
	}
	u.create(obj)
	obj = u.untilReady("hostile")
	run := u.runs.until(t, "there is a run", func(e event[*pipelineRun]) bool { return true })
	params := map[string]string{}
	for _, p := range run.Spec.Params {
		params[p.Name] = p.Value.StringVal
	}
	// Tekton would read its own variables in a param, so there they are broken up.
	inert := strings.ReplaceAll(hostile, "$(", "$ (")
	for _, name := range []string{"name", "description", "creator"} {
		if params[name] != inert {
			t.Errorf("param %s of the run is %q", name, params[name])
		}
	}
	for key, value := range obj.Annotations {
		if got, ok := run.Annotations[key]; ok && got != value {
			t.Errorf("annotation %s of the run is %q", key, got)
		}
	}
	again := &v1alpha1.CustomNBImage{}
	text, err := yaml.Marshal(obj)
	must(t, err)
	if err := yaml.UnmarshalStrict(text, again); err != nil {
		t.Errorf("the object does not survive YAML: %v", err)
	}
	if u.streams == nil {
		return
	}
	stream := u.streams.until(t, "the stream is offered", func(e event[*imagev1.ImageStream]) bool { return offered(e.obj) })
	for _, key := range []string{v1alpha1.AnnotationNotebookImageName, v1alpha1.AnnotationNotebookImageDesc, v1alpha1.AnnotationNotebookImageCreator} {
		if stream.Annotations[key] != hostile {
			t.Errorf("annotation %s of the stream is %q", key, stream.Annotations[key])
		}
	}
	for where, value := range map[string]string{
		"messages": stream.Annotations["opendatahub.io/notebook-image-messages"],
		"software": stream.Spec.Tags[0].Annotations["opendatahub.io/notebook-software"],
		"packages": stream.Spec.Tags[0].Annotations["opendatahub.io/notebook-python-dependencies"],
	} {
		var list []map[string]string
		if err := json.Unmarshal([]byte(value), &list); err != nil {
			t.Errorf("the stream's %s are not a list in JSON: %q", where, value)
		}
	}
}

// refusedAtOnce has text where it cannot be: the API server says which field it is.
func refusedAtOnce(t *testing.T) {
	u := newUser(t)
	for field, spec := range map[string]v1alpha1.CustomNBImageSpec{
		"spec.fromImage":            {BuildType: v1alpha1.BuildTypeImageImport, FromImage: hostile},
		"spec.imagePullSecret.name": {BuildType: v1alpha1.BuildTypeImageImport, FromImage: "a", ImagePullSecret: &v1alpha1.LocalSecretReference{Name: hostile}},
		"spec.gitSecret.name":       {BuildType: v1alpha1.BuildTypeGitRepository, RepositoryURL: "https://a/b", BuilderImage: "a", GitSecret: &v1alpha1.LocalSecretReference{Name: hostile}},
		"spec.builderImage":         {BuildType: v1alpha1.BuildTypePackageList, PackageVersions: []string{"a"}, BuilderImage: hostile},
		"spec.packageVersions[1]":   {BuildType: v1alpha1.BuildTypePackageList, PackageVersions: []string{"a", hostile}, BuilderImage: "a"},
		"spec.repositoryUrl":        {BuildType: v1alpha1.BuildTypeGitRepository, RepositoryURL: hostile, BuilderImage: "a"},
		"spec.gitRef":               {BuildType: v1alpha1.BuildTypeGitRepository, RepositoryURL: "https://a/b", GitRef: hostile, BuilderImage: "a"},
		"spec.runtimeEnvironment.osName": {BuildType: v1alpha1.BuildTypePackageList, PackageVersions: []string{"a"},
			RuntimeEnvironment: &v1alpha1.RuntimeEnvironment{OSName: hostile, OSVersion: "9", PythonVersion: "3.11"}},
		"spec.buildType": {BuildType: hostile, FromImage: "a"},
	} {
		obj := u.imports("refused", "")
		obj.Spec = spec
		err := u.client.Create(t.Context(), obj)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: want to be told that this field is invalid, got %v", field, err)
		}
	}
	config := &v1alpha1.CNBiConfig{}
	config.Name = "mine"
	if err := u.client.Create(t.Context(), config); !apierrors.IsForbidden(err) {
		t.Errorf("a user who may edit a namespace made a CNBiConfig: %s", fmt.Sprint(err))
	}
}
