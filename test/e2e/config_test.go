//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// Names of what the operator installs.
const (
	pipelinesAccount  = "meteor-pipeline"
	containersAccount = "meteor-containerfile"
	packagesTask      = "meteor-build-packages"
	packagesPipeline  = "cnbi-package-list"
	copyOfPush        = "meteor-push"
	copyOfIndex       = "meteor-index"
	copyOfCA          = "meteor-ca"
	pushToken         = "meteor-push-token"
)

// absent is an image that cannot be had, which an import finds out in seconds.
func absent() string { return image("nobody-has-this") }

// untilConfig waits for the CNBiConfig to be as wanted.
func untilConfig(t *testing.T, what string, wanted func(*v1alpha1.CNBiConfig) bool) *v1alpha1.CNBiConfig {
	t.Helper()
	last := &v1alpha1.CNBiConfig{}
	await(t, on.Client, "the CNBiConfig "+what, func(l *v1alpha1.CNBiConfigList) bool {
		if len(l.Items) == 0 {
			return false
		}
		last = &l.Items[0]
		return wanted(last)
	}, func() string { return fmt.Sprintf("%+v", last.Status) })
	return last
}

// configSays tells whether the CNBiConfig has a condition about its present spec. Each of words must be in the message.
func configSays(kind string, status metav1.ConditionStatus, reason string, words ...string) func(*v1alpha1.CNBiConfig) bool {
	return func(config *v1alpha1.CNBiConfig) bool {
		for _, c := range config.Status.Conditions {
			if c.Type == kind && c.Status == status && c.Reason == reason && c.ObservedGeneration == config.Generation {
				return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(c.Message, word) })
			}
		}
		return false
	}
}

// untilIs reads an object into obj again and again until it is as wanted.
func untilIs[O client.Object](t *testing.T, what string, obj O, wanted func() bool) O {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := on.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		return err == nil && wanted(), client.IgnoreNotFound(err)
	})
	if err != nil {
		t.Fatalf("waited until %s: %v; at the end: %+v", what, err, obj)
	}
	return obj
}

func (u *user) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: u.namespace, Name: name}
}

// inUse makes an object that needs the pipelines and builds nothing, and waits until they are there.
func (u *user) inUse() {
	u.t.Helper()
	obj := u.imports("in-use", image("jupyter"))
	obj.Spec.Suspend = true
	u.create(obj)
	for _, name := range []string{"cnbi-import", "cnbi-gitrepo", packagesPipeline, book} {
		untilIs(u.t, "there is Pipeline "+name, &tektonv1.Pipeline{ObjectMeta: u.meta(name)}, func() bool { return true })
	}
}

// installed are the names of all that the operator has installed in the namespace.
func (u *user) installed() []string {
	u.t.Helper()
	var names []string
	for _, list := range []client.ObjectList{
		&tektonv1.PipelineList{}, &tektonv1.TaskList{}, &corev1.ServiceAccountList{}, &corev1.SecretList{}, &corev1.ConfigMapList{},
		&rbacv1.RoleList{}, &rbacv1.RoleBindingList{},
	} {
		must(u.t, on.Client.List(u.t.Context(), list, inNamespace(u), client.HasLabels{v1alpha1.LabelRevision}))
		for _, obj := range items(list) {
			names = append(names, fmt.Sprintf("%T %s", obj, obj.GetName()))
		}
	}
	slices.Sort(names)
	return names
}

// pipelinesTaken has an admin take the pipelines away while a build runs, and bring them back.
func pipelinesTaken(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("running", image("jupyter-slow")))
	u.untilStage("running", v1alpha1.StageValidating)
	before := u.installed()
	changeConfig(t, func(spec *v1alpha1.CNBiConfigSpec) { spec.ManagementState = v1alpha1.StateRemoved })
	u.create(u.imports("waiting", image("jupyter")))
	says(t, u.untilReason("waiting", v1alpha1.ReasonUnmanaged), v1alpha1.PhasePending, v1alpha1.ReasonUnmanaged, "spec.managementState", "Removed")
	untilConfig(t, "says what it waits for", configSays(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRemoving, u.namespace, "builds that run"))
	if diff := cmp.Diff(before, u.installed()); diff != "" {
		t.Errorf("something has changed under the running build: %s", diff)
	}
	obj := u.untilReady("running")
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	u.onlyRun(obj)
	u.pipelinesGo()
	untilConfig(t, "says that nothing is left", configSays(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "taken away"))
	says(t, u.get("waiting"), v1alpha1.PhasePending, v1alpha1.ReasonUnmanaged)

	editConfig(t, func(spec *v1alpha1.CNBiConfigSpec) { spec.ManagementState = v1alpha1.StateManaged })
	says(t, u.untilReady("waiting"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	if diff := cmp.Diff(before, u.installed()); diff != "" {
		t.Errorf("not all that was there has come back: %s", diff)
	}
	if made := u.runs.made(ofObject[*pipelineRun]("running")); len(made) != 1 {
		t.Errorf("want nothing built again, got %v", made)
	}
}

// damage is what somebody does to what is installed.
type damage struct{ u *user }

func (d damage) task() *tektonv1.Task { return &tektonv1.Task{ObjectMeta: d.u.meta(packagesTask)} }

func (d damage) pipeline() *tektonv1.Pipeline {
	return &tektonv1.Pipeline{ObjectMeta: d.u.meta(packagesPipeline)}
}

func (d damage) account() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: d.u.meta(containersAccount)}
}

