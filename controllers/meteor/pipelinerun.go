package meteor

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

const (
	// taskFindCommit is the Task that looks up what a branch or tag stands for.
	taskFindCommit = "meteor-find-commit"
	defaultTimeout = time.Hour
	lookTimeout    = 10 * time.Minute
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
	repository, token, err := runs.Target(&s.config, r.cluster.HasImageStreams(), s.obj.Namespace, siteName(s.obj.Name))
	if err != nil {
		return o, err
	}
	o.target, o.token = repository+":"+p.build.id, token
	return o, nil
}

// pushSecret is the name, in the namespace of a build, of the Secret that images are pushed and pulled with.
func pushSecret(config *v1alpha1.CNBiConfigSpec) string {
	return runs.SharedSecret(config.Registry.PushSecret, install.PushSecret)
}

// newRun builds the run of one attempt, if all that it needs is there.
func (r *Reconciler) newRun(ctx context.Context, s *scope, p *part) (*tektonv1.PipelineRun, error) {
	run := newRunOf(s.obj, p.build.runName(s.obj, p.name))
	run.Labels[v1alpha1.LabelPipeline] = p.name
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
	stream := install.MetadataOf(capabilities.ImageStream)
	err := r.direct.Get(ctx, types.NamespacedName{Namespace: s.obj.Namespace, Name: siteName(s.obj.Name)}, stream)
	switch {
	case err == nil && !metav1.IsControlledBy(stream, s.obj):
		return r.taken(s, "ImageStream", stream)
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
	return &tektonv1.PipelineRun{ObjectMeta: ownedMeta(obj, name)}
}

// ownedMeta is the metadata of everything that is made for the object.
func ownedMeta(obj *v1alpha1.Meteor, name string) metav1.ObjectMeta {
	return runs.OwnedMeta(obj, v1alpha1.MeteorKind, v1alpha1.LabelMeteor, name)
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
		param("url", s.obj.Spec.URL), param("ref", string(s.obj.Spec.Ref)), param("gitSecret", runs.SecretName(s.obj.Spec.GitSecret)),
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

// taskRunTemplate is that of pods which run the repository's notebooks.
func taskRunTemplate(s *scope, o order) tektonv1.PipelineTaskRunTemplate {
	return tektonv1.PipelineTaskRunTemplate{
		ServiceAccountName: cmp.Or(s.config.Build.ServiceAccount, runs.UntrustedServiceAccount),
		PodTemplate:        runs.PodTemplate(s.obj.UID, &s.config.Build, s.openShift, o.pushSecret),
	}
}

func timeoutOf(config *v1alpha1.CNBiConfigSpec) time.Duration {
	if d := config.Build.Timeout; d != nil && d.Duration > 0 {
		return d.Duration
	}
	return defaultTimeout
}
