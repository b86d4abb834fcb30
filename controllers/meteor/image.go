package meteor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// odhPrefix starts the annotations that Open Data Hub reads.
const odhPrefix = "opendatahub.io/"

// newImage is the CustomNBImage of the pipeline jupyterhub. It has the Meteor's name, which users know.
func newImage(obj *v1alpha1.Meteor) *v1alpha1.CustomNBImage {
	annotations := map[string]string{}
	for key, value := range obj.Annotations {
		if strings.HasPrefix(key, odhPrefix) || key == v1alpha1.AnnotationRebuild {
			annotations[key] = value
		}
	}
	m := ownedMeta(obj, obj.Name)
	m.Annotations = annotations
	return &v1alpha1.CustomNBImage{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.CustomNBImageKind},
		ObjectMeta: m,
		Spec: v1alpha1.CustomNBImageSpec{
			BuildType:     v1alpha1.BuildTypeGitRepository,
			RepositoryURL: v1alpha1.RepositoryURL(obj.Spec.URL),
			GitRef:        obj.Spec.Ref,
			GitSecret:     obj.Spec.GitSecret,
			Refresh:       obj.Spec.Refresh,
		},
	}
}

// reconcileImage keeps the CustomNBImage, and tells how it stands.
func (r *Reconciler) reconcileImage(ctx context.Context, s *scope, p *part) error {
	wanted := newImage(s.obj)
	current := &v1alpha1.CustomNBImage{}
	err := r.client.Get(ctx, client.ObjectKeyFromObject(wanted), current)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot read CustomNBImage %q: %w", wanted.Name, err)
	}
	found := err == nil
	if found && !metav1.IsControlledBy(current, s.obj) {
		return r.taken(s, v1alpha1.CustomNBImageKind, current)
	}
	applied, err := r.ensure(ctx, wanted, current, found && sameWish(current, wanted))
	if err != nil {
		return err
	}
	s.obj.Status.CustomNBImageName = wanted.Name
	p.runName = current.Status.PipelineRunName
	return imageOutcome(s, p, current, applied)
}

// sameWish tells whether nobody has changed what the CustomNBImage is to ask for. What the Meteor says nothing of is
// anybody's to set.
func sameWish(current, wanted *v1alpha1.CustomNBImage) bool {
	a, b := &current.Spec, &wanted.Spec
	return a.BuildType == b.BuildType && a.RepositoryURL == b.RepositoryURL && (b.GitRef == "" || a.GitRef == b.GitRef) &&
		(b.GitSecret == nil || equality.Semantic.DeepEqual(a.GitSecret, b.GitSecret)) &&
		(b.Refresh == nil || equality.Semantic.DeepEqual(a.Refresh, b.Refresh))
}

// imageOutcome shows the CustomNBImage's condition as the pipeline's.
func imageOutcome(s *scope, p *part, image *v1alpha1.CustomNBImage, applied bool) error {
	ready := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ConditionReady)
	p.ready = ""
	switch {
	case applied, ready == nil, ready.ObservedGeneration < image.Generation:
		return outcome.Wait(v1alpha1.ReasonPreparing, fmt.Sprintf("CustomNBImage %q has yet to be looked at", s.obj.Name), 0)
	case ready.Status == metav1.ConditionTrue:
		p.ready = string(metav1.ConditionTrue)
		if !s.ownCommit() {
			s.obj.Status.GitCommit = image.Status.GitCommit
		}
		return nil
	case meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ConditionStalled):
		p.ready = string(metav1.ConditionFalse)
		return outcome.Stall(ready.Reason, errors.New(ready.Message))
	}
	return outcome.Wait(ready.Reason, ready.Message, 0)
}

// ownCommit tells whether the commit in the status is what a book was built of, or a look has found, rather than that of
// the CustomNBImage: that goes at its own pace, and one that lags behind would be taken for a branch that has moved.
func (s *scope) ownCommit() bool {
	return s.wants(v1alpha1.PipelineJupyterBook) || s.obj.Spec.Refresh != nil && slices.ContainsFunc(s.parts, (*part).runs)
}

// taken says that an object has the name which one of this object's needs. One of an earlier object of the same name
// goes by itself. No watch tells of the end of either, so they are looked for again.
func (r *Reconciler) taken(s *scope, kind string, current client.Object) error {
	const soon = 2 * time.Second
	if owner := metav1.GetControllerOf(current); owner != nil && owner.Kind == v1alpha1.MeteorKind && owner.Name == s.obj.Name {
		return outcome.Wait(v1alpha1.ReasonPreparing, fmt.Sprintf("Waiting for %s %q of an earlier Meteor to go", kind, current.GetName()), soon)
	}
	r.lookAgain(s)
	return outcome.Stall(v1alpha1.ReasonConflictingObject, fmt.Errorf("%s %q exists and is not this object's: rename or remove one of the two", kind, current.GetName()))
}

// removeImage takes the CustomNBImage away.
func (r *Reconciler) removeImage(ctx context.Context, s *scope) error {
	image := &v1alpha1.CustomNBImage{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: s.obj.Namespace, Name: s.obj.Name}, image)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read CustomNBImage %q: %w", s.obj.Name, err)
	}
	if !metav1.IsControlledBy(image, s.obj) {
		return nil
	}
	return r.remove(ctx, image)
}

// sentence makes an error's text a condition's message.
func sentence(text string) string {
	text = conditions.Message(text)
	if text == "" {
		return "Unknown"
	}
	first, size := utf8.DecodeRuneInString(text)
	return strings.TrimRight(string(unicode.ToUpper(first))+text[size:], ".")
}