const (
	theirImage = "registry.example.com/of-somebody:1"
	theirLabel = "example.com/of-somebody"
)

// do edits a Task, takes the labels of a Pipeline, and deletes an account. It adds a label, too.
func (d damage) do() {
	d.u.t.Helper()
	ctx := d.u.t.Context()
	task, pipeline := d.task(), d.pipeline()
	must(d.u.t, on.Client.Get(ctx, client.ObjectKeyFromObject(task), task))
	task.Spec.Steps[0].Image = theirImage
	task.Labels[theirLabel] = "true"
	must(d.u.t, on.Client.Update(ctx, task))
	must(d.u.t, on.Client.Get(ctx, client.ObjectKeyFromObject(pipeline), pipeline))
	pipeline.Labels = nil
	must(d.u.t, on.Client.Update(ctx, pipeline))
	must(d.u.t, on.Client.Delete(ctx, d.account()))
}

// stays checks that nobody has mended anything.
func (d damage) stays() {
	d.u.t.Helper()
	ctx := d.u.t.Context()
	task, pipeline := d.task(), d.pipeline()
	must(d.u.t, on.Client.Get(ctx, client.ObjectKeyFromObject(task), task))
	must(d.u.t, on.Client.Get(ctx, client.ObjectKeyFromObject(pipeline), pipeline))
	err := on.Client.Get(ctx, client.ObjectKeyFromObject(d.account()), d.account())
	if task.Spec.Steps[0].Image != theirImage || len(pipeline.Labels) > 0 || client.IgnoreNotFound(err) != nil || err == nil {
		d.u.t.Errorf("what is not managed was mended: image %s, labels %v, account %v", task.Spec.Steps[0].Image, pipeline.Labels, err)
	}
}

// isMended waits until all is as it was, but for the label, which is nobody's business.
func (d damage) isMended() {
	d.u.t.Helper()
	task, pipeline := d.task(), d.pipeline()
	untilIs(d.u.t, "the edited Task is as it was", task, func() bool { return task.Spec.Steps[0].Image != theirImage })
	untilIs(d.u.t, "the Pipeline has its labels", pipeline, func() bool { return pipeline.Labels[v1alpha1.LabelRevision] != "" })
	untilIs(d.u.t, "the account is back", d.account(), func() bool { return true })
	if task.Labels[theirLabel] != "true" {
		d.u.t.Errorf("a label was taken that somebody has added: %v", task.Labels)
	}
}

// drift has what is installed damaged: first while nobody is to touch it, then while it is kept.
func drift(t *testing.T) {
	u := newUser(t)
	u.inUse()
	d := damage{u}
	changeConfig(t, func(spec *v1alpha1.CNBiConfigSpec) { spec.ManagementState = v1alpha1.StateUnmanaged })
	untilConfig(t, "says that it leaves all as it is", func(c *v1alpha1.CNBiConfig) bool {
		return configSays(v1alpha1.ConditionNamespacesReady, metav1.ConditionUnknown, v1alpha1.ReasonUnmanaged, "left as they are")(c) &&
			configSays(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)(c)
	})
	d.do()
	u.create(u.imports("builds-go-on", absent()))
	says(t, u.untilDone("builds-go-on"), v1alpha1.PhaseFailed, v1alpha1.ReasonImageNotFound)
	d.stays()
	editConfig(t, func(spec *v1alpha1.CNBiConfigSpec) { spec.ManagementState = v1alpha1.StateManaged })
	d.isMended()
	d.do()
	d.isMended()
}

