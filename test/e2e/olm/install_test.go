//go:build e2e

package olm

import (
	"context"
	"fmt"
	"testing"
	"time"

	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/bundle"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// olmNamespace is where OLM and the catalogue are.
const olmNamespace = "olm"

// removeDefault takes away what `make deploy` installs, but for the CRDs: two managers would both act.
func removeDefault(ctx context.Context) error {
	labels := client.MatchingLabels{"app.kubernetes.io/part-of": "meteor-operator"}
	for _, obj := range []client.Object{&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}} {
		if err := k8s.DeleteAllOf(ctx, obj, labels); err != nil {
			return fmt.Errorf("cannot remove the operator that is there: %w", err)
		}
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operator.Namespace}}
	if err := k8s.Delete(ctx, ns); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot remove the operator that is there: %w", err)
	}
	return poll(ctx, func(ctx context.Context) (bool, error) {
		return absent(k8s.Get(ctx, client.ObjectKeyFromObject(ns), ns))
	})
}

func absent(err error) (bool, error) {
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

// poll tries until done, within patience.
func poll(ctx context.Context, done func(context.Context) (bool, error)) error {
	return wait.PollUntilContextTimeout(ctx, 300*time.Millisecond, patience, true, done)
}

// until is poll that fails the test, and says what there was instead.
func until(t *testing.T, what string, state func() string, done func(context.Context) (bool, error)) {
	t.Helper()
	began := time.Now()
	if err := poll(t.Context(), done); err != nil {
		t.Fatalf("waited until %s: %v; at the end: %s", what, err, state())
	}
	t.Logf("%5.1fs until %s", time.Since(began).Seconds(), what)
}

// namespace makes one that is gone when the test has ended.
func namespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "olm-e2e-", Labels: labels}}
	must(t, k8s.Create(t.Context(), ns))
	t.Cleanup(func() {
		ctx := context.Background()
		_ = k8s.Delete(ctx, ns)
		_ = poll(ctx, func(ctx context.Context) (bool, error) {
			return absent(k8s.Get(ctx, client.ObjectKeyFromObject(ns), ns))
		})
	})
	return ns.Name
}

var restricted = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}

// installation is the operator as OLM has it.
type installation struct {
	t         *testing.T
	namespace string
	source    *operatorsv1alpha1.CatalogSource
}

// offer serves a catalogue to all namespaces.
func offer(t *testing.T, catalogue string) *operatorsv1alpha1.CatalogSource {
	t.Helper()
	offered := &operatorsv1alpha1.CatalogSource{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "meteor-", Namespace: olmNamespace},
		Spec: operatorsv1alpha1.CatalogSourceSpec{
			SourceType: operatorsv1alpha1.SourceTypeGrpc, Image: catalogue,
			GrpcPodConfig: &operatorsv1alpha1.GrpcPodConfig{SecurityContextConfig: operatorsv1alpha1.Restricted},
		},
	}
	must(t, k8s.Create(t.Context(), offered))
	t.Cleanup(func() { _ = k8s.Delete(context.Background(), offered) })
	return offered
}

// install serves a catalogue, and subscribes to it for some namespaces: none stands for all.
func install(t *testing.T, catalogue, into string, targets ...string) *installation {
	t.Helper()
	i := &installation{t: t, namespace: into, source: offer(t, catalogue)}
	i.group(targets...)
	i.subscribe()
	return i
}

func (i *installation) group(targets ...string) {
	i.t.Helper()
	must(i.t, k8s.Create(i.t.Context(), &operatorsv1.OperatorGroup{
		ObjectMeta: metav1.ObjectMeta{Name: "meteor", Namespace: i.namespace},
		Spec:       operatorsv1.OperatorGroupSpec{TargetNamespaces: targets},
	}))
}

// regroup has the operator look after other namespaces.
func (i *installation) regroup(targets ...string) {
	i.t.Helper()
	group := &operatorsv1.OperatorGroup{}
	must(i.t, k8s.Get(i.t.Context(), client.ObjectKey{Namespace: i.namespace, Name: "meteor"}, group))
	group.Spec.TargetNamespaces = targets
	must(i.t, k8s.Update(i.t.Context(), group))
}

func (i *installation) subscribe() {
	i.t.Helper()
	must(i.t, k8s.Create(i.t.Context(), &operatorsv1alpha1.Subscription{
		ObjectMeta: metav1.ObjectMeta{Name: bundle.Package, Namespace: i.namespace},
		Spec: &operatorsv1alpha1.SubscriptionSpec{
			CatalogSource: i.source.Name, CatalogSourceNamespace: olmNamespace, Package: bundle.Package, Channel: bundle.DefaultChannel,
			InstallPlanApproval: operatorsv1alpha1.ApprovalAutomatic,
		},
	}))
}

