package customnbimage

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// Labels that Tekton puts on TaskRuns.
const (
	labelPipelineRun  = "tekton.dev/pipelineRun"
	labelPipelineTask = "tekton.dev/pipelineTask"
)

const (
	paramBaseImage        = "baseImage"
	paramPullSecret       = "pullSecret"
	paramTargetImage      = "targetImage"
	defaultServiceAccount = "meteor-pipeline"
	// containerfileServiceAccount may do nothing either. It has a name of its own so that an admin can let its pods do what
	// buildah needs, and those of no other account.
	containerfileServiceAccount = "meteor-containerfile"
	defaultTimeout              = time.Hour
	lookTimeout                 = 10 * time.Minute
	defaultStartupTimeout       = 2 * time.Minute
	defaultMinimumPython        = "3.8"
)

// newBuildRun builds the run of one attempt.
func (r *Reconciler) newBuildRun(s *scope) *tektonv1.PipelineRun {
	f := flowOf(s.obj)
	run := newRunOf(s.obj, s.build.runName(s.obj))
	run.Labels[v1alpha1.LabelBuild] = s.build.id
	run.Annotations = odhAnnotations(s.obj)
	run.Spec = tektonv1.PipelineRunSpec{
		PipelineRef: &tektonv1.PipelineRef{Name: f.pipeline},
		Params:      r.params(s),
		Timeouts:    &tektonv1.TimeoutFields{Pipeline: &metav1.Duration{Duration: timeoutOf(s.obj, &s.config)}},
		TaskRunTemplate: tektonv1.PipelineTaskRunTemplate{
			ServiceAccountName: orDefault(s.config.Build.ServiceAccount, defaultServiceAccount),
			PodTemplate:        podTemplate(s),
		},
		TaskRunSpecs: taskRunSpecs(s, f),
	}
	return run
}

// newLookRun builds a run of the build's first task alone, which tells what the build would be made from.
func (r *Reconciler) newLookRun(s *scope) *tektonv1.PipelineRun {
	f := flowOf(s.obj)
	task := tektonv1.PipelineTask{Name: f.source, TaskRef: &tektonv1.TaskRef{Kind: tektonv1.NamespacedTaskKind, Name: taskNames[f.source]}}
	given := r.params(s)
	for _, p := range given {
		if name, ok := taskParams[f.source][p.Name]; ok {
			task.Params = append(task.Params, tektonv1.Param{Name: name, Value: p.Value})
		}
	}
	run := newRunOf(s.obj, s.lookRun)
	run.Labels[v1alpha1.LabelLook] = "true"
	run.Spec = tektonv1.PipelineRunSpec{
		PipelineSpec: &tektonv1.PipelineSpec{Tasks: []tektonv1.PipelineTask{task}},
		Timeouts:     &tektonv1.TimeoutFields{Pipeline: &metav1.Duration{Duration: lookTimeout}},
		TaskRunTemplate: tektonv1.PipelineTaskRunTemplate{
			ServiceAccountName: orDefault(s.config.Build.ServiceAccount, defaultServiceAccount),
			PodTemplate:        podTemplate(s),
		},
	}
	return run
}

// taskNames are the Tasks behind the first tasks of pipelines, and taskParams their params by the pipelines'.
var (
	taskNames  = map[string]string{taskInspect: "meteor-inspect-image", taskFetch: "meteor-fetch-repository"}
	taskParams = map[string]map[string]string{
		taskInspect: withCommon(map[string]string{paramBaseImage: "image"}),
		taskFetch: withCommon(map[string]string{
			paramBaseImage: paramBaseImage, "defaultImage": "defaultImage", "containerfiles": "containerfiles", "insecureHosts": "insecureHosts",
			"url": "url", "ref": "ref", "gitSecret": "gitSecret",
		}),
	}
)

func withCommon(params map[string]string) map[string]string {
	for _, name := range []string{paramPullSecret, "insecure", "httpProxy", "httpsProxy", "noProxy"} {
		params[name] = name
	}
	params["pushToken"], params[paramTargetImage] = "useToken", "tokenFor"
	return params
}

// newRunOf is an empty run that belongs to the object.
func newRunOf(obj *v1alpha1.CustomNBImage, name string) *tektonv1.PipelineRun {
	return &tektonv1.PipelineRun{ObjectMeta: runs.OwnedMeta(obj, v1alpha1.CustomNBImageKind, v1alpha1.LabelCustomNBImage, name)}
}