// foreignTask has somebody's Task in the way.
func foreignTask(t *testing.T) {
	u := newUser(t)
	task := &tektonv1.Task{ObjectMeta: u.meta(packagesTask), Spec: tektonv1.TaskSpec{Steps: []tektonv1.Step{{Name: "theirs", Image: theirImage}}}}
	must(t, on.Client.Create(t.Context(), task))
	generation := task.Generation
	u.create(u.imports("import", absent()), u.packages("packages", "meteor-small"))
	config := untilConfig(t, "names the Task", configSays(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespacesFailing,
		u.namespace, "Task", packagesTask, "rename or remove"))
	if !slices.ContainsFunc(config.Status.Namespaces.Failing, func(f v1alpha1.FailingNamespace) bool {
		return f.Name == u.namespace && strings.Contains(f.Message, packagesTask)
	}) {
		t.Errorf("want the namespace among those that fail: %+v", config.Status.Namespaces)
	}
	says(t, u.untilDone("import"), v1alpha1.PhaseFailed, v1alpha1.ReasonImageNotFound)
	says(t, u.untilReason("packages", v1alpha1.ReasonWaitingForPipelines), v1alpha1.PhasePending, v1alpha1.ReasonWaitingForPipelines)
	must(t, on.Client.Get(t.Context(), client.ObjectKeyFromObject(task), task))
	if task.Generation != generation || len(task.Labels) > 0 || len(task.OwnerReferences) > 0 {
		t.Errorf("somebody's Task was changed: %+v", task.ObjectMeta)
	}
	must(t, on.Client.Delete(t.Context(), task))
	untilConfig(t, "is ready again", configSays(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	says(t, u.untilReady("packages"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
}

// selected gives pipelines to the namespaces that an admin has labelled.
func selected(t *testing.T) {
	const key = "example.com/notebooks"
	u, other := newUser(t), newUser(t)
	label := func(u *user, value string) {
		must(t, on.Client.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.namespace}},
			client.RawPatch("application/merge-patch+json", []byte(fmt.Sprintf(`{"metadata":{"labels":{%q:%s}}}`, key, value)))))
	}
	changeConfig(t, func(spec *v1alpha1.CNBiConfigSpec) {
		spec.Namespaces = v1alpha1.NamespacesSpec{
			Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{key: "wanted"}},
		}
	})
	label(u, `"wanted"`)
	u.create(u.imports("import", absent()))
	other.create(other.imports("import", absent()), other.meteor("site", "public/plain", "", 0, book))
	says(t, u.untilDone("import"), v1alpha1.PhaseFailed, v1alpha1.ReasonImageNotFound)
	says(t, other.untilReason("import", v1alpha1.ReasonNamespaceExcluded), v1alpha1.PhasePending, v1alpha1.ReasonNamespaceExcluded, key+"=wanted", "spec.namespaces.selector")
	site := other.untilMeteor("site", "says what is missing", func(m *v1alpha1.Meteor) bool {
		return meteorCondition(m, v1alpha1.ConditionPipelinePrefix+book).Reason == v1alpha1.ReasonNamespaceExcluded
	})
	saysOf(t, site, book, metav1.ConditionUnknown, v1alpha1.ReasonNamespaceExcluded, key+"=wanted")
	must(t, other.client.Delete(t.Context(), site))
	if got := other.installed(); len(got) > 0 {
		t.Errorf("a namespace that is not selected was given %v", got)
	}

	label(other, `"wanted"`)
	says(t, other.untilDone("import"), v1alpha1.PhaseFailed, v1alpha1.ReasonImageNotFound)
	label(u, "null")
	u.pipelinesGo()
	editConfig(t, func(spec *v1alpha1.CNBiConfigSpec) { spec.Namespaces.Exclude = []string{other.namespace} })
	other.pipelinesGo()
	other.create(other.imports("excluded", absent()))
	says(t, other.untilReason("excluded", v1alpha1.ReasonNamespaceExcluded), v1alpha1.PhasePending, v1alpha1.ReasonNamespaceExcluded, "spec.namespaces.exclude")
}

