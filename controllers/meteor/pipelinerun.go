package meteor

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

const (
	// labelPipeline names the pipeline that a run was started for.
	labelPipeline = "meteor.zone/pipeline"
	// taskFindCommit is the Task that looks up what a branch or tag stands for.
	taskFindCommit = "meteor-find-commit"
	// untrustedServiceAccount may do nothing: a book's build runs the repository's notebooks.
	untrustedServiceAccount = "meteor-validate"
	defaultTimeout          = time.Hour
	lookTimeout             = 10 * time.Minute
	// internalRegistry is the repository in OpenShift's internal registry that a site's images go to.
	internalRegistry = "image-registry.openshift-image-registry.svc:5000/{namespace}/{name}"
)

// order is what a book is built with, and where its site's image goes.
type order struct {
	book, server, target, pushSecret string
	// token is true where the service account's own token is what the registry wants.
	token bool
}

// orderOf is what a book would be built with now. What it takes from the CNBiConfig is part of a run only: an edit there
// builds nothing again.
func (r *Reconciler) orderOf(s *scope, p *part) (order, error) {
	o := order{book: cmp.Or(string(s.config.Images.JupyterBook), r.images.Book), server: cmp.Or(string(s.config.Images.Builder), r.images.Server)}
	if o.book == "" {
		return o, outcome.Wait(v1alpha1.ReasonBookImageNotConfigured, fmt.Sprintf("There is no image that books could be built in: an admin sets spec.images.jupyterBook of CNBiConfig %q; the build starts by itself then", v1alpha1.CNBiConfigName), 0)
	}
	o.pushSecret = pushSecret(&s.config)
	repository := s.config.Registry.Repository
	if repository == "" {
		if !r.cluster.HasImageStreams() {
			return o, outcome.Wait(v1alpha1.ReasonRegistryNotConfigured, fmt.Sprintf("There is no registry that built images could go to: an admin sets spec.registry.repository of CNBiConfig %q; the build starts by itself then", v1alpha1.CNBiConfigName), 0)
		}
		repository, o.token = internalRegistry, o.pushSecret == ""
	}
	o.target = strings.NewReplacer("{namespace}", s.obj.Namespace, "{name}", siteName(s.obj.Name)).Replace(repository) + ":" + p.build.id
	return o, nil
}

// pushSecret is the name, in the namespace of a build, of the Secret that images are pushed and pulled with.
func pushSecret(config *v1alpha1.CNBiConfigSpec) string {
	switch ref := config.Registry.PushSecret; {
	case ref == nil:
		return ""
	case ref.Source == v1alpha1.SecretFromOperator:
		return install.PushSecret
	default:
		return ref.Name
	}
}

// newRun builds the run of one attempt, if all that it needs is there.
func (r *Reconciler) newRun(ctx context.Context, s *scope, p *part) (*tektonv1.PipelineRun, error) {
	run := newRunOf(s.obj, p.build.runName(s.obj, p.name))
	run.Labels[labelPipeline] = p.name
	run.Labels[v1alpha1.LabelBuild] = p.build.id
	run.Spec.PipelineRef = &tektonv1.PipelineRef{Name: p.name}
	if p.name != v1alpha1.PipelineJupyterBook {
		run.Spec.Params = tektonv1.Params{param("url", s.obj.Spec.URL), param("ref", string(s.obj.Spec.Ref))}
		return run, r.checkForeign(ctx, s, p.name)
	}
	if err := r.checkInstalled(ctx, s, p.name); err != nil {
		return nil, err
	}
	o, err := r.orderOf(s, p)
	if err != nil {
		return nil, err
	}
	if err := r.checkSecrets(ctx, s, o); err != nil {
		return nil, err
	}
	if err := r.ensureStream(ctx, s, o); err != nil {
		return nil, err
	}
	run.Spec.Params = r.bookParams(s, o)
	run.Spec.Timeouts = &tektonv1.TimeoutFields{Pipeline: &metav1.Duration{Duration: timeoutOf(&s.config)}}
	run.Spec.TaskRunTemplate = taskRunTemplate(s, o)
	if resources := s.config.Build.Resources; resources != nil {
		run.Spec.TaskRunSpecs = []tektonv1.PipelineTaskRunSpec{{
			PipelineTaskName: taskBook,
			StepSpecs:        []tektonv1.TaskRunStepSpec{{Name: stepBuild, ComputeResources: *resources}},
		}}
	}
	return run, nil
}

// ensureStream makes the ImageStream without which OpenShift's internal registry takes no image. Whether it is there is
// asked once a build: the streams that the other controller caches are none of this one's business.
func (r *Reconciler) ensureStream(ctx context.Context, s *scope, o order) error {
	if !o.token {
		return nil
	}
	stream := metadataOf(capabilities.ImageStream)
	err := r.direct.Get(ctx, types.NamespacedName{Namespace: s.obj.Namespace, Name: siteName(s.obj.Name)}, stream)
	switch {
	case err == nil && !metav1.IsControlledBy(stream, s.obj):
		return taken(s.obj, "ImageStream", stream)
	case err == nil:
		return nil
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("cannot read ImageStream %q: %w", siteName(s.obj.Name), err)
	}
	m := objectMeta(s.obj)
	wanted := &unstructured.Unstructured{}
	wanted.SetGroupVersionKind(capabilities.ImageStream)
	wanted.SetNamespace(m.Namespace)
	wanted.SetName(m.Name)
	wanted.SetLabels(m.Labels)
	wanted.SetOwnerReferences(m.OwnerReferences)
	return apply.Apply(ctx, r.client, wanted, fieldOwner, true)
}

