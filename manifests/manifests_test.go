package manifests_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/manifests"
)

const (
	builder = "registry.example/meteor@sha256:abc"
	buildah = "registry.example/buildah@sha256:def"
)

// objects are those of an installation that needs all that there is.
func objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return rendered(t, manifests.Options{BuilderImage: builder, BuildahImage: buildah, IndexForwarder: true, PushToken: true, Containerfiles: "Unprivileged"})
}

func rendered(t *testing.T, opts manifests.Options) []*unstructured.Unstructured {
	t.Helper()
	objs, err := manifests.Objects(opts)
	if err != nil {
		t.Fatal(err)
	}
	return objs
}

func TestObjectsComeInTheOrderOfTheirUse(t *testing.T) {
	kinds := []string{"v1 ServiceAccount", "rbac.authorization.k8s.io/v1 Role", "rbac.authorization.k8s.io/v1 RoleBinding", "v1 Secret", "tekton.dev/v1 Task", "tekton.dev/v1 Pipeline"}
	last, seen := 0, map[string]bool{}
	for _, obj := range objects(t) {
		kind := obj.GetAPIVersion() + " " + obj.GetKind()
		n := slices.Index(kinds, kind)
		if n < last {
			t.Errorf("%s %s comes after a %s", kind, obj.GetName(), kinds[last])
		}
		last = n
		if name := kind + "/" + obj.GetName(); seen[name] || obj.GetNamespace() != "" {
			t.Errorf("%s is there twice, or names a namespace", name)
		} else {
			seen[name] = true
		}
	}
	for _, name := range []string{"cnbi-import", "cnbi-package-list"} {
		if !seen["tekton.dev/v1 Pipeline/"+name] {
			t.Errorf("there is no Pipeline %q", name)
		}
	}
}

// What an installation does not need is not there.
func TestPartsThatAreNotNeeded(t *testing.T) {
	data, err := json.Marshal(rendered(t, manifests.Options{BuilderImage: builder}))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{`"kind":"Secret"`, `"kind":"Role"`, `"kind":"RoleBinding"`, "--index-via", "index-credentials", `"forward"`, `"sidecars":[]`} {
		if strings.Contains(string(data), word) {
			t.Errorf("%s is there", word)
		}
	}
	if !strings.Contains(string(data), `"name":"notebook"`) {
		t.Error("the sidecar with the notebook is gone too")
	}
}

// A token Secret's content is the cluster's to fill in.
func TestPushToken(t *testing.T) {
	var secret corev1.Secret
	convert(t, "Secret", "meteor-push-token", &secret)
	if secret.Type != corev1.SecretTypeServiceAccountToken || secret.Annotations[corev1.ServiceAccountNameKey] != "meteor-pipeline" || len(secret.Data)+len(secret.StringData) > 0 {
		t.Errorf("the Secret is %v", secret)
	}
}

// told are params that people and controllers read on the run, and no task.
var told = []string{"name", "creator", "description", "osName", "osVersion", "pythonVersion"}

func TestParamsAreUsedAndGiven(t *testing.T) {
	byName := map[string]*tektonv1.Task{}
	for _, task := range tasks(t) {
		byName[task.Name] = task
		checkParams(t, task.Name, task.Spec.Params, nil, task.Spec.Steps, task.Spec.Sidecars, task.Spec.Volumes, task.Spec.StepTemplate)
	}
	for _, obj := range objects(t) {
		if obj.GetKind() != "Pipeline" {
			continue
		}
		var p tektonv1.Pipeline
		convert(t, "Pipeline", obj.GetName(), &p)
		checkParams(t, p.Name, p.Spec.Params, told, p.Spec.Tasks)
		for _, use := range p.Spec.Tasks {
			task := byName[use.TaskRef.Name]
			if task == nil {
				t.Errorf("%s/%s: there is no Task %q", p.Name, use.Name, use.TaskRef.Name)
				continue
			}
			for _, declared := range task.Spec.Params {
				if given := slices.ContainsFunc(use.Params, func(p tektonv1.Param) bool { return p.Name == declared.Name }); !given && declared.Default == nil {
					t.Errorf("%s/%s: param %q is not given", p.Name, use.Name, declared.Name)
				}
			}
			for _, given := range use.Params {
				if !slices.ContainsFunc(task.Spec.Params, func(p tektonv1.ParamSpec) bool { return p.Name == given.Name && p.Type == given.Value.Type }) {
					t.Errorf("%s/%s: Task %q has no param %q of type %s", p.Name, use.Name, task.Name, given.Name, given.Value.Type)
				}
			}
		}
	}
}

