package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ValidationCheck is a check of an image.
// +kubebuilder:validation:Enum=look;python;pip;python-version;jupyter;home;startup
type ValidationCheck string

// The checks of an image.
const (
	// CheckLook is whether the image can be looked into from inside.
	CheckLook ValidationCheck = "look"

	// CheckPython is whether there is a Python.
	CheckPython ValidationCheck = "python"

	// CheckPip is whether there is a pip.
	CheckPip ValidationCheck = "pip"

	// CheckPythonVersion is whether Python is new enough.
	CheckPythonVersion ValidationCheck = "python-version"

	// CheckJupyter is whether Jupyter can be imported.
	CheckJupyter ValidationCheck = "jupyter"

	// CheckHome is whether HOME is set and can be written to.
	CheckHome ValidationCheck = "home"

	// CheckStartup is whether the image starts and answers as a notebook does.
	CheckStartup ValidationCheck = "startup"
)

// ValidationSeverity is how much a failed check matters.
// +kubebuilder:validation:Enum=error;warning
type ValidationSeverity string

// The severities of a failed check.
const (
	// SeverityError keeps the image from being offered.
	SeverityError ValidationSeverity = "error"

	// SeverityWarning is reported only.
	SeverityWarning ValidationSeverity = "warning"
)

// CheckSeverity says how much a check matters.
type CheckSeverity struct {
	// name of the check: look, python, pip, python-version, jupyter, home or
	// startup.
	// +required
	Name ValidationCheck `json:"name"`

	// severity is error, which keeps an image that fails the check from being
	// offered, or warning, which is reported only.
	// +required
	Severity ValidationSeverity `json:"severity"`
}

// ValidationSpec says what an image must be like.
type ValidationSpec struct {
	// checks whose severity is not error. A check that is not listed is an
	// error when it fails.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Checks []CheckSeverity `json:"checks,omitempty"`

	// minimumPython is the oldest Python that passes. The default is "3.8".
	// +optional
	// +kubebuilder:default="3.8"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+[.][0-9]+([.][0-9]+)?$')",message="validation.minimumPython is not a version of Python: write two or three numbers, as in \"3.8\""
	MinimumPython string `json:"minimumPython,omitempty"`

	// startupTimeout is how long an image may take until it answers as a
	// notebook does, from 5s to 30m. The default is 120s.
	// +optional
	// +kubebuilder:default="120s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('5s') && duration(self) <= duration('30m')",message="validation.startupTimeout is a duration from 5s to 30m, such as 120s"
	StartupTimeout *metav1.Duration `json:"startupTimeout,omitempty"`
}

// ContainerfilePolicy is what becomes of repositories with a Containerfile.
// +kubebuilder:validation:Enum=Unprivileged;Privileged;Never
type ContainerfilePolicy string

// The policies about Containerfiles.
const (
	// ContainerfilesUnprivileged builds them with as few rights as buildah can
	// do with.
	ContainerfilesUnprivileged ContainerfilePolicy = "Unprivileged"

	// ContainerfilesPrivileged builds them in a privileged container.
	ContainerfilesPrivileged ContainerfilePolicy = "Privileged"

	// ContainerfilesNever refuses to build them.
	ContainerfilesNever ContainerfilePolicy = "Never"
)

