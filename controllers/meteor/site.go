package meteor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/internal/book"
)

const (
	// annotationApplied is the hash of what was applied last. An object is written again only when that changes, so that
	// what others edit on it stays.
	annotationApplied = "meteor.zone/applied"
	// labelSite tells the pods of a site from all others of the namespace.
	labelSite = "meteor.zone/site"

	portName    = "http"
	servicePort = 80
	// ingressPatience is how long an Ingress is waited for to be given an address; not every controller tells one.
	ingressPatience = time.Minute
)

// siteName is the name of all objects that serve a Meteor's site but its Route. It has to be one label of a DNS name.
func siteName(meteor string) string {
	const prefix, limit = "meteor-", 40
	name := prefix + strings.ReplaceAll(meteor, ".", "-")
	if len(name) <= limit && !strings.Contains(meteor, ".") {
		return name
	}
	hash := runs.Hash(meteor)[:8]
	return strings.TrimRight(name[:min(len(name), limit-len(hash)-1)], "-") + "-" + hash
}

// ensure applies a wanted object, unless the one that is there has had the same applied before and still is the same. It
// tells whether it has written.
func (r *Reconciler) ensure(ctx context.Context, wanted, current client.Object, same bool) (bool, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return false, fmt.Errorf("cannot write %q: %w", wanted.GetName(), err)
	}
	delete(content, "status")
	u := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(content, "spec", "template", "metadata", "creationTimestamp")
	hash := runs.Hash(content)[:16]
	if same && current.GetAnnotations()[annotationApplied] == hash {
		return false, nil
	}
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationApplied] = hash
	u.SetAnnotations(annotations)
	return true, apply.Apply(ctx, r.client, u, fieldOwner, true)
}

// ensureOwn is ensure for an object of which the cache may have one in current, which is read first.
func (r *Reconciler) ensureOwn(ctx context.Context, s *scope, wanted, current client.Object) (bool, error) {
	kind := wanted.GetObjectKind().GroupVersionKind().Kind
	err := r.client.Get(ctx, client.ObjectKeyFromObject(wanted), current)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("cannot read %s %q: %w", kind, wanted.GetName(), err)
	}
	if err == nil && !metav1.IsControlledBy(current, s.obj) {
		return false, r.taken(s, kind, current)
	}
	if err == nil {
		return r.ensure(ctx, wanted, current, true)
	}
	// One that is not ours has no label by which the cache would know it, and one of ours can have lost it.
	live := install.MetadataOf(wanted.GetObjectKind().GroupVersionKind())
	err = r.direct.Get(ctx, client.ObjectKeyFromObject(wanted), live)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("cannot read %s %q: %w", kind, wanted.GetName(), err)
	}
	if err == nil && !metav1.IsControlledBy(live, s.obj) {
		return false, r.taken(s, kind, live)
	}
	return r.ensure(ctx, wanted, live, err == nil && live.GetLabels()[v1alpha1.LabelPartOf] == v1alpha1.PartOfValue)
}

// objectMeta is that of every object that serves the site.
func objectMeta(obj *v1alpha1.Meteor) metav1.ObjectMeta {
	m := ownedMeta(obj, siteName(obj.Name))
	m.Labels[labelSite] = m.Name
	return m
}

func selectorOf(obj *v1alpha1.Meteor) map[string]string {
	return map[string]string{labelSite: siteName(obj.Name)}
}

// newDeployment runs the site's image, which is replaced without a gap.
func newDeployment(obj *v1alpha1.Meteor, pullSecret string) *appsv1.Deployment {
	probe := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromString(portName)}}
	m := objectMeta(obj)
	pod := corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false),
		EnableServiceLinks:           ptr.To(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr.To(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name:  "site",
			Image: string(obj.Status.Site.Image),
			Ports: []corev1.ContainerPort{{Name: portName, ContainerPort: book.Port, Protocol: corev1.ProtocolTCP}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			},
			StartupProbe:   &corev1.Probe{ProbeHandler: probe, PeriodSeconds: 1, FailureThreshold: 60},
			ReadinessProbe: &corev1.Probe{ProbeHandler: probe, PeriodSeconds: 10},
			LivenessProbe:  &corev1.Probe{ProbeHandler: probe, PeriodSeconds: 30},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false),
				ReadOnlyRootFilesystem:   ptr.To(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
	if pullSecret != "" {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: pullSecret}}
	}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: m,
		Spec: appsv1.DeploymentSpec{
			Replicas:                ptr.To[int32](1),
			RevisionHistoryLimit:    ptr.To[int32](1),
			ProgressDeadlineSeconds: ptr.To[int32](120),
			Selector:                &metav1.LabelSelector{MatchLabels: selectorOf(obj)},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{
				MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromInt32(1)),
			}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: m.Labels}, Spec: pod},
		},
	}
}