// csv is the ClusterServiceVersion of a version.
func (i *installation) csv(ctx context.Context, version string) (*operatorsv1alpha1.ClusterServiceVersion, error) {
	csv := &operatorsv1alpha1.ClusterServiceVersion{}
	err := k8s.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: bundle.Name(version)}, csv)
	return csv, err
}

// succeeds waits until a version is installed.
func (i *installation) succeeds(version string) {
	i.t.Helper()
	i.reaches(version, operatorsv1alpha1.CSVPhaseSucceeded)
}

func (i *installation) reaches(version string, phase operatorsv1alpha1.ClusterServiceVersionPhase) {
	i.t.Helper()
	until(i.t, fmt.Sprintf("version %s is %s", version, phase), i.state, func(ctx context.Context) (bool, error) {
		csv, err := i.csv(ctx, version)
		return err == nil && csv.Status.Phase == phase, client.IgnoreNotFound(err)
	})
}

// state is what OLM says, for when it does not get on.
func (i *installation) state() string {
	ctx := context.Background()
	out := ""
	csvs, subscriptions, plans := &operatorsv1alpha1.ClusterServiceVersionList{}, &operatorsv1alpha1.SubscriptionList{}, &operatorsv1alpha1.InstallPlanList{}
	for _, list := range []client.ObjectList{csvs, subscriptions, plans} {
		if err := k8s.List(ctx, list, client.InNamespace(i.namespace)); err != nil {
			out += err.Error()
		}
	}
	for _, s := range subscriptions.Items {
		out += fmt.Sprintf("\nSubscription %s %s %+v", s.Name, s.Status.State, s.Status.Conditions)
	}
	for _, p := range plans.Items {
		out += fmt.Sprintf("\nInstallPlan %s %s %+v", p.Name, p.Status.Phase, p.Status.Conditions)
	}
	for _, c := range csvs.Items {
		out += fmt.Sprintf("\nCSV %s %s %s %s", c.Name, c.Status.Phase, c.Status.Reason, c.Status.Message)
	}
	return out
}

// uninstall removes what an admin would remove, and waits until the manager is gone.
func (i *installation) uninstall() {
	i.t.Helper()
	ctx := context.Background()
	in := client.InNamespace(i.namespace)
	must(i.t, k8s.DeleteAllOf(ctx, &operatorsv1alpha1.Subscription{}, in))
	must(i.t, k8s.DeleteAllOf(ctx, &operatorsv1alpha1.ClusterServiceVersion{}, in))
	until(i.t, "the manager is gone", i.state, func(ctx context.Context) (bool, error) {
		list := &appsv1.DeploymentList{}
		err := k8s.List(ctx, list, in)
		return len(list.Items) == 0, err
	})
}

// configure says what an admin of the local cluster would.
func configure(t *testing.T) {
	t.Helper()
	config := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"registry": map[string]any{
			"repository": on.Local.Registry + "/built/{namespace}/{name}", "insecure": string(v1alpha1.InsecurePlainHTTP),
			"insecureHosts": []any{on.Local.Registry, on.Local.PrivateRegistry},
		},
		"build": map[string]any{"retries": int64(0), "concurrency": int64(8)},
	}}}
	config.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("CNBiConfig"))
	config.SetName(v1alpha1.CNBiConfigName)
	must(t, k8s.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(config), client.FieldOwner("olm-e2e"), client.ForceOwnership))
}

// image makes an object that imports a test image.
func image(t *testing.T, in, name, short string) *v1alpha1.CustomNBImage {
	t.Helper()
	obj := &v1alpha1.CustomNBImage{ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: name}}
	obj.Spec.BuildType, obj.Spec.FromImage = v1alpha1.BuildTypeImageImport, v1alpha1.ImageReference(on.Local.Images[short])
	must(t, k8s.Create(t.Context(), obj))
	return obj
}

// ready waits until an object's image is offered.
func ready(t *testing.T, in, name string) {
	t.Helper()
	obj := &v1alpha1.CustomNBImage{}
	until(t, in+"/"+name+" is Ready", func() string { return fmt.Sprintf("%+v", obj.Status) }, func(ctx context.Context) (bool, error) {
		err := k8s.Get(ctx, client.ObjectKey{Namespace: in, Name: name}, obj)
		return obj.Status.Phase == v1alpha1.PhaseReady, err
	})
}