// paramList gathers params. What is empty is left out, so that the pipeline's own default stands: a volume, for one,
// takes no empty name of a Secret.
type paramList tektonv1.Params

func (l *paramList) add(name, value string) {
	if value != "" {
		*l = append(*l, tektonv1.Param{Name: name, Value: *tektonv1.NewStructuredValues(value)})
	}
}

func (l *paramList) addList(name string, values []string) {
	if len(values) > 0 {
		*l = append(*l, tektonv1.Param{Name: name, Value: tektonv1.ParamValue{Type: tektonv1.ParamTypeArray, ArrayVal: values}})
	}
}

func (r *Reconciler) params(s *scope) tektonv1.Params {
	l, spec, config := &paramList{}, &s.obj.Spec, &s.config
	l.add("name", paramText(s.obj.DisplayName()))
	l.add("creator", paramText(s.obj.Creator()))
	l.add("description", paramText(s.obj.Description()))
	l.add(paramBaseImage, s.order.base)
	addInsecure(l, s)
	l.add(paramPullSecret, runs.SecretName(spec.ImagePullSecret))
	r.addProxy(l, config)
	policy := policyOf(config)
	l.add("nbPrefix", "/notebook/"+s.obj.Namespace+"/"+s.obj.Name)
	l.add("minimumPython", policy.MinimumPython)
	l.add("startupTimeout", startupTimeout(config).String())
	l.add("warnings", strings.Join(config.Validation.Warnings(), ","))
	if flowOf(s.obj).imports() {
		return tektonv1.Params(*l)
	}
	addTarget(l, s)
	l.add("indexUrl", config.PackageIndex.URL)
	l.addList("extraIndexUrls", config.PackageIndex.ExtraURLs)
	l.addList("trustedHosts", config.PackageIndex.TrustedHosts)
	l.add("indexCredentials", s.order.indexSecret)
	if spec.BuildType == v1alpha1.BuildTypePackageList {
		l.addList("packages", spec.PackageVersions)
		if e := spec.RuntimeEnvironment; e != nil {
			l.add("osName", e.OSName)
			l.add("osVersion", e.OSVersion)
			l.add("pythonVersion", e.PythonVersion)
		}
		return tektonv1.Params(*l)
	}
	l.add("url", spec.RepositoryAddress())
	l.add("ref", string(spec.GitRef))
	l.add("gitSecret", runs.SecretName(spec.GitSecret))
	l.add("defaultImage", s.order.fallback)
	l.add("containerfiles", strconv.FormatBool(s.order.containerfiles))
	return tektonv1.Params(*l)
}

// addInsecure says what is let pass when talking to registries. A repository can name an image of any.
func addInsecure(l *paramList, s *scope) {
	registry := &s.config.Registry
	if s.obj.Spec.BuildType != v1alpha1.BuildTypeGitRepository {
		l.add("insecure", strconv.FormatBool(insecure(&s.config, s.order.base)))
		return
	}
	host, _, named := strings.Cut(registry.Repository, "/")
	hosts := slices.Clone(registry.InsecureHosts)
	if named && !slices.Contains(hosts, host) {
		hosts = append(hosts, host)
	}
	allowed := registry.Insecure != "" && registry.Insecure != v1alpha1.InsecureNever && len(hosts) > 0
	l.add("insecure", strconv.FormatBool(allowed))
	if allowed {
		l.addList("insecureHosts", hosts)
	}
}

func addTarget(l *paramList, s *scope) {
	l.add(paramTargetImage, s.order.target)
	l.add("targetInsecure", strconv.FormatBool(insecure(&s.config, s.order.target)))
	l.add("pushSecret", s.order.pushSecret)
	l.add("pushToken", strconv.FormatBool(s.order.token))
}

// addProxy names the proxy. A pod's own address is never behind one.
func (r *Reconciler) addProxy(l *paramList, config *v1alpha1.CNBiConfigSpec) {
	proxy := r.proxy
	if config.Network.Proxy != nil {
		proxy = *config.Network.Proxy
	}
	if proxy.HTTPProxy == "" && proxy.HTTPSProxy == "" {
		return
	}
	l.add("httpProxy", proxy.HTTPProxy)
	l.add("httpsProxy", proxy.HTTPSProxy)
	l.add("noProxy", strings.TrimPrefix(proxy.NoProxy+",127.0.0.1,localhost", ","))
}

