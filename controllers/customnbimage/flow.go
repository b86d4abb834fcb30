package customnbimage

import (
	"slices"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// The pipelines, one a build type.
const (
	pipelineImport        = "cnbi-import"
	pipelinePackageList   = "cnbi-package-list"
	pipelineGitRepository = "cnbi-gitrepo"
)

// The names of the tasks, steps and sidecars of the pipelines that are told apart here.
const (
	taskInspect               = "inspect"
	taskFetch                 = "fetch"
	taskBuild                 = "build"
	taskBuildContainerfile    = "build-containerfile"
	taskValidate              = "validate"
	taskValidateContainerfile = "validate-containerfile"

	stepPrepare     = "prepare"
	stepResolve     = "resolve"
	stepInstall     = "install"
	stepBuild       = "build"
	stepPush        = "push"
	stepLook        = "look"
	stepProbe       = "probe"
	sidecarNotebook = "notebook"
)

// taskRuns are the TaskRuns of one run by their names in the pipeline.
type taskRuns = map[string]*tektonv1.TaskRun

// flow is what a pipeline does, as seen from outside.
type flow struct {
	pipeline string
	// source is the task that finds what is imported or built on.
	source string
	// makes are the tasks of which one makes the image.
	makes []string
	// validates are the tasks of which one runs it.
	validates []string
}

var flows = map[v1alpha1.BuildType]flow{
	v1alpha1.BuildTypeImageImport: {
		pipeline: pipelineImport, source: taskInspect, makes: []string{taskInspect}, validates: []string{taskValidate},
	},
	v1alpha1.BuildTypePackageList: {
		pipeline: pipelinePackageList, source: taskInspect, makes: []string{taskBuild}, validates: []string{taskValidate},
	},
	v1alpha1.BuildTypeGitRepository: {
		pipeline: pipelineGitRepository, source: taskFetch, makes: []string{taskBuild, taskBuildContainerfile},
		validates: []string{taskValidate, taskValidateContainerfile},
	},
}

func flowOf(obj *v1alpha1.CustomNBImage) flow { return flows[obj.Spec.BuildType.Canonical()] }

// flowOfRun is what a run does: the object may have another type by now.
func flowOfRun(run *tektonv1.PipelineRun) flow {
	for _, f := range flows {
		if ref := run.Spec.PipelineRef; ref != nil && ref.Name == f.pipeline {
			return f
		}
		if spec := run.Spec.PipelineSpec; spec != nil && len(spec.Tasks) == 1 && spec.Tasks[0].Name == f.source {
			return f
		}
	}
	return flows[v1alpha1.BuildTypeImageImport]
}

// imports tells whether the image is there already.
func (f flow) imports() bool { return slices.Contains(f.makes, f.source) }

// runs tells whether the task of that name runs the finished image.
func (f flow) runs(name string) bool { return slices.Contains(f.validates, name) }

// builds tells whether the task of that name makes an image that is not there yet.
func (f flow) builds(name string) bool { return !f.imports() && slices.Contains(f.makes, name) }

// first is the stage that a run begins with.
func (f flow) first() v1alpha1.CustomNBImageStage {
	if f.imports() {
		return v1alpha1.StageImporting
	}
	return v1alpha1.StagePreparing
}

// tasks are the names of all tasks in the order in which they run.
func (f flow) tasks() []string {
	names := []string{f.source}
	for _, name := range slices.Concat(f.makes, f.validates) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// making is the task that makes the image, nil before it has begun.
func (f flow) making(tasks taskRuns) *tektonv1.TaskRun { return firstOf(tasks, f.makes) }

// validation is the task that runs the image, nil before it has begun.
func (f flow) validation(tasks taskRuns) *tektonv1.TaskRun { return firstOf(tasks, f.validates) }

func firstOf(tasks taskRuns, names []string) *tektonv1.TaskRun {
	for _, name := range names {
		if tasks[name] != nil {
			return tasks[name]
		}
	}
	return nil
}

// stage is how far a run has come.
func (f flow) stage(tasks taskRuns) v1alpha1.CustomNBImageStage {
	making := f.making(tasks)
	switch {
	case f.validation(tasks) != nil:
		return v1alpha1.StageValidating
	case f.imports() || making == nil || len(making.Status.Steps) == 0:
		return f.first()
	}
	switch currentStep(making) {
	case stepPrepare:
		return v1alpha1.StagePreparing
	case stepResolve:
		return v1alpha1.StageResolving
	default:
		return v1alpha1.StageBuilding
	}
}

// currentStep is the first step that has not ended. All containers of a pod start at once and wait for their turn.
func currentStep(task *tektonv1.TaskRun) string {
	for _, step := range task.Status.Steps {
		if step.Terminated == nil {
			return step.Name
		}
	}
	return ""
}