func newService(obj *v1alpha1.Meteor) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: objectMeta(obj),
		Spec: corev1.ServiceSpec{
			Selector: selectorOf(obj),
			Ports:    []corev1.ServicePort{{Name: portName, Port: servicePort, TargetPort: intstr.FromString(portName), Protocol: corev1.ProtocolTCP}},
		},
	}
}

// siteHost is the host of a site below the admin's domain. One label has at most 63 characters. Where the hyphen between
// name and namespace is not the only one, another name in another tenant's namespace would come to the same: a hash that
// nobody can aim at tells them apart.
func siteHost(obj *v1alpha1.Meteor, domain string) string {
	const limit = 63
	label := obj.Name + "-" + obj.Namespace
	if len(label) > limit || strings.ContainsAny(obj.Name+obj.Namespace, ".-") {
		hash := runs.Hash([]string{obj.Name, obj.Namespace})[:16]
		label = strings.Trim(strings.ReplaceAll(label, ".", "-")[:min(len(label), limit-len(hash)-1)], "-") + "-" + hash
	}
	return label + "." + domain
}

func newIngress(obj *v1alpha1.Meteor, o *v1alpha1.MeteorIngress) *networkingv1.Ingress {
	host := siteHost(obj, o.Host)
	ingress := &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
		ObjectMeta: objectMeta(obj),
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: ptr.To(networkingv1.PathTypePrefix),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: siteName(obj.Name), Port: networkingv1.ServiceBackendPort{Name: portName},
				}},
			}}}},
		}}},
	}
	if o.ClassName != "" {
		ingress.Spec.IngressClassName = &o.ClassName
	}
	if o.TLS == v1alpha1.IngressTLSEnabled {
		ingress.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}}}
	}
	return ingress
}

// routeName is the name of a site's Route. OpenShift makes one label of a host of it and the namespace, and refuses what
// is longer than such a label may be; who may not choose the host can only have a shorter name.
func routeName(obj *v1alpha1.Meteor) string {
	const longest, shortest = 63, 10
	name, limit := siteName(obj.Name), max(shortest, longest-1-len(obj.Namespace))
	if len(name) <= limit {
		return name
	}
	hash := runs.Hash(obj.Name)[:8]
	return strings.TrimRight(name[:limit-len(hash)-1], "-") + "-" + hash
}

// newRoute leaves the host to the router, which only admins may choose.
func newRoute(obj *v1alpha1.Meteor) *unstructured.Unstructured {
	m := objectMeta(obj)
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"to":   map[string]any{"kind": "Service", "name": siteName(obj.Name)},
		"port": map[string]any{"targetPort": portName},
		"tls":  map[string]any{"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
	}}}
	u.SetGroupVersionKind(capabilities.Route)
	u.SetName(routeName(obj))
	u.SetNamespace(m.Namespace)
	u.SetLabels(m.Labels)
	u.SetOwnerReferences(m.OwnerReferences)
	return u
}

// serve keeps the site that was built last served, and returns where. Its error tells why it does not answer yet.
func (r *Reconciler) serve(ctx context.Context, s *scope) (string, error) {
	deployment := &appsv1.Deployment{}
	written, err := r.ensureOwn(ctx, s, newDeployment(s.obj, pushSecret(&s.config)), deployment)
	if err != nil {
		return "", err
	}
	if _, err := r.ensureOwn(ctx, s, newService(s.obj), &corev1.Service{}); err != nil {
		return "", err
	}
	url, err := r.expose(ctx, s)
	if err != nil {
		return "", err
	}
	if written {
		return "", serving()
	}
	return url, available(deployment)
}

func serving() error {
	return outcome.Wait(v1alpha1.ReasonServing, "The book is built: waiting for the site to answer", 0)
}

// expose makes the site reachable in the best way that there is, and takes the others away.
func (r *Reconciler) expose(ctx context.Context, s *scope) (string, error) {
	if r.cluster.HasRoutes() {
		route := &unstructured.Unstructured{}
		route.SetGroupVersionKind(capabilities.Route)
		if _, err := r.ensureOwn(ctx, s, newRoute(s.obj), route); err != nil {
			return "", err
		}
		if err := r.removeOwn(ctx, s, siteName(s.obj.Name), &networkingv1.Ingress{}); err != nil {
			return "", err
		}
		return routeURL(route)
	}
	ingress := &networkingv1.Ingress{}
	if o := s.config.Meteor.Ingress; o != nil {
		written, err := r.ensureOwn(ctx, s, newIngress(s.obj, o), ingress)
		if err != nil {
			return "", err
		}
		return r.ingressURL(s, ingress, written)
	}
	if err := r.removeOwn(ctx, s, siteName(s.obj.Name), ingress); err != nil {
		return "", err
	}
	return fmt.Sprintf("http://%s.%s.svc", siteName(s.obj.Name), s.obj.Namespace), nil
}

