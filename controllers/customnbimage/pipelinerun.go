package customnbimage

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// Labels that Tekton puts on TaskRuns.
const (
	labelPipelineRun  = "tekton.dev/pipelineRun"
	labelPipelineTask = "tekton.dev/pipelineTask"
)

const (
	pipelineImport        = "cnbi-import"
	paramPullSecret       = "pullSecret"
	defaultServiceAccount = "meteor-pipeline"
	// validateServiceAccount may do nothing: what its pods see, the user's image sees.
	validateServiceAccount = "meteor-validate"
	defaultTimeout         = time.Hour
	defaultStartupTimeout  = 2 * time.Minute
	defaultMinimumPython   = "3.8"
)

// newPipelineRun builds the run of one attempt.
func newPipelineRun(obj *v1alpha1.CustomNBImage, config *v1alpha1.CNBiConfigSpec, b build, openShift bool) *tektonv1.PipelineRun {
	return &tektonv1.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{
			Name:        b.runName(obj),
			Namespace:   obj.Namespace,
			Annotations: odhAnnotations(obj),
			Labels: map[string]string{
				v1alpha1.LabelPartOf:        v1alpha1.PartOfValue,
				v1alpha1.LabelManagedBy:     v1alpha1.ManagedByValue,
				v1alpha1.LabelCustomNBImage: obj.Name,
				v1alpha1.LabelBuild:         b.id,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(),
				Kind:       "CustomNBImage",
				Name:       obj.Name,
				UID:        obj.UID,
				Controller: ptr.To(true),
			}},
		},
		Spec: tektonv1.PipelineRunSpec{
			PipelineRef: &tektonv1.PipelineRef{Name: pipelineImport},
			Params:      importParams(obj, config),
			Timeouts:    &tektonv1.TimeoutFields{Pipeline: &metav1.Duration{Duration: timeoutOf(obj, config)}},
			TaskRunTemplate: tektonv1.PipelineTaskRunTemplate{
				ServiceAccountName: orDefault(config.Build.ServiceAccount, defaultServiceAccount),
				PodTemplate:        podTemplate(obj, config, openShift),
			},
			TaskRunSpecs: taskRunSpecs(obj, config),
		},
	}
}

func importParams(obj *v1alpha1.CustomNBImage, config *v1alpha1.CNBiConfigSpec) tektonv1.Params {
	image := string(obj.Spec.FromImage)
	policy := policyOf(config)
	values := []struct{ name, value string }{
		{"name", paramText(obj.DisplayName())},
		{"creator", paramText(obj.Creator())},
		{"description", paramText(obj.Description())},
		{"baseImage", image},
		{"insecure", strconv.FormatBool(insecure(config, image))},
		{"nbPrefix", "/notebook/" + obj.Namespace + "/" + obj.Name},
		{"minimumPython", policy.MinimumPython},
		{"startupTimeout", startupTimeout(config).String()},
		{"warnings", strings.Join(config.Validation.Warnings(), ",")},
	}
	if secret := secretName(obj.Spec.ImagePullSecret); secret != "" {
		// Without one the pipeline's own default stands: a name that no Secret has. A volume takes no empty name.
		values = append(values, struct{ name, value string }{paramPullSecret, secret})
	}
	params := make(tektonv1.Params, 0, len(values))
	for _, v := range values {
		if v.value == "" {
			continue // the pipeline's own default
		}
		params = append(params, tektonv1.Param{Name: v.name, Value: *tektonv1.NewStructuredValues(v.value)})
	}
	return params
}

// paramText keeps Tekton from taking a person's text for one of its own expressions, with which it would refuse the run.
// The run's annotations have the text as it is.
func paramText(s string) string { return strings.ReplaceAll(s, "$(", "$ (") }

// podTemplate is that of the build's pods: no token of the service account, no user but a random one of group 0, as on
// OpenShift. There the platform chooses the user, and refuses any that is named here.
func podTemplate(obj *v1alpha1.CustomNBImage, config *v1alpha1.CNBiConfigSpec, openShift bool) *pod.PodTemplate {
	security := &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if !openShift {
		security.RunAsUser = ptr.To(randomUser(obj))
		security.RunAsGroup = ptr.To[int64](0)
	}
	template := &pod.PodTemplate{
		AutomountServiceAccountToken: ptr.To(false),
		EnableServiceLinks:           ptr.To(false),
		SecurityContext:              security,
		NodeSelector:                 config.Build.NodeSelector,
		Tolerations:                  config.Build.Tolerations,
		Affinity:                     config.Build.Affinity,
	}
	if name := secretName(obj.Spec.ImagePullSecret); name != "" {
		template.ImagePullSecrets = []corev1.LocalObjectReference{{Name: name}}
	}
	return template
}

// randomUser is a user ID that no image can have counted on, and the same for every build of an object.
func randomUser(obj *v1alpha1.CustomNBImage) int64 {
	const first, count = 1_000_000_000, 1_000_000
	h := fnv.New32a()
	_, _ = h.Write([]byte(obj.UID)) // never fails
	return first + int64(h.Sum32()%count)
}

// taskRunSpecs keeps the pod that runs the user's image from the account that may push, unless the admin has named one
// for everything, and bounds the notebook as the user's own pods would be.
func taskRunSpecs(obj *v1alpha1.CustomNBImage, config *v1alpha1.CNBiConfigSpec) []tektonv1.PipelineTaskRunSpec {
	spec := tektonv1.PipelineTaskRunSpec{
		PipelineTaskName:   taskValidate,
		ServiceAccountName: orDefault(config.Build.ServiceAccount, validateServiceAccount),
	}
	resources := obj.Spec.Resources
	if resources == nil {
		resources = config.Build.Resources
	}
	if resources != nil {
		spec.SidecarSpecs = []tektonv1.TaskRunSidecarSpec{{Name: sidecarNotebook, ComputeResources: *resources}}
	}
	return []tektonv1.PipelineTaskRunSpec{spec}
}

func timeoutOf(obj *v1alpha1.CustomNBImage, config *v1alpha1.CNBiConfigSpec) time.Duration {
	for _, d := range []*metav1.Duration{obj.Spec.Timeout, config.Build.Timeout} {
		if d != nil && d.Duration > 0 {
			return d.Duration
		}
	}
	return defaultTimeout
}

func startupTimeout(config *v1alpha1.CNBiConfigSpec) time.Duration {
	if d := config.Validation.StartupTimeout; d != nil && d.Duration > 0 {
		return d.Duration
	}
	return defaultStartupTimeout
}

func policyOf(config *v1alpha1.CNBiConfigSpec) validate.Policy {
	var warnings []validate.Check
	for _, check := range config.Validation.Warnings() {
		warnings = append(warnings, validate.Check(check))
	}
	return validate.Policy{
		MinimumPython: orDefault(config.Validation.MinimumPython, defaultMinimumPython),
		Warnings:      warnings,
	}
}

func insecure(config *v1alpha1.CNBiConfigSpec, image string) bool {
	host, _, _ := strings.Cut(image, "/")
	return config.Registry.InsecureFor(host) != v1alpha1.InsecureNever
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