// BuildSpec says how builds run.
type BuildSpec struct {
	// timeout is how long one build may take, from 1m to 24h, unless the
	// CustomNBImage says otherwise. The default is 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="build.timeout is a duration from 1m to 24h, such as 45m or 1h30m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// resources are what the pods of a build request and are limited to, of
	// cpu, memory and ephemeral-storage, unless the CustomNBImage says otherwise.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.requests) || size(self.requests) == ['cpu', 'memory', 'ephemeral-storage'].filter(name, name in self.requests).size()",message="build.resources.requests has a resource other than cpu, memory and ephemeral-storage: remove it",fieldPath=".requests",reason="FieldValueForbidden"
	// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !['cpu', 'memory', 'ephemeral-storage'].exists(name, name in self.requests && string(self.requests[name]).matches('^-|e|E.'))",message="build.resources.requests has an amount that is negative or has an exponent: write a number and a unit, as in 500m or 2Gi",fieldPath=".requests",reason="FieldValueInvalid"
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || size(self.limits) == ['cpu', 'memory', 'ephemeral-storage'].filter(name, name in self.limits).size()",message="build.resources.limits has a resource other than cpu, memory and ephemeral-storage: remove it",fieldPath=".limits",reason="FieldValueForbidden"
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !['cpu', 'memory', 'ephemeral-storage'].exists(name, name in self.limits && string(self.limits[name]).matches('^-|e|E.'))",message="build.resources.limits has an amount that is negative or has an exponent: write a number and a unit, as in 500m or 2Gi",fieldPath=".limits",reason="FieldValueInvalid"
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="build.resources.claims is not supported: set requests and limits only",fieldPath=".claims",reason="FieldValueForbidden"
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// concurrency is how many builds may run at once in a namespace, from 1 to
	// 1000. Those beyond it wait. The default is 10.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Concurrency int32 `json:"concurrency,omitempty"`

	// retries is how often a build is tried again after a failure that was the
	// platform's, such as a registry that did not answer, from 0 to 20. The
	// time between two tries doubles. The default is 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	Retries *int32 `json:"retries,omitempty"`

	// serviceAccount is the name of the service account that builds run as, in
	// each namespace. Tekton shows the registry credentials among an account's
	// secrets to every step, and so to what users install. Without it, builds
	// run as accounts that come with the pipelines and may do nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="build.serviceAccount is not the name of a service account: write lower-case letters, digits, '-' and '.', starting and ending with a letter or digit"
	ServiceAccount string `json:"serviceAccount,omitempty"`

	// containerfiles is what becomes of repositories with a Containerfile:
	// Unprivileged (they are built with as few rights as buildah can do with,
	// which are still more than the Pod Security Standard restricted grants),
	// Privileged (they are built in a privileged container, which is faster and
	// owns the node) or Never (they are refused). The default is Unprivileged.
	// +optional
	// +kubebuilder:default=Unprivileged
	Containerfiles ContainerfilePolicy `json:"containerfiles,omitempty"`

	// nodeSelector is the labels of the nodes that builds may run on.
	// +optional
	// +mapType=atomic
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations of the pods of a build.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity of the pods of a build.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
}

// ImageStreamPolicy is whether images are published as ImageStreams.
// +kubebuilder:validation:Enum=Auto;Always;Never
type ImageStreamPolicy string

// The ImageStream policies.
const (
	// ImageStreamsAuto publishes where the cluster has ImageStreams.
	ImageStreamsAuto ImageStreamPolicy = "Auto"

	// ImageStreamsAlways waits for ImageStreams where the cluster has none.
	ImageStreamsAlways ImageStreamPolicy = "Always"

	// ImageStreamsNever publishes by reference in the status only.
	ImageStreamsNever ImageStreamPolicy = "Never"
)

// ReferencePolicy is how an ImageStreamTag refers to its image.
// +kubebuilder:validation:Enum=Source;Local
type ReferencePolicy string

// The reference policies.
const (
	// ReferenceSource has pods pull from the image's own registry.
	ReferenceSource ReferencePolicy = "Source"

	// ReferenceLocal has pods pull through OpenShift's internal registry.
	ReferenceLocal ReferencePolicy = "Local"
)

// ScheduledImport is whether an imported tag is looked at again and again.
// +kubebuilder:validation:Enum=Enabled;Disabled
type ScheduledImport string

// The choices for scheduled import.
const (
	ScheduledImportEnabled  ScheduledImport = "Enabled"
	ScheduledImportDisabled ScheduledImport = "Disabled"
)

// PublishSpec says how images are offered.
type PublishSpec struct {
	// imageStreams is whether images are published as ImageStreams: Auto (where
	// the cluster has them), Always (and wait for them where it has not) or
	// Never. The default is Auto.
	// +optional
	// +kubebuilder:default=Auto
	ImageStreams ImageStreamPolicy `json:"imageStreams,omitempty"`

	// referencePolicy is from where pods pull an image that an ImageStream
	// offers: Source (its own registry) or Local (OpenShift's internal
	// registry, which caches it and needs no pull secret in other namespaces).
	// The default is Source.
	// +optional
	// +kubebuilder:default=Source
	ReferencePolicy ReferencePolicy `json:"referencePolicy,omitempty"`

	// scheduledImport is whether imported images whose objects have no refresh
	// of their own are looked at every hour, and imported again, validated and
	// then offered, when their tag has moved: Enabled or Disabled. The default
	// is Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	ScheduledImport ScheduledImport `json:"scheduledImport,omitempty"`
}