// routeURL waits for a router to admit the Route. Of several, each of which has Routes of its own, one is enough.
func routeURL(route *unstructured.Unstructured) (string, error) {
	why := serving()
	routers, _, _ := unstructured.NestedSlice(route.Object, "status", "ingress")
	for _, item := range routers {
		router, _ := item.(map[string]any)
		host, _, _ := unstructured.NestedString(router, "host")
		list, _, _ := unstructured.NestedSlice(router, "conditions")
		for _, item := range list {
			c, _ := item.(map[string]any)
			if c["type"] != "Admitted" {
				continue
			}
			if c["status"] == string(metav1.ConditionTrue) && host != "" {
				return "https://" + host, nil
			}
			message, _ := c["message"].(string)
			why = outcome.Wait(v1alpha1.ReasonSiteUnavailable, sentence(fmt.Sprintf("Route %q was not admitted: %s", route.GetName(), message)), 0)
		}
	}
	return "", why
}

// ingressURL waits for an ingress controller to give the Ingress an address, as long as it may take.
func (r *Reconciler) ingressURL(s *scope, ingress *networkingv1.Ingress, written bool) (string, error) {
	if written {
		return "", serving()
	}
	if left := ingress.CreationTimestamp.Add(ingressPatience).Sub(r.clock.Now()); left > 0 && len(ingress.Status.LoadBalancer.Ingress) == 0 {
		s.wake(left)
		return "", serving()
	}
	scheme := "http://"
	if len(ingress.Spec.TLS) > 0 {
		scheme = "https://"
	}
	return scheme + ingress.Spec.Rules[0].Host, nil
}

// available tells whether the pod of the current image answers.
func available(d *appsv1.Deployment) error {
	st := &d.Status
	if st.ObservedGeneration >= d.Generation && st.UpdatedReplicas > 0 && st.UpdatedReplicas == st.Replicas && st.AvailableReplicas == st.Replicas {
		return nil
	}
	for _, c := range st.Conditions {
		stuck := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue ||
			c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse ||
			c.Type == appsv1.DeploymentAvailable && c.Status == corev1.ConditionFalse && rolledOut(st)
		if stuck {
			return outcome.Wait(v1alpha1.ReasonSiteUnavailable, conditions.Message(fmt.Sprintf("Deployment %q does not get ready: %s", d.Name, strings.TrimRight(c.Message, "."))), 0)
		}
	}
	if ptr.Deref(d.Spec.Replicas, 1) == 0 {
		return outcome.Wait(v1alpha1.ReasonSiteUnavailable, fmt.Sprintf("Deployment %q is scaled to zero", d.Name), 0)
	}
	return serving()
}

// rolledOut tells whether the newest pods have answered once, as Deployments say it.
func rolledOut(st *appsv1.DeploymentStatus) bool {
	return slices.ContainsFunc(st.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionTrue && c.Reason == "NewReplicaSetAvailable"
	})
}

// served tells whether there is a Deployment of the site, which is what of it is made first.
func (r *Reconciler) served(ctx context.Context, s *scope) (bool, error) {
	deployment := &appsv1.Deployment{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: s.obj.Namespace, Name: siteName(s.obj.Name)}, deployment)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("cannot read Deployment %q: %w", siteName(s.obj.Name), err)
	}
	return err == nil && metav1.IsControlledBy(deployment, s.obj), nil
}

// removeSite takes everything away that serves the site.
func (r *Reconciler) removeSite(ctx context.Context, s *scope) error {
	var errs []error
	for _, obj := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}, &networkingv1.Ingress{}} {
		errs = append(errs, r.removeOwn(ctx, s, siteName(s.obj.Name), obj))
	}
	if r.cluster.HasRoutes() {
		route := &unstructured.Unstructured{}
		route.SetGroupVersionKind(capabilities.Route)
		errs = append(errs, r.removeOwn(ctx, s, routeName(s.obj), route))
	}
	return errors.Join(errs...)
}

// removeOwn deletes the site's object of the given name and the kind of current, if there is one.
func (r *Reconciler) removeOwn(ctx context.Context, s *scope, name string, current client.Object) error {
	err := r.client.Get(ctx, client.ObjectKey{Namespace: s.obj.Namespace, Name: name}, current)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read %T %q: %w", current, name, err)
	}
	if !metav1.IsControlledBy(current, s.obj) {
		return nil
	}
	return r.remove(ctx, current)
}