func checkParams(t *testing.T, name string, params []tektonv1.ParamSpec, told []string, used ...any) {
	t.Helper()
	data, err := json.Marshal(used)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		word := "$(params." + p.Name + ")"
		if p.Type == tektonv1.ParamTypeArray {
			word = "$(params." + p.Name + "[*])"
		}
		if strings.Contains(string(data), word) == slices.Contains(told, p.Name) {
			t.Errorf("%s: param %q is used: %v", name, p.Name, !slices.Contains(told, p.Name))
		}
	}
}

func TestObjectsNeedAnImage(t *testing.T) {
	if _, err := manifests.Objects(manifests.Options{}); err == nil {
		t.Error("Objects without an image: no error")
	}
}

func TestRevision(t *testing.T) {
	first, again := manifests.Revision(objects(t)), manifests.Revision(objects(t))
	if first != again || !regexp.MustCompile(`^[0-9a-f]{10}$`).MatchString(first) {
		t.Errorf("revisions %q and %q, want the same ten digits", first, again)
	}
	others, err := manifests.Objects(manifests.Options{BuilderImage: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if manifests.Revision(others) == first {
		t.Error("another builder image has the same revision")
	}
	objs := objects(t)
	objs[0].Object["automountServiceAccountToken"] = true
	if manifests.Revision(objs) == first {
		t.Error("other objects have the same revision")
	}
}

// Managers of two releases have to agree on the revision of the same objects.
func TestRevisionStays(t *testing.T) {
	obj := &unstructured.Unstructured{Object: map[string]any{"kind": "Task", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{"n": int64(1)}}}
	if got, want := manifests.Revision([]*unstructured.Unstructured{obj}), "b89cdfa78b"; got != want {
		t.Errorf("Revision = %s, want %s", got, want)
	}
}

// What is decoded strictly has no field that Kubernetes or Tekton would drop in silence.
func TestObjectsAreValid(t *testing.T) {
	for _, obj := range objects(t) {
		t.Run(obj.GetKind()+"/"+obj.GetName(), func(t *testing.T) {
			typed := typedFor(t, obj)
			data, err := json.Marshal(obj.Object)
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.UnmarshalStrict(data, typed); err != nil {
				t.Fatal(err)
			}
			if v, ok := typed.(apis.Defaultable); ok {
				v.SetDefaults(context.Background())
			}
			if v, ok := typed.(apis.Validatable); ok {
				if err := v.Validate(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestTheAccountMayDoNoMoreThanPush(t *testing.T) {
	var role rbacv1.Role
	convert(t, "Role", "meteor-pipeline", &role)
	want := []rbacv1.PolicyRule{{APIGroups: []string{"image.openshift.io"}, Resources: []string{"imagestreams/layers"}, Verbs: []string{"get", "update"}}}
	if diff := cmp.Diff(want, role.Rules); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	for _, name := range []string{"meteor-pipeline", "meteor-validate", "meteor-containerfile"} {
		var account corev1.ServiceAccount
		convert(t, "ServiceAccount", name, &account)
		if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
			t.Errorf("pods get the token of account %s", name)
		}
	}
	var binding rbacv1.RoleBinding
	convert(t, "RoleBinding", "meteor-pipeline", &binding)
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "meteor-pipeline"}}
	if diff := cmp.Diff(subjects, binding.Subjects); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestContainers(t *testing.T) {
	for _, task := range tasks(t) {
		for _, step := range task.Spec.Steps {
			t.Run(task.Name+"/"+step.Name, func(t *testing.T) {
				if step.Script != "" || len(step.Command) == 0 {
					t.Errorf("script %q, command %q", step.Script, step.Command)
				}
				if step.Image == buildah {
					checkRoot(t, step.SecurityContext)
				} else {
					checkSecurity(t, step.SecurityContext, step.Image == builder)
				}
				if step.ComputeResources.Requests.Cpu().IsZero() || step.ComputeResources.Limits.Memory().IsZero() {
					t.Errorf("resources %v", step.ComputeResources)
				}
				checkSubstitutions(t, append(slices.Clone(step.Command), step.Args...))
				if trusted := step.Image == builder; step.Image != buildah && trusted == strings.Contains(step.Image, "$(") {
					t.Errorf("image %q is neither ours nor the user's", step.Image)
				}
			})
		}
		for _, sidecar := range task.Spec.Sidecars {
			t.Run(task.Name+"/"+sidecar.Name, func(t *testing.T) {
				if ours := sidecar.Image == builder; sidecar.Script != "" || ours != (len(sidecar.Command)+len(sidecar.Args) > 0) {
					t.Errorf("the notebook is not started by itself: %q %q", sidecar.Command, sidecar.Args)
				}
				checkSubstitutions(t, append(slices.Clone(sidecar.Command), sidecar.Args...))
				checkSecurity(t, sidecar.SecurityContext, sidecar.Image == builder)
			})
		}
	}
}

// The image under test gets no secret, nothing of the host, and can change no file that a step of ours runs.
func TestUntrustedContainersGetNothing(t *testing.T) {
	for _, task := range tasks(t) {
		secret, written := map[string]bool{}, map[string]bool{}
		for _, v := range task.Spec.Volumes {
			secret[v.Name] = v.EmptyDir == nil && v.ConfigMap == nil
			if v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil {
				t.Errorf("%s: volume %q has no limit", task.Name, v.Name)
			}
		}
		for _, step := range task.Spec.Steps {
			for _, m := range step.VolumeMounts {
				written[m.Name] = written[m.Name] || step.Image == builder && !m.ReadOnly
				if m.Name == "bin" && step.Name != "prepare" && step.Name != "place" && !m.ReadOnly {
					t.Errorf("%s/%s can change what others run", task.Name, step.Name)
				}
			}
		}
		check := func(name string, mounts []corev1.VolumeMount) {
			for _, m := range mounts {
				if secret[m.Name] || written[m.Name] && !m.ReadOnly {
					t.Errorf("%s/%s mounts %q, read-only %v", task.Name, name, m.Name, m.ReadOnly)
				}
			}
		}
		for _, step := range task.Spec.Steps {
			if step.Image != builder {
				check(step.Name, step.VolumeMounts)
			}
		}
		for _, sidecar := range task.Spec.Sidecars {
			if sidecar.Image != builder {
				check(sidecar.Name, sidecar.VolumeMounts)
			}
		}
	}
}

// secretFolder is a folder's name that no step can guess.
const secretFolder = "$(context.taskRun.uid)"

// Tekton's own program, which starts each step, publishes files of folders that all steps of a pod can write to, and
// follows links. Where it could reach a secret, no other step must know the way.
func TestSecretsCannotBeLinkedTo(t *testing.T) {
	mounts := 0
	for _, task := range tasks(t) {
		secret := map[string]bool{}
		for _, v := range task.Spec.Volumes {
			secret[v.Name] = v.Secret != nil || v.Projected != nil
		}
		for _, step := range task.Spec.Steps {
			for _, m := range step.VolumeMounts {
				if !secret[m.Name] {
					continue
				}
				mounts++
				if path.Base(m.MountPath) != secretFolder {
					t.Errorf("%s/%s has a secret at %s", task.Name, step.Name, m.MountPath)
				}
			}
		}
	}
	if mounts == 0 {
		t.Error("no step has a secret")
	}
}

// A person at a console reads these.
func TestEverythingIsDescribed(t *testing.T) {
	var params []tektonv1.ParamSpec
	descriptions := map[string]string{}
	for _, obj := range objects(t) {
		if obj.GetKind() != "Pipeline" {
			continue
		}
		var pipeline tektonv1.Pipeline
		convert(t, "Pipeline", obj.GetName(), &pipeline)
		params = append(params, pipeline.Spec.Params...)
		descriptions[pipeline.Name] = pipeline.Spec.Description
		for _, r := range pipeline.Spec.Results {
			descriptions[pipeline.Name+" result "+r.Name] = r.Description
		}
	}
	for _, task := range tasks(t) {
		descriptions[task.Name] = task.Spec.Description
		params = append(params, task.Spec.Params...)
		for _, r := range task.Spec.Results {
			descriptions[task.Name+" result "+r.Name] = r.Description
		}
	}
	for _, p := range params {
		descriptions["param "+p.Name] = p.Description
		if p.Default == nil && !slices.Contains([]string{"baseImage", "image", "targetImage", "packages", "url", "commit", "plan", "bookImage", "serverImage"}, p.Name) {
			t.Errorf("param %q has no default, so starting it by hand asks for it", p.Name)
		}
	}
	for name, description := range descriptions {
		if description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}

func TestThePlaceholdersAreGone(t *testing.T) {
	data, err := json.Marshal(objects(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, placeholder := range []string{`"meteor-builder"`, `"meteor-buildah"`} {
		if strings.Contains(string(data), placeholder) {
			t.Errorf("placeholder %s is left", placeholder)
		}
	}
}

var substitution = regexp.MustCompile(`^--[a-z-]+=(\$\(params\.[A-Za-z]+\)|[^$]*)$|^\$\(params\.[A-Za-z]+\[\*\]\)$`)

// checkSubstitutions wants every param to be the whole value of one flag, and every array to be arguments of its own: no
// quoting, no splitting, no shell.
func checkSubstitutions(t *testing.T, words []string) {
	t.Helper()
	for _, word := range words {
		if param := strings.ReplaceAll(word, secretFolder, ""); strings.Contains(param, "$(") && !substitution.MatchString(param) {
			t.Errorf("argument %q mixes a param with other text", word)
		}
		if strings.HasSuffix(word, "/sh") || word == "sh" || word == "bash" || word == "-c" {
			t.Errorf("argument %q starts a shell", word)
		}
	}
}

func checkSecurity(t *testing.T, s *corev1.SecurityContext, ours bool) {
	t.Helper()
	switch {
	case s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation:
		t.Error("may gain privileges")
	case s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0:
		t.Error("has capabilities")
	case s.RunAsUser != nil || s.RunAsGroup != nil:
		t.Error("names a user, which is the pod's to choose")
	case ours && (s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem):
		t.Error("ours, and may write to its root file system")
	}
}

// checkRoot checks the one container that is root: of a runtime's default capabilities it keeps those that a user
// namespace takes, and the Pod Security Standard "baseline" lets it.
func checkRoot(t *testing.T, s *corev1.SecurityContext) {
	t.Helper()
	runtimeDefault := []corev1.Capability{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETPCAP", "SYS_CHROOT",
	}
	want := &corev1.SecurityContext{
		RunAsUser: ptr.To[int64](0), RunAsGroup: ptr.To[int64](0), RunAsNonRoot: ptr.To(false), AllowPrivilegeEscalation: ptr.To(false),
		Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SETFCAP"}, Drop: runtimeDefault},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestContainerfilesInPrivilegedContainers(t *testing.T) {
	for mode, want := range map[string]bool{"": false, "Unprivileged": false, "Never": false, "Privileged": true} {
		got := map[string]bool{}
		for _, obj := range rendered(t, manifests.Options{BuilderImage: builder, BuildahImage: buildah, Containerfiles: mode}) {
			steps, _, _ := unstructured.NestedSlice(obj.Object, "spec", "steps")
			for _, step := range steps {
				m, _ := step.(map[string]any)
				if is, _, _ := unstructured.NestedBool(m, "securityContext", "privileged"); is {
					got[fmt.Sprintf("%s/%s", obj.GetName(), m["name"])] = true
				}
			}
		}
		if (len(got) == 1 && got["meteor-build-containerfile/build"]) != want || len(got) > 1 {
			t.Errorf("%q: privileged are %v", mode, got)
		}
	}
}

func tasks(t *testing.T) []*tektonv1.Task {
	t.Helper()
	var list []*tektonv1.Task
	for _, obj := range objects(t) {
		if obj.GetKind() == "Task" {
			task := &tektonv1.Task{}
			convert(t, "Task", obj.GetName(), task)
			list = append(list, task)
		}
	}
	return list
}

func convert(t *testing.T, kind, name string, into any) {
	t.Helper()
	for _, obj := range objects(t) {
		if obj.GetKind() == kind && obj.GetName() == name {
			data, err := json.Marshal(obj.Object)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("there is no %s %q", kind, name)
}

func typedFor(t *testing.T, obj *unstructured.Unstructured) any {
	t.Helper()
	switch obj.GetKind() {
	case "ServiceAccount":
		return &corev1.ServiceAccount{}
	case "Role":
		return &rbacv1.Role{}
	case "RoleBinding":
		return &rbacv1.RoleBinding{}
	case "Secret":
		return &corev1.Secret{}
	case "Task":
		return &tektonv1.Task{}
	case "Pipeline":
		return &tektonv1.Pipeline{}
	}
	t.Fatalf("unexpected kind %q", obj.GetKind())
	return nil
}