// certificate makes one of nobody's.
func certificate(t *testing.T, serial int64) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// copies has an admin's credentials and authorities copied to where they are needed, as long as the CNBiConfig says so.
func copies(t *testing.T) {
	const adminsCA, key = "e2e-ca", "ca.crt"
	u, other := newUser(t), newUser(t)
	u.inUse()
	ca := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: adminsCA}, Data: map[string]string{key: certificate(t, 1)}}
	must(t, on.Client.Create(t.Context(), ca))
	t.Cleanup(func() { _ = on.Client.Delete(contextAfter(), ca) })
	setSecret(t, pushSecret(t, "first"))
	setSecret(t, indexSecret("first"))
	changeConfig(t, func(spec *v1alpha1.CNBiConfigSpec) {
		spec.Registry.PushSecret = &v1alpha1.SharedSecretReference{Name: adminsPush, Source: v1alpha1.SecretFromOperator}
		spec.PackageIndex.Credentials = &v1alpha1.SharedSecretReference{Name: adminsIndex, Source: v1alpha1.SecretFromOperator}
		spec.Registry.CA = &v1alpha1.ConfigMapKeyReference{Name: adminsCA, Key: key}
	})
	follow := func(password string) {
		t.Helper()
		push, index := &corev1.Secret{ObjectMeta: u.meta(copyOfPush)}, &corev1.Secret{ObjectMeta: u.meta(copyOfIndex)}
		authorities := &corev1.ConfigMap{ObjectMeta: u.meta(copyOfCA)}
		untilIs(t, "the push secret is copied", push, func() bool {
			return cmp.Equal(push.Data, pushSecret(t, password).Data) && push.Type == corev1.SecretTypeDockerConfigJson
		})
		untilIs(t, "the index's credentials are copied", index, func() bool {
			return cmp.Equal(index.Data, indexSecret(password).Data) && index.Type == corev1.SecretTypeBasicAuth
		})
		untilIs(t, "the authorities are copied", authorities, func() bool {
			return strings.Contains(authorities.Data["registry.crt"], strings.TrimSpace(ca.Data[key]))
		})
	}
	follow("first")
	setSecret(t, pushSecret(t, "second"))
	setSecret(t, indexSecret("second"))
	ca.Data[key] = certificate(t, 2)
	must(t, on.Client.Update(t.Context(), ca))
	follow("second")
	if got := other.installed(); len(got) > 0 {
		t.Errorf("a namespace that builds nothing was given %v", got)
	}
	editConfig(t, func(spec *v1alpha1.CNBiConfigSpec) {
		spec.Registry.PushSecret, spec.PackageIndex.Credentials, spec.Registry.CA, spec.Network.TrustedCA = nil, nil, nil, nil
	})
	gone(t, "the copied Secrets", &corev1.SecretList{}, inNamespace(u), client.HasLabels{v1alpha1.LabelRevision})
	gone(t, "the copied authorities", &corev1.ConfigMapList{}, inNamespace(u), client.HasLabels{v1alpha1.LabelRevision})
	untilConfig(t, "is ready", configSays(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
}

// internalRegistry has images go to OpenShift's own registry, of which the local cluster has the ImageStreams alone: what
// a push needs is there, and goes when images go elsewhere.
func internalRegistry(t *testing.T) {
	u := newUser(t)
	u.inUse()
	changeConfig(t, func(spec *v1alpha1.CNBiConfigSpec) { spec.Registry.Repository = "" })
	role, binding, token := &rbacv1.Role{ObjectMeta: u.meta(pipelinesAccount)}, &rbacv1.RoleBinding{ObjectMeta: u.meta(pipelinesAccount)}, &corev1.Secret{ObjectMeta: u.meta(pushToken)}
	untilIs(t, "there is a role to push", role, func() bool { return true })
	untilIs(t, "the account has it", binding, func() bool { return true })
	untilIs(t, "there is a token", token, func() bool { return len(token.Data[corev1.ServiceAccountTokenKey]) > 0 })
	want := []rbacv1.PolicyRule{{APIGroups: []string{"image.openshift.io"}, Resources: []string{"imagestreams/layers"}, Verbs: []string{"get", "update"}}}
	if diff := cmp.Diff(want, role.Rules); diff != "" {
		t.Errorf("what builds may do: -want, +got: %s", diff)
	}
	u.create(u.meteor("site", "public/plain", "", 0, book))
	stream := &imagev1.ImageStream{ObjectMeta: u.meta("meteor-site")}
	untilIs(t, "the site's image has somewhere to go", stream, func() bool { return true })
	run := u.runs.until(t, "the book is built", func(e event[*pipelineRun]) bool { return e.obj.Labels[v1alpha1.LabelMeteor] == "site" })
	if !slices.ContainsFunc(run.Spec.Params, func(p tektonv1.Param) bool {
		return p.Name == "targetImage" && strings.Contains(p.Value.StringVal, "/"+u.namespace+"/meteor-site")
	}) {
		t.Errorf("the site's image goes elsewhere: %+v", run.Spec.Params)
	}
	must(t, u.client.Delete(t.Context(), u.getMeteor("site")))
	gone(t, "the site's stream", &imagev1.ImageStreamList{}, operator.Named(u.namespace, stream.Name))
	gone(t, "runs", &tektonv1.PipelineRunList{}, inNamespace(u))
	editConfig(t, func(spec *v1alpha1.CNBiConfigSpec) {
		spec.Registry.Repository = on.Local.Registry + "/built/{namespace}/{name}"
	})
	gone(t, "the role to push", &rbacv1.RoleList{}, operator.Named(u.namespace, role.Name))
	gone(t, "its binding", &rbacv1.RoleBindingList{}, operator.Named(u.namespace, binding.Name))
	gone(t, "the token", &corev1.SecretList{}, operator.Named(u.namespace, token.Name))
}
