//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// user is who a case acts as: somebody with the cluster role edit in a namespace, and nothing else.
type user struct {
	t         *testing.T
	namespace string
	// config and client are the user's own.
	config *rest.Config
	client client.WithWatch
	// records are of everything that was seen in the namespace.
	runs    *record[*pipelineRun]
	streams *record[*imagev1.ImageStream]
}

// newUser makes a namespace and its user. Both go when the case has ended.
func newUser(t *testing.T) *user {
	t.Helper()
	return newUserUnder(t, "restricted")
}

// newUserUnder is the same where the namespace enforces another Pod Security Standard.
func newUserUnder(t *testing.T, standard string) *user {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": standard},
		Annotations:  map[string]string{"meteor.zone/e2e": t.Name()},
	}}
	must(t, on.Client.Create(t.Context(), ns))
	u := &user{t: t, namespace: ns.Name}
	t.Cleanup(func() {
		if t.Failed() {
			u.dump()
		}
		_ = on.Client.Delete(context.Background(), ns)
	})
	name := "user-of-" + ns.Name
	must(t, on.Client.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "user", Namespace: ns.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}))
	u.config = rest.CopyConfig(on.Config)
	u.config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:authenticated"}}
	var err error
	u.client, err = client.NewWithWatch(u.config, client.Options{Scheme: operator.Scheme()})
	must(t, err)
	u.awaitRights()
	u.runs = watch[*pipelineRun](t, on.Client, &tektonv1.PipelineRunList{}, client.InNamespace(ns.Name))
	if hasStreams(t) {
		u.streams = watch[*imagev1.ImageStream](t, on.Client, &imagev1.ImageStreamList{}, client.InNamespace(ns.Name))
	}
	return u
}

// awaitRights waits until the API server knows of the user's rights, which it says nothing about when asked to watch.
func (u *user) awaitRights() {
	u.t.Helper()
	err := wait.PollUntilContextTimeout(u.t.Context(), 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: u.namespace, Verb: "create", Group: v1alpha1.GroupVersion.Group, Resource: "customnbimages",
			},
		}}
		err := u.client.Create(ctx, review)
		return review.Status.Allowed, err
	})
	if err != nil {
		u.t.Fatalf("who has the role edit may not create CustomNBImages: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// image is the reference of a test image, as pods say it.
func image(short string) string {
	if prefix := os.Getenv("E2E_IMAGES"); on.Local == nil && prefix != "" {
		return strings.TrimSuffix(prefix, "/") + "/" + short + ":1"
	}
	if on.Local == nil {
		return "set-E2E_IMAGES/" + short
	}
	return on.Local.Registry + "/images/" + short + ":1"
}

// imports is an object that imports an image.
func (u *user) imports(name, image string) *v1alpha1.CustomNBImage {
	return &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace},
		Spec:       v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypeImageImport, FromImage: v1alpha1.ImageReference(image)},
	}
}

// create creates objects as the user.
func (u *user) create(objects ...client.Object) {
	u.t.Helper()
	for _, obj := range objects {
		if err := u.client.Create(u.t.Context(), obj); err != nil {
			u.t.Fatalf("cannot create %T %q: %v", obj, obj.GetName(), err)
		}
	}
}

// edit changes an object as the user, as kubectl edit does.
func (u *user) edit(name string, change func(*v1alpha1.CustomNBImage)) {
	u.t.Helper()
	obj := u.get(name)
	before := obj.DeepCopy()
	change(obj)
	must(u.t, u.client.Patch(u.t.Context(), obj, client.MergeFrom(before)))
}

func (u *user) get(name string) *v1alpha1.CustomNBImage {
	u.t.Helper()
	obj := &v1alpha1.CustomNBImage{}
	must(u.t, u.client.Get(u.t.Context(), u.key(name), obj))
	return obj
}

func (u *user) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: u.namespace, Name: name}
}

