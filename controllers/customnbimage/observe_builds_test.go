package customnbimage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

const (
	testCommit = "0123456789abcdef0123456789abcdef01234567"
	testBuilt  = "registry.example/built/team/notebook@sha256:b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
)

// runOf is a run of a pipeline.
func runOf(pipeline string, status corev1.ConditionStatus, reason string) *tektonv1.PipelineRun {
	run := newRun(status, reason, "")
	run.Spec.PipelineRef = &tektonv1.PipelineRef{Name: pipeline}
	run.Spec.Params = tektonv1.Params{
		{Name: paramBaseImage, Value: *tektonv1.NewStructuredValues(testImage)},
		{Name: paramTargetImage, Value: *tektonv1.NewStructuredValues("registry.example/built/team/notebook:id")},
	}
	return run
}

// inStep is a running task that has come to the named step.
func inStep(names ...string) *tektonv1.TaskRun {
	task := newTask(corev1.ConditionUnknown, "Running", "")
	for _, name := range names {
		task.Status.Steps = append(task.Status.Steps, tektonv1.StepState{
			Name: name, ContainerState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
		})
	}
	last := &task.Status.Steps[len(names)-1]
	last.ContainerState = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	return task
}

func TestObserveBuilds(t *testing.T) {
	type want struct {
		Stage                 v1alpha1.CustomNBImageStage
		Finished              bool
		Image, Source, Commit string
		Reason                string
		Message               string // part of it
		Cancel                bool
	}
	type tasks = taskRuns
	list := func(status corev1.ConditionStatus, reason string) *tektonv1.PipelineRun {
		return runOf(pipelinePackageList, status, reason)
	}
	failedIn := func(step, failure string) *tektonv1.TaskRun {
		return withStep(newTask(corev1.ConditionFalse, "StepFailed", `"step-`+step+`" exited with code 1: Error`), step, 1, "failure", failure)
	}
	outOfMemory := failedIn(stepInstall, `{"reason":"BuildFailed","message":"The installer was killed"}`)
	outOfMemory.Status.Steps[0].Terminated.Reason = "OOMKilled"
	evicted := failedIn(stepInstall, `{"reason":"BuildFailed","message":"The build was ended before it was done"}`)
	evicted.Status.SetCondition(ptrTo(succeededCondition(corev1.ConditionFalse, "PodEvicted", `Container step-install exceeded its local ephemeral storage limit "300Mi"`)))
	full := newTask(corev1.ConditionFalse, "PodEvicted", `Usage of EmptyDir volume "work" exceeds the limit "20Gi"`)
	cutOff := inStep(stepPrepare, stepResolve, stepInstall, stepPush)
	cutOff.Status.Steps[2].Terminated = &corev1.ContainerStateTerminated{ExitCode: 2, FinishedAt: metav1.NewTime(testNow.Add(-runs.EndGrace))}
	justCutOff := inStep(stepPrepare, stepResolve, stepInstall, stepPush)
	justCutOff.Status.Steps[2].Terminated = &corev1.ContainerStateTerminated{ExitCode: 2, FinishedAt: metav1.NewTime(testNow)}
	fetched := newTask(corev1.ConditionTrue, "Succeeded", "", "image", testDigest, "commit", testCommit, "kind", "layer")
	cases := map[string]struct {
		reason string
		run    *tektonv1.PipelineRun
		tasks  tasks
		want   want
	}{
		"Inspecting": {
			reason: "the base image is looked for first", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: newTask(corev1.ConditionUnknown, "Running", "")},
			want:  want{Stage: v1alpha1.StagePreparing},
		},
		"Preparing": {
			reason: "what was found is told with the next stage", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: inspected(), taskBuild: inStep(stepPrepare)},
			want:  want{Stage: v1alpha1.StagePreparing},
		},
		"Resolving": {
			reason: "the step that runs tells the stage", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: inspected(), taskBuild: inStep(stepPrepare, stepResolve)},
			want:  want{Stage: v1alpha1.StageResolving, Source: testDigest},
		},
		"Building": {
			reason: "installing and pushing are one stage to people", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: inspected(), taskBuild: inStep(stepPrepare, stepResolve, stepInstall)},
			want:  want{Stage: v1alpha1.StageBuilding, Source: testDigest},
		},
		"ForgedImage": {
			reason: "an untrusted step's image is none", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: inspected(), taskBuild: withStep(inStep(stepPush), stepInstall, 0, "image", "evil.example/x@sha256:00")},
			want:  want{Stage: v1alpha1.StageBuilding, Source: testDigest},
		},
		"CutOff": {
			reason: "a step that could not tell the next one of its end has the run ended", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: inspected(), taskBuild: cutOff},
			want:  want{Stage: v1alpha1.StageBuilding, Finished: true, Cancel: true, Source: testDigest, Reason: v1alpha1.ReasonLimitExceeded, Message: "Step install of the build was cut off"},
		},
		"CutOffJustNow": {
			reason: "Tekton is given the time to end it itself", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: inspected(), taskBuild: justCutOff},
			want:  want{Stage: v1alpha1.StageBuilding, Source: testDigest},
		},
		"Validating": {
			reason: "a built image runs as an imported one does", run: list(corev1.ConditionUnknown, "Running"),
			tasks: tasks{taskInspect: inspected(), taskBuild: newTask(corev1.ConditionTrue, "Succeeded", "", "image", testBuilt), taskValidate: inStep(stepLook)},
			want:  want{Stage: v1alpha1.StageValidating, Image: testBuilt, Source: testDigest},
		},
		"Repository": {
			reason: "the commit is told", run: runOf(pipelineGitRepository, corev1.ConditionTrue, "Succeeded"),
			tasks: tasks{taskFetch: fetched, taskBuild: newTask(corev1.ConditionTrue, "Succeeded", "", "image", testBuilt), taskValidate: newTask(corev1.ConditionTrue, "Succeeded", "")},
			want:  want{Stage: v1alpha1.StageValidating, Finished: true, Image: testBuilt, Source: testDigest, Commit: testCommit},
		},
		"Containerfile": {
			reason: "its tasks have other names", run: runOf(pipelineGitRepository, corev1.ConditionTrue, "Completed"),
			tasks: tasks{
				taskFetch:              newTask(corev1.ConditionTrue, "Succeeded", "", "image", "", "commit", testCommit, "kind", "containerfile"),
				taskBuildContainerfile: newTask(corev1.ConditionTrue, "Succeeded", "", "image", testBuilt), taskValidateContainerfile: newTask(corev1.ConditionTrue, "Succeeded", ""),
			},
			want: want{Stage: v1alpha1.StageValidating, Finished: true, Image: testBuilt, Commit: testCommit},
		},
		"ForeignImage": {
			reason: "a step that outlives its time can forge results, but not another repository's image",
			run:    list(corev1.ConditionTrue, "Succeeded"),
			tasks:  tasks{taskInspect: inspected(), taskBuild: newTask(corev1.ConditionTrue, "Succeeded", "", "image", strings.Replace(testBuilt, "team", "other", 1))},
			want:   want{Stage: v1alpha1.StagePreparing, Finished: true, Source: testDigest, Reason: v1alpha1.ReasonInternalError, Message: "named no image"},
		},
		"NoCommit": {
			reason: "what does not look like a commit is none", run: runOf(pipelineGitRepository, corev1.ConditionTrue, "Succeeded"),
			tasks: tasks{taskFetch: newTask(corev1.ConditionTrue, "Succeeded", "", "image", testDigest, "commit", "$(rm -rf)"), taskBuild: newTask(corev1.ConditionTrue, "Succeeded", "", "image", testBuilt)},
			want:  want{Stage: v1alpha1.StagePreparing, Finished: true, Image: testBuilt, Source: testDigest},
		},
		"PackageConflict": {
			reason: "the installer's own failures are told", run: list(corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskInspect: inspected(), taskBuild: failedIn(stepResolve, `{"reason":"PackageConflict","message":"a needs c<2; b needs c>=2"}`)},
			want:  want{Stage: v1alpha1.StageBuilding, Finished: true, Source: testDigest, Reason: v1alpha1.ReasonPackageConflict, Message: "A needs c<2; b needs c>=2"},
		},
		"ForgedFailure": {
			reason: "an untrusted step cannot have the build tried again for ever more", run: list(corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskInspect: inspected(), taskBuild: failedIn(stepInstall, `{"reason":"ImageNotFound","message":"look elsewhere"}`)},
			want:  want{Stage: v1alpha1.StageBuilding, Finished: true, Source: testDigest, Reason: v1alpha1.ReasonInternalError, Message: `"step-install" exited`},
		},
		"PushRefused": {
			reason: "the push is trusted", run: list(corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskInspect: inspected(), taskBuild: failedIn(stepPush, `{"reason":"RegistryPushUnauthorized","message":"no push"}`)},
			want:  want{Stage: v1alpha1.StageBuilding, Finished: true, Source: testDigest, Reason: v1alpha1.ReasonRegistryPushUnauthorized, Message: "No push"},
		},
		"OutOfMemory": {
			reason: "a step that was killed does not know why", run: list(corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskInspect: inspected(), taskBuild: outOfMemory},
			want:  want{Stage: v1alpha1.StageBuilding, Finished: true, Source: testDigest, Reason: v1alpha1.ReasonLimitExceeded, Message: "out of memory in step install: give it more in spec.resources.limits.memory"},
		},
		"Evicted": {
			reason: "nor does one whose pod was evicted", run: list(corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskInspect: inspected(), taskBuild: evicted},
			want:  want{Stage: v1alpha1.StageBuilding, Finished: true, Source: testDigest, Reason: v1alpha1.ReasonLimitExceeded, Message: "ephemeral storage"},
		},
		"VolumeFull": {
			reason: "a volume that is full is the build's doing too", run: list(corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskInspect: inspected(), taskBuild: full},
			want:  want{Stage: v1alpha1.StagePreparing, Finished: true, Source: testDigest, Reason: v1alpha1.ReasonLimitExceeded, Message: "EmptyDir"},
		},
		"ContainerfileNotAdmitted": {
			reason: "what a Containerfile needs is told", run: runOf(pipelineGitRepository, corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskFetch: fetched, taskBuildContainerfile: newTask(corev1.ConditionFalse, tektonPodAdmissionFailed, `violates PodSecurity "restricted:latest"`)},
			want:  want{Stage: v1alpha1.StagePreparing, Finished: true, Source: testDigest, Commit: testCommit, Reason: v1alpha1.ReasonPodSecurityViolation, Message: "The repository has a Containerfile"},
		},
		"GitUnreachable": {
			reason: "what fetches is trusted", run: runOf(pipelineGitRepository, corev1.ConditionFalse, "Failed"),
			tasks: tasks{taskFetch: newTask(corev1.ConditionFalse, "Failed", "", "failure", `{"reason":"GitUnreachable","message":"connection refused"}`)},
			want:  want{Stage: v1alpha1.StagePreparing, Finished: true, Reason: v1alpha1.ReasonGitUnreachable, Message: "Connection refused"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := observe(tc.run, tc.tasks, validate.Policy{MinimumPython: "3.8"}, testNow)
			got := want{Stage: o.stage, Finished: o.finished, Cancel: o.cancel, Image: o.image, Source: o.source, Commit: o.commit}
			if o.failure != nil {
				got.Reason = o.failure.reason
				if got.Message = tc.want.Message; !strings.Contains(o.failure.message, tc.want.Message) {
					got.Message = o.failure.message
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