// ProxySpec says which proxy builds use.
type ProxySpec struct {
	// httpProxy is the URL of the proxy for http:// URLs.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?|socks5h?)://[!-~]+$')",message="proxy.httpProxy is not the URL of a proxy: write http://host:port"
	HTTPProxy string `json:"httpProxy,omitempty"`

	// httpsProxy is the URL of the proxy for https:// URLs.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?|socks5h?)://[!-~]+$')",message="proxy.httpsProxy is not the URL of a proxy: write http://host:port"
	HTTPSProxy string `json:"httpsProxy,omitempty"`

	// noProxy lists, with commas between them, the hosts, domains and networks
	// that are reached without a proxy.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^ -~]')",message="proxy.noProxy has an invisible or a non-ASCII character in it: write hosts, domains and networks with commas between them"
	NoProxy string `json:"noProxy,omitempty"`
}

// NetworkSpec says how builds reach the world.
type NetworkSpec struct {
	// proxy that builds use. Without it, it is that of the operator's own
	// environment, as OLM sets it from the cluster's.
	// +optional
	Proxy *ProxySpec `json:"proxy,omitempty"`

	// trustedCA names the ConfigMap, in the operator's namespace, with the
	// certificate authorities that builds trust, besides the public ones. It
	// is copied to where builds run.
	// +optional
	TrustedCA *ConfigMapKeyReference `json:"trustedCA,omitempty"`
}

// RunRetention says which runs are kept.
type RunRetention struct {
	// count is how many runs of one CustomNBImage or Meteor are kept, from 0
	// to 100. Without it, their number does not matter. The run that the status
	// is about is always kept.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Count *int32 `json:"count,omitempty"`

	// age is how long a run is kept after it ended, from 1m to 8760h. Without
	// it, age does not matter.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="retention's age is a duration from 1m to 8760h, such as 168h"
	Age *metav1.Duration `json:"age,omitempty"`
}

// RetentionSpec says which runs are kept.
type RetentionSpec struct {
	// successful runs that are kept. The default is one, for a week.
	// +optional
	// +kubebuilder:default={"count":1,"age":"168h"}
	Successful RunRetention `json:"successful,omitzero"`

	// failed runs that are kept. The default is three, for a week.
	// +optional
	// +kubebuilder:default={"count":3,"age":"168h"}
	Failed RunRetention `json:"failed,omitzero"`
}

// MeteorIngressTLS says whether sites are served by HTTPS.
// +kubebuilder:validation:Enum=Enabled;Disabled
type MeteorIngressTLS string

// Whether sites are served by HTTPS.
const (
	// IngressTLSEnabled serves sites by HTTPS with the ingress controller's own
	// certificate.
	IngressTLSEnabled MeteorIngressTLS = "Enabled"

	// IngressTLSDisabled serves sites by plain HTTP.
	IngressTLSDisabled MeteorIngressTLS = "Disabled"
)

// MeteorIngress says where sites are reached from outside of a cluster that has
// no Routes.
type MeteorIngress struct {
	// host is the domain below which each site gets a host of its own, as in
	// apps.example.org: its names have to lead to the ingress controller.
	// +required
	// +kubebuilder:validation:MaxLength=180
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$')",message="meteor.ingress.host is not a domain: write labels of lower-case letters, digits and '-', as in apps.example.org"
	Host string `json:"host"`

	// className is the class of the Ingresses. Without one, it is the cluster's
	// default.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="meteor.ingress.className is not the name of an IngressClass: write lower-case letters, digits, '-' and '.'"
	ClassName string `json:"className,omitempty"`

	// tls is Enabled, where the ingress controller has a certificate for all
	// hosts below the domain, or Disabled, the default.
	// +optional
	// +kubebuilder:default=Disabled
	TLS MeteorIngressTLS `json:"tls,omitempty"`
}

// MeteorDefaults says how long Meteors live, and where their sites are reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maximumTTLSeconds) || self.maximumTTLSeconds == 0 || !has(self.defaultTTLSeconds) || self.defaultTTLSeconds <= self.maximumTTLSeconds",message="meteor.defaultTTLSeconds is more than meteor.maximumTTLSeconds: lower the one or raise the other",fieldPath=".defaultTTLSeconds",reason="FieldValueInvalid"
type MeteorDefaults struct {
	// defaultTTLSeconds is the ttl of a Meteor that says none, in seconds. 0,
	// the default, keeps it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3153600000
	DefaultTTLSeconds int64 `json:"defaultTTLSeconds,omitempty"`

	// maximumTTLSeconds is the longest ttl that a Meteor can have, in seconds;
	// one with more, or with none, gets this. 0, the default, is no maximum.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3153600000
	MaximumTTLSeconds int64 `json:"maximumTTLSeconds,omitempty"`

	// ingress says where sites are reached from outside of a cluster that has no
	// Routes. Without it, they are reached inside the cluster alone.
	// +optional
	Ingress *MeteorIngress `json:"ingress,omitempty"`
}