// newLookRun builds a run that looks up the commit that a build would be of.
func (r *Reconciler) newLookRun(s *scope) *tektonv1.PipelineRun {
	run := newRunOf(s.obj, s.lookRun)
	run.Labels[v1alpha1.LabelLook] = "true"
	run.Spec = tektonv1.PipelineRunSpec{
		PipelineSpec: &tektonv1.PipelineSpec{Tasks: []tektonv1.PipelineTask{{
			Name:    taskFind,
			TaskRef: &tektonv1.TaskRef{Kind: tektonv1.NamespacedTaskKind, Name: taskFindCommit},
			Params:  r.gitParams(s),
		}}},
		Timeouts:        &tektonv1.TimeoutFields{Pipeline: &metav1.Duration{Duration: lookTimeout}},
		TaskRunTemplate: taskRunTemplate(s, order{}),
	}
	return run
}

// newRunOf is an empty run that belongs to the object.
func newRunOf(obj *v1alpha1.Meteor, name string) *tektonv1.PipelineRun {
	return &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: obj.Namespace, Labels: labelsOf(obj), OwnerReferences: []metav1.OwnerReference{ownerOf(obj)},
	}}
}

// labelsOf are those of everything that is made for the object.
func labelsOf(obj *v1alpha1.Meteor) map[string]string {
	return map[string]string{
		v1alpha1.LabelPartOf:    v1alpha1.PartOfValue,
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue,
		v1alpha1.LabelMeteor:    obj.Name,
	}
}

func ownerOf(obj *v1alpha1.Meteor) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.MeteorKind, Name: obj.Name, UID: obj.UID, Controller: ptr.To(true),
	}
}

func param(name, value string) tektonv1.Param {
	return tektonv1.Param{Name: name, Value: *tektonv1.NewStructuredValues(value)}
}

// given leaves out the params that are empty, so that the pipeline's own default stands: a volume, for one, takes no
// empty name of a Secret.
func given(params ...tektonv1.Param) tektonv1.Params {
	var out tektonv1.Params
	for _, p := range params {
		if p.Value.StringVal != "" {
			out = append(out, p)
		}
	}
	return out
}

// gitParams say where the repository is, and how to get there.
func (r *Reconciler) gitParams(s *scope) tektonv1.Params {
	proxy := r.proxy
	if s.config.Network.Proxy != nil {
		proxy = *s.config.Network.Proxy
	}
	if proxy.HTTPProxy == "" && proxy.HTTPSProxy == "" {
		proxy.NoProxy = ""
	}
	return given(
		param("url", s.obj.Spec.URL), param("ref", string(s.obj.Spec.Ref)), param("gitSecret", secretName(s.obj.Spec.GitSecret)),
		param("httpProxy", proxy.HTTPProxy), param("httpsProxy", proxy.HTTPSProxy), param("noProxy", proxy.NoProxy),
	)
}

func (r *Reconciler) bookParams(s *scope, o order) tektonv1.Params {
	return append(r.gitParams(s), given(
		param("name", s.obj.Name),
		param("bookImage", o.book), param("serverImage", o.server), param("serverInsecure", insecure(&s.config, o.server)),
		param("targetImage", o.target), param("targetInsecure", insecure(&s.config, o.target)),
		param("pushSecret", o.pushSecret), param("pushToken", strconv.FormatBool(o.token)),
	)...)
}

func insecure(config *v1alpha1.CNBiConfigSpec, image string) string {
	host, _, _ := strings.Cut(image, "/")
	return strconv.FormatBool(config.Registry.InsecureFor(host) != v1alpha1.InsecureNever)
}

// taskRunTemplate is that of pods without a token of their account, as no user but a random one of group 0, as on
// OpenShift. There the platform chooses the user, and refuses any that is named here.
func taskRunTemplate(s *scope, o order) tektonv1.PipelineTaskRunTemplate {
	security := &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if !s.openShift {
		security.RunAsUser, security.RunAsGroup = ptr.To(randomUser(s.obj)), ptr.To[int64](0)
	}
	template := &pod.PodTemplate{
		AutomountServiceAccountToken: ptr.To(false),
		EnableServiceLinks:           ptr.To(false),
		SecurityContext:              security,
		NodeSelector:                 s.config.Build.NodeSelector,
		Tolerations:                  s.config.Build.Tolerations,
		Affinity:                     s.config.Build.Affinity,
	}
	if o.pushSecret != "" {
		template.ImagePullSecrets = []corev1.LocalObjectReference{{Name: o.pushSecret}}
	}
	return tektonv1.PipelineTaskRunTemplate{
		ServiceAccountName: cmp.Or(s.config.Build.ServiceAccount, untrustedServiceAccount),
		PodTemplate:        template,
	}
}

// randomUser is a user ID that no image can have counted on, and the same for every build of an object.
func randomUser(obj *v1alpha1.Meteor) int64 {
	const first, count = 1_000_000_000, 1_000_000
	h := fnv.New32a()
	_, _ = h.Write([]byte(obj.UID)) // never fails
	return first + int64(h.Sum32()%count)
}

func timeoutOf(config *v1alpha1.CNBiConfigSpec) time.Duration {
	if d := config.Build.Timeout; d != nil && d.Duration > 0 {
		return d.Duration
	}
	return defaultTimeout
}
