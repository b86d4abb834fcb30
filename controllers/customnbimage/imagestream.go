package customnbimage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	imagev1 "github.com/openshift/api/image/v1"
	imageac "github.com/openshift/client-go/image/applyconfigurations/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// What Open Data Hub's dashboard, and the JupyterHub profiles before it, read of an ImageStream.
const (
	odhPrefix          = "opendatahub.io/"
	labelOffered       = odhPrefix + "notebook-image"
	labelDashboard     = odhPrefix + "dashboard"
	labelCreatedBy     = "app.kubernetes.io/created-by"
	annotationURL      = odhPrefix + "notebook-image-url"
	annotationPhase    = odhPrefix + "notebook-image-phase"
	annotationMessages = odhPrefix + "notebook-image-messages"
	annotationOrigin   = odhPrefix + "notebook-image-origin"
	annotationSoftware = odhPrefix + "notebook-software"
	annotationPackages = odhPrefix + "notebook-python-dependencies"
	annotationCommit   = odhPrefix + "notebook-build-commit"
	annotationImported = "openshift.io/imported-from"
)

// annotationApplied is the hash of what was applied last. The stream is written again only when that changes, so that
// what an admin edits on the stream stays.
const annotationApplied = "meteor.zone/applied"

// offer is an image that has passed and what is told about it.
type offer struct {
	tag      string
	image    string // repository@sha256:…
	source   string // the reference as the user gave it, of an image that was imported
	commit   string // of the repository, of an image that was built from one
	software []v1alpha1.SoftwareVersion
	packages []v1alpha1.SoftwareVersion
}

// streamFacts is what an ImageStream shows of a CustomNBImage.
type streamFacts struct {
	phase  string
	checks []v1alpha1.ValidationMessage
	// problem is the failure's message when no check tells it.
	problem string
	// offer is nil as long as no image of the object has passed: then the stream has no tag and is hidden.
	offer *offer
	// referencePolicy is how OpenShift hands the image to pods: "Local" through its own registry, "Source" as it is.
	referencePolicy imagev1.TagReferencePolicyType
}

// newImageStream builds what is applied for obj. The same facts give the same bytes.
func newImageStream(obj *v1alpha1.CustomNBImage, f streamFacts) (*imageac.ImageStreamApplyConfiguration, error) {
	messages, err := json.Marshal(streamMessages(f))
	if err != nil {
		return nil, fmt.Errorf("cannot write the stream's messages: %w", err)
	}
	annotations := odhAnnotations(obj)
	annotations[v1alpha1.AnnotationNotebookImageName] = obj.DisplayName()
	annotations[annotationURL] = cmp.Or(string(obj.Spec.FromImage), obj.Spec.RepositoryAddress(), obj.Spec.Base())
	annotations[annotationPhase] = f.phase
	annotations[annotationMessages] = string(messages)
	annotations[annotationOrigin] = "Admin"

	spec := imageac.ImageStreamSpec().WithLookupPolicy(imageac.ImageLookupPolicy().WithLocal(true))
	if f.offer != nil {
		tag, err := newTag(f)
		if err != nil {
			return nil, err
		}
		spec.WithTags(tag)
	}
	stream := imageac.ImageStream(obj.Name, obj.Namespace).
		WithLabels(map[string]string{
			labelOffered:                fmt.Sprint(f.offer != nil),
			labelDashboard:              "true",
			labelCreatedBy:              "byon",
			v1alpha1.LabelPartOf:        v1alpha1.PartOfValue,
			v1alpha1.LabelManagedBy:     v1alpha1.ManagedByValue,
			v1alpha1.LabelCustomNBImage: obj.Name,
		}).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("CustomNBImage").
			WithName(obj.Name).WithUID(obj.UID).WithController(true)).
		WithSpec(spec).
		WithAnnotations(annotations)
	return stream.WithAnnotations(map[string]string{annotationApplied: runs.Hash(stream)[:16]}), nil
}

// odhAnnotations are those of the object's annotations that Open Data Hub reads.
func odhAnnotations(obj *v1alpha1.CustomNBImage) map[string]string {
	annotations := map[string]string{}
	for key, value := range obj.Annotations {
		if strings.HasPrefix(key, odhPrefix) {
			annotations[key] = value
		}
	}
	return annotations
}

func newTag(f streamFacts) (*imageac.TagReferenceApplyConfiguration, error) {
	software, err := json.Marshal(nonNil(f.offer.software))
	if err != nil {
		return nil, fmt.Errorf("cannot write the software of the image: %w", err)
	}
	packages, err := json.Marshal(nonNil(f.offer.packages))
	if err != nil {
		return nil, fmt.Errorf("cannot write the packages of the image: %w", err)
	}
	annotations := map[string]string{annotationSoftware: string(software), annotationPackages: string(packages)}
	if f.offer.source != "" {
		annotations[annotationImported] = f.offer.source
	}
	if f.offer.commit != "" {
		annotations[annotationCommit] = f.offer.commit
	}
	return imageac.TagReference().
		WithName(f.offer.tag).
		WithAnnotations(annotations).
		WithFrom(*dockerImage(f.offer.image)).
		WithImportPolicy(imageac.TagImportPolicy().WithScheduled(false)). // OpenShift refuses to import a digest on a schedule
		WithReferencePolicy(imageac.TagReferencePolicy().WithType(f.referencePolicy)), nil
}

func dockerImage(ref string) *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: "DockerImage", Name: ref}
}

// streamMessages is never nil: readers parse the annotation unguarded.
func streamMessages(f streamFacts) []map[string]string {
	messages := []map[string]string{}
	for _, c := range f.checks {
		messages = append(messages, map[string]string{"severity": strings.ToLower(string(c.Severity)), "message": c.Message})
	}
	if len(messages) == 0 && f.problem != "" {
		messages = append(messages, map[string]string{"severity": "error", "message": f.problem})
	}
	return messages
}

// tagOf is the stream's tag for an image reference: its own tag, or "latest" where it has none. A tag of a stream must
// not hold a colon, since readers split "stream:tag" on it; the grammar of references allows none in a tag.
func tagOf(reference string) string {
	const latest = "latest"
	reference, _, _ = strings.Cut(reference, "@")
	tag, err := name.NewTag(reference, name.WeakValidation)
	if err != nil {
		return latest
	}
	return tag.TagStr()
}

func nonNil(list []v1alpha1.SoftwareVersion) []v1alpha1.SoftwareVersion {
	if list == nil {
		return []v1alpha1.SoftwareVersion{}
	}
	return list
}
