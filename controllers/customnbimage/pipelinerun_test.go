package customnbimage

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/manifests"
)

func TestTaskRunSpecs(t *testing.T) {
	own := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
	others := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}}
	untrusted := func(name string, steps ...string) tektonv1.PipelineTaskRunSpec {
		spec := tektonv1.PipelineTaskRunSpec{PipelineTaskName: name, ServiceAccountName: "meteor-validate"}
		for _, step := range steps {
			spec.StepSpecs = append(spec.StepSpecs, tektonv1.TaskRunStepSpec{Name: step, ComputeResources: own})
		}
		return spec
	}
	withNotebook := func(spec tektonv1.PipelineTaskRunSpec, r corev1.ResourceRequirements) tektonv1.PipelineTaskRunSpec {
		spec.SidecarSpecs = []tektonv1.TaskRunSidecarSpec{{Name: "notebook", ComputeResources: r}}
		return spec
	}
	as := func(spec tektonv1.PipelineTaskRunSpec, account string) tektonv1.PipelineTaskRunSpec {
		spec.ServiceAccountName = account
		return spec
	}
	unconfined := func(spec tektonv1.PipelineTaskRunSpec) tektonv1.PipelineTaskRunSpec {
		obj := newObject()
		spec.ServiceAccountName = "meteor-containerfile"
		spec.PodTemplate = podTemplate(&scope{obj: obj})
		spec.PodTemplate.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptrTo(runs.RandomUser(obj.UID)), RunAsGroup: ptrTo[int64](0)}
		return spec
	}
	type specs = []tektonv1.PipelineTaskRunSpec
	cases := map[string]struct {
		reason string
		kind   v1alpha1.BuildType
		own    *corev1.ResourceRequirements
		build  v1alpha1.BuildSpec
		want   specs
	}{
		"Default": {
			reason: "the image never runs as the account that may push",
			want:   specs{untrusted("validate")},
		},
		"Account": {
			reason: "the admin's account is for every pod",
			build:  v1alpha1.BuildSpec{ServiceAccount: "builder"},
			want:   specs{as(untrusted("validate"), "builder")},
		},
		"Resources": {
			reason: "the object's resources go before the admin's",
			own:    &own, build: v1alpha1.BuildSpec{Resources: &others},
			want: specs{withNotebook(untrusted("validate"), own)},
		},
		"DefaultResources": {
			reason: "the admin's are for objects that do not say",
			build:  v1alpha1.BuildSpec{Resources: &others},
			want:   specs{withNotebook(untrusted("validate"), others)},
		},
		"PackageList": {
			reason: "the steps that run packages have the object's resources, and no account that may do anything",
			kind:   v1alpha1.BuildTypePackageList, own: &own,
			want: specs{withNotebook(untrusted("validate"), own), untrusted("build", "resolve", "install")},
		},
		"GitRepository": {
			reason: "so have those that run a repository's content, on either way",
			kind:   v1alpha1.BuildTypeGitRepository, own: &own,
			want: specs{
				withNotebook(untrusted("validate"), own), withNotebook(untrusted("validate-containerfile"), own),
				untrusted("build", "resolve", "install"), unconfined(untrusted("build-containerfile", "build")),
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newObject()
			obj.Spec.Resources = tc.own
			if tc.kind != "" {
				obj.Spec.BuildType = tc.kind
			}
			s := &scope{obj: obj, config: v1alpha1.CNBiConfigSpec{Build: tc.build}}
			if diff := cmp.Diff(tc.want, taskRunSpecs(s, flowOf(obj))); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestParams(t *testing.T) {
	object := func(spec v1alpha1.CustomNBImageSpec) *v1alpha1.CustomNBImage {
		obj := newObject()
		obj.Spec = spec
		return obj
	}
	common := map[string]any{
		"name": "notebook", "insecure": "false", "nbPrefix": "/notebook/team/notebook", "minimumPython": "3.8", "startupTimeout": "2m0s",
	}
	with := func(more map[string]any) map[string]any {
		all := maps.Clone(common)
		maps.Copy(all, more)
		return all
	}
	registry := v1alpha1.RegistrySpec{Repository: "registry.example:5000/built/{namespace}/{name}"}
	cases := map[string]struct {
		reason string
		obj    *v1alpha1.CustomNBImage
		config v1alpha1.CNBiConfigSpec
		proxy  v1alpha1.ProxySpec
		want   map[string]any
	}{
		"Import": {
			reason: "an import knows of no target",
			obj:    newObject(), want: with(map[string]any{"baseImage": testImage}),
		},
		"PackageList": {
			reason: "requirements travel one by one, and the catalogue names the image",
			obj: object(v1alpha1.CustomNBImageSpec{
				BuildType: v1alpha1.BuildTypePackageList, PackageVersions: []string{"pandas", "boto3>=1.24.0"},
				RuntimeEnvironment: &v1alpha1.RuntimeEnvironment{OSName: "ubi", OSVersion: "8", PythonVersion: "3.8"},
				ImagePullSecret:    &v1alpha1.LocalSecretReference{Name: "pull"},
			}),
			config: v1alpha1.CNBiConfigSpec{
				Registry: v1alpha1.RegistrySpec{
					Repository: registry.Repository, Insecure: v1alpha1.InsecurePlainHTTP,
					PushSecret: &v1alpha1.SharedSecretReference{Name: "push", Source: v1alpha1.SecretFromNamespace},
				},
				RuntimeEnvironments: []v1alpha1.RuntimeEnvironmentImage{
					{RuntimeEnvironment: v1alpha1.RuntimeEnvironment{OSName: "ubi", OSVersion: "8", PythonVersion: "3.8"}, Image: "registry.example/ubi8:1"},
				},
				PackageIndex: v1alpha1.PackageIndexSpec{
					URL: "https://index.example/simple", ExtraURLs: []string{"https://extra.example/simple"}, TrustedHosts: []string{"extra.example"},
					Credentials: &v1alpha1.SharedSecretReference{Name: "theirs", Source: v1alpha1.SecretFromOperator},
				},
			},
			want: with(map[string]any{
				"baseImage": "registry.example/ubi8:1", "packages": []string{"pandas", "boto3>=1.24.0"},
				"osName": "ubi", "osVersion": "8", "pythonVersion": "3.8",
				"targetImage": "registry.example:5000/built/team/notebook:id", "targetInsecure": "true", "pushToken": "false",
				"pullSecret": "pull", "pushSecret": "push", "indexCredentials": "meteor-index",
				"indexUrl": "https://index.example/simple", "extraIndexUrls": []string{"https://extra.example/simple"}, "trustedHosts": []string{"extra.example"},
			}),
		},
		"GitRepository": {
			reason: "a repository may name its image itself, else the catalogue's first serves",
			obj: object(v1alpha1.CustomNBImageSpec{
				BuildType: v1alpha1.BuildTypeGitRepository, RepositoryURL: "https://git.example/team/notebooks", GitRef: "main",
				GitSecret: &v1alpha1.LocalSecretReference{Name: "git"},
			}),
			config: v1alpha1.CNBiConfigSpec{
				Registry:            registry,
				RuntimeEnvironments: []v1alpha1.RuntimeEnvironmentImage{{Image: "registry.example/first:1"}, {Image: "registry.example/second:1"}},
			},
			proxy: v1alpha1.ProxySpec{HTTPSProxy: "http://proxy.example:3128", NoProxy: ".svc"},
			want: with(map[string]any{
				"url": "https://git.example/team/notebooks", "ref": "main", "gitSecret": "git",
				"defaultImage": "registry.example/first:1", "containerfiles": "true",
				"targetImage": "registry.example:5000/built/team/notebook:id", "targetInsecure": "false", "pushToken": "false",
				"httpsProxy": "http://proxy.example:3128", "noProxy": ".svc,127.0.0.1,localhost",
			}),
		},
		"InternalRegistry": {
			reason: "without a registry of the admin's it is OpenShift's own, with the account's token",
			obj: object(v1alpha1.CustomNBImageSpec{
				BuildType: v1alpha1.BuildTypePackageList, BaseImage: testImage, PackageVersions: []string{"pandas"},
			}),
			want: with(map[string]any{
				"baseImage": testImage, "packages": []string{"pandas"},
				"targetImage": "image-registry.openshift-image-registry.svc:5000/team/notebook:id", "targetInsecure": "false", "pushToken": "true",
			}),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{proxy: tc.proxy, buildah: true}
			s := &scope{obj: tc.obj, config: tc.config, streams: true, build: build{id: "id", attempt: 1}}
			if err := r.placeOrder(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			got := map[string]any{}
			for _, p := range r.params(s) {
				if got[p.Name] = p.Value.StringVal; p.Value.Type == tektonv1.ParamTypeArray {
					got[p.Name] = p.Value.ArrayVal
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPlaceOrderRefuses(t *testing.T) {
	wanted := &v1alpha1.RuntimeEnvironment{OSName: "ubi", OSVersion: "8", PythonVersion: "3.8"}
	cases := map[string]struct {
		reason  string
		env     *v1alpha1.RuntimeEnvironment
		config  v1alpha1.CNBiConfigSpec
		streams bool
		want    string
		message string
	}{
		"NoCatalogue": {
			reason: "where there is no runtime environment, an admin adds one", env: wanted, streams: true,
			want: v1alpha1.ReasonRuntimeEnvironmentNotFound, message: `There is no runtime environment ubi 8 with Python 3.8, nor any other: an admin adds some to spec.runtimeEnvironments of CNBiConfig "cluster", or name an image in spec.builderImage`,
		},
		"Unknown": {
			reason: "where there are others, they are told", env: wanted, streams: true,
			config: v1alpha1.CNBiConfigSpec{RuntimeEnvironments: []v1alpha1.RuntimeEnvironmentImage{
				{RuntimeEnvironment: v1alpha1.RuntimeEnvironment{OSName: "ubi", OSVersion: "9", PythonVersion: "3.11"}, Image: "a"},
				{RuntimeEnvironment: v1alpha1.RuntimeEnvironment{OSName: "debian", OSVersion: "12", PythonVersion: "3.11"}, Image: "b"},
			}},
			want: v1alpha1.ReasonRuntimeEnvironmentNotFound, message: "There is no runtime environment ubi 8 with Python 3.8: choose in spec.runtimeEnvironment from ubi 9 with Python 3.11; debian 12 with Python 3.11",
		},
		"NoRegistry": {
			reason: "an image that can go nowhere is not built",
			want:   v1alpha1.ReasonRegistryNotConfigured, message: `There is no registry that built images could go to: an admin sets spec.registry.repository of CNBiConfig "cluster"; the build starts by itself then`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newObject()
			obj.Spec = v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypePackageList, RuntimeEnvironment: tc.env, PackageVersions: []string{"pandas"}}
			r := &Reconciler{}
			err := r.placeOrder(t.Context(), &scope{obj: obj, config: tc.config, streams: tc.streams})
			if reasonOf(err) != tc.want || err.Error() != tc.message {
				t.Errorf("%s: got %s: %v", tc.reason, reasonOf(err), err)
			}
		})
	}
}

func TestStepResources(t *testing.T) {
	list := func(memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)}
	}
	type resources = corev1.ResourceRequirements
	cases := map[string]struct {
		reason    string
		got, want resources
	}{
		"SmallLimit":   {reason: "a request is no more than the limit", got: resources{Limits: list("64Mi")}, want: resources{Limits: list("64Mi"), Requests: list("64Mi")}},
		"LargeLimit":   {reason: "the Task's own request stays", got: resources{Limits: list("8Gi")}, want: resources{Limits: list("8Gi")}},
		"LargeRequest": {reason: "a limit is no less than the request", got: resources{Requests: list("8Gi")}, want: resources{Requests: list("8Gi"), Limits: list("8Gi")}},
		"SmallRequest": {reason: "the Task's own limit stays", got: resources{Requests: list("64Mi")}, want: resources{Requests: list("64Mi")}},
		"Both":         {reason: "who says both is left alone", got: resources{Requests: list("1Gi"), Limits: list("3Gi")}, want: resources{Requests: list("1Gi"), Limits: list("3Gi")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, stepResources(tc.got)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestStepResourcesAgree compares what the controller knows of the Tasks with the Tasks.
func TestStepResourcesAgree(t *testing.T) {
	objs, err := manifests.Objects(manifests.Options{BuilderImage: "builder"})
	if err != nil {
		t.Fatal(err)
	}
	tasks := map[string]string{"meteor-build-packages": taskBuild, "meteor-build-repository": taskBuild, "meteor-build-containerfile": taskBuildContainerfile}
	compared := 0
	for _, obj := range objs {
		name, builds := tasks[obj.GetName()]
		if obj.GetKind() != "Task" || !builds {
			continue
		}
		task := &tektonv1.Task{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, task); err != nil {
			t.Fatal(err)
		}
		for _, step := range task.Spec.Steps {
			if !slices.Contains(untrustedSteps[name], step.Name) {
				continue
			}
			compared++
			for resource, request := range step.ComputeResources.Requests {
				if known := stepRequests[resource]; request.Cmp(known) > 0 {
					t.Errorf("step %s of %s requests %s of %s, more than %s", step.Name, obj.GetName(), request.String(), resource, known.String())
				}
			}
			for resource, limit := range step.ComputeResources.Limits {
				if known := stepLimits[resource]; limit.Cmp(known) < 0 {
					t.Errorf("step %s of %s is limited to %s of %s, less than %s", step.Name, obj.GetName(), limit.String(), resource, known.String())
				}
			}
		}
	}
	if compared != 5 {
		t.Errorf("%d steps were compared, not 5", compared)
	}
}
