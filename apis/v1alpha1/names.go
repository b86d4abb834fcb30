package v1alpha1

// Annotations that a CustomNBImage is given by its user.
const (
	// AnnotationNotebookImageName is the name shown for the image. An object
	// without it is shown by its metadata.name.
	AnnotationNotebookImageName = "opendatahub.io/notebook-image-name"

	// AnnotationNotebookImageDesc is the description shown for the image.
	AnnotationNotebookImageDesc = "opendatahub.io/notebook-image-desc"

	// AnnotationNotebookImageCreator is who is shown as the image's creator.
	AnnotationNotebookImageCreator = "opendatahub.io/notebook-image-creator"

	// AnnotationRebuild asks for another build of an unchanged object. Each new
	// value asks once; what the value is does not matter.
	AnnotationRebuild = "meteor.zone/rebuild"

	// AnnotationCancel ends the build that runs, or waits for its turn, when
	// it is set. Each new value asks once; what the value is does not matter.
	AnnotationCancel = "meteor.zone/cancel"
)

// Labels on what the operator makes.
const (
	// LabelPartOf is PartOfValue on everything that the operator makes.
	LabelPartOf = "app.kubernetes.io/part-of"

	// LabelManagedBy is ManagedByValue on everything that the operator makes.
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// LabelCustomNBImage names the CustomNBImage that an object was made for.
	LabelCustomNBImage = "meteor.zone/customnbimage"

	// LabelMeteor names the Meteor that an object was made for.
	LabelMeteor = "meteor.zone/meteor"

	// LabelBuild is the hash of what decides the build that an object belongs to.
	LabelBuild = "meteor.zone/build"

	// LabelLook is "true" on a PipelineRun that only looks whether the source of
	// an image has changed.
	LabelLook = "meteor.zone/look"

	// LabelPipeline names the pipeline that a PipelineRun was started for, where
	// an object has runs of several.
	LabelPipeline = "meteor.zone/pipeline"

	// LabelRevision is the revision of the manifests that an object comes from.
	LabelRevision = "meteor.zone/revision"

	// PartOfValue is the value of LabelPartOf.
	PartOfValue = "meteor-operator"

	// ManagedByValue is the value of LabelManagedBy.
	ManagedByValue = "meteor-operator"
)

// CNBiConfigName is the only name that a CNBiConfig can have.
const CNBiConfigName = "cluster"