// paramText keeps Tekton from taking a person's text for one of its own expressions, with which it would refuse the run.
// The run's annotations have the text as it is.
func paramText(s string) string { return strings.ReplaceAll(s, "$(", "$ (") }

// podTemplate is that of the build's pods. The base image is pulled for them, and the built one to validate it.
func podTemplate(s *scope) *pod.PodTemplate {
	return runs.PodTemplate(s.obj.UID, &s.config.Build, s.openShift, runs.SecretName(s.obj.Spec.ImagePullSecret), s.order.pushSecret)
}

// taskRunSpecs keeps the pods that run what users bring from the account that may push, since Tekton mounts an account's
// registry credentials into every step, unless the admin has named one account for everything. It bounds these steps and the notebook as the user's own pods would be.
func taskRunSpecs(s *scope, f flow) []tektonv1.PipelineTaskRunSpec {
	resources := s.obj.Spec.Resources
	if resources == nil {
		resources = s.config.Build.Resources
	}
	untrusted := orDefault(s.config.Build.ServiceAccount, runs.UntrustedServiceAccount)
	var specs []tektonv1.PipelineTaskRunSpec
	for _, name := range f.validates {
		spec := tektonv1.PipelineTaskRunSpec{PipelineTaskName: name, ServiceAccountName: untrusted}
		if resources != nil {
			spec.SidecarSpecs = []tektonv1.TaskRunSidecarSpec{{Name: sidecarNotebook, ComputeResources: *resources}}
		}
		specs = append(specs, spec)
	}
	if f.imports() {
		return specs
	}
	for _, name := range f.makes {
		spec := tektonv1.PipelineTaskRunSpec{PipelineTaskName: name, ServiceAccountName: untrusted}
		if name == taskBuildContainerfile {
			spec.ServiceAccountName = orDefault(s.config.Build.ServiceAccount, containerfileServiceAccount)
			spec.PodTemplate = containerfilePodTemplate(s)
		}
		if resources != nil {
			for _, step := range untrustedSteps[name] {
				spec.StepSpecs = append(spec.StepSpecs, tektonv1.TaskRunStepSpec{Name: step, ComputeResources: stepResources(*resources)})
			}
		}
		specs = append(specs, spec)
	}
	return specs
}

// containerfilePodTemplate leaves the user and the system calls of a Containerfile's pod to its steps: buildah is root in
// a container of its own making, which the default seccomp profile would not let it make.
func containerfilePodTemplate(s *scope) *pod.PodTemplate {
	template := podTemplate(s)
	template.SecurityContext.RunAsNonRoot, template.SecurityContext.SeccompProfile = nil, nil
	return template
}

// The largest request and the smallest limit of those steps in the Tasks.
var (
	stepRequests = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi"), corev1.ResourceEphemeralStorage: resource.MustParse("1Gi"),
	}
	stepLimits = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi"), corev1.ResourceEphemeralStorage: resource.MustParse("10Gi"),
	}
)

// stepResources adds to somebody's resources what keeps them in accord with the Tasks' own, which Tekton fills in for
// what is not said: a request above its limit makes a pod invalid.
func stepResources(wanted corev1.ResourceRequirements) corev1.ResourceRequirements {
	r := *wanted.DeepCopy()
	for name, limit := range wanted.Limits {
		if _, said := wanted.Requests[name]; !said && limit.Cmp(stepRequests[name]) < 0 {
			setResource(&r.Requests, name, limit)
		}
	}
	for name, request := range wanted.Requests {
		if _, said := wanted.Limits[name]; !said && request.Cmp(stepLimits[name]) > 0 {
			setResource(&r.Limits, name, request)
		}
	}
	return r
}

func setResource(list *corev1.ResourceList, name corev1.ResourceName, quantity resource.Quantity) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = quantity
}

// untrustedSteps are the steps that run what users bring, by task.
var untrustedSteps = map[string][]string{
	taskBuild:              {stepResolve, stepInstall},
	taskBuildContainerfile: {stepBuild},
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