// until waits for an object to be as wanted.
func (u *user) until(name, what string, wanted func(*v1alpha1.CustomNBImage) bool) *v1alpha1.CustomNBImage {
	u.t.Helper()
	var last *v1alpha1.CustomNBImage
	await(u.t, u.client, name+" "+what, func(l *v1alpha1.CustomNBImageList) bool {
		if len(l.Items) == 0 {
			return false
		}
		last = &l.Items[0]
		return wanted(last)
	}, func() string { return describe(last) }, operator.Named(u.namespace, name))
	return last
}

// untilDone waits for the end of what the object's present spec asks for.
func (u *user) untilDone(name string) *v1alpha1.CustomNBImage {
	u.t.Helper()
	return u.until(name, "comes to an end", func(obj *v1alpha1.CustomNBImage) bool {
		phase := obj.Status.Phase
		return obj.Status.ObservedGeneration == obj.Generation && (phase == v1alpha1.PhaseReady || phase == v1alpha1.PhaseFailed)
	})
}

// untilReady waits for the image.
func (u *user) untilReady(name string) *v1alpha1.CustomNBImage {
	u.t.Helper()
	obj := u.untilDone(name)
	if obj.Status.Phase != v1alpha1.PhaseReady {
		u.t.Fatalf("%s came to a bad end: %s", name, describe(obj))
	}
	return obj
}

// untilStage waits until a build of the object is at the given stage.
func (u *user) untilStage(name string, stage v1alpha1.CustomNBImageStage) *v1alpha1.CustomNBImage {
	u.t.Helper()
	return u.until(name, "is "+string(stage), func(obj *v1alpha1.CustomNBImage) bool { return obj.Status.Stage == stage })
}

// untilReason waits until the object says why it is not ready.
func (u *user) untilReason(name, reason string) *v1alpha1.CustomNBImage {
	u.t.Helper()
	return u.until(name, "says "+reason, func(obj *v1alpha1.CustomNBImage) bool { return ready(obj).Reason == reason })
}

// ready is the condition that sums up.
func ready(obj *v1alpha1.CustomNBImage) metav1.Condition {
	return condition(obj, v1alpha1.ConditionReady)
}

func condition(obj *v1alpha1.CustomNBImage, kind string) metav1.Condition {
	if obj != nil {
		for _, c := range obj.Status.Conditions {
			if c.Type == kind {
				return c
			}
		}
	}
	return metav1.Condition{}
}

func describe(obj *v1alpha1.CustomNBImage) string {
	if obj == nil {
		return "it is not there"
	}
	c := ready(obj)
	return fmt.Sprintf("phase %s, stage %q, %s: %s", obj.Status.Phase, obj.Status.Stage, c.Reason, c.Message)
}

// says checks what an object tells a person. Each of words must be in the message.
func says(t *testing.T, obj *v1alpha1.CustomNBImage, phase v1alpha1.CustomNBImagePhase, reason string, words ...string) {
	t.Helper()
	c := ready(obj)
	if obj.Status.Phase != phase || c.Reason != reason {
		t.Errorf("%s: want phase %s and reason %s, but it is in %s", obj.Name, phase, reason, describe(obj))
	}
	for _, word := range words {
		if !strings.Contains(c.Message, word) {
			t.Errorf("%s: want %q in the message %q", obj.Name, word, c.Message)
		}
	}
	t.Logf("%s: %s", obj.Name, describe(obj))
}

// checks checks that exactly these checks have failed, each with its own message.
func checks(t *testing.T, obj *v1alpha1.CustomNBImage, want map[v1alpha1.ValidationCheck]string) {
	t.Helper()
	got := map[v1alpha1.ValidationCheck]bool{}
	for _, v := range obj.Status.Validation {
		t.Logf("%s: %s %s: %s", obj.Name, v.Severity, v.Check, v.Message)
		part, ok := want[v.Check]
		if !ok || got[v.Check] {
			t.Errorf("%s: check %s failed, which was not to be: %s", obj.Name, v.Check, v.Message)
		}
		if !strings.Contains(v.Message, part) {
			t.Errorf("%s: want %q in the message of check %s: %q", obj.Name, part, v.Check, v.Message)
		}
		got[v.Check] = true
	}
	for check := range want {
		if !got[check] {
			t.Errorf("%s: want check %s to fail", obj.Name, check)
		}
	}
}
