package customnbimage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

const lookWithoutJupyter = `{"python":"3.11.2","pip":"23.0","home":{"path":"/opt/app-root/src","writable":true},"packagesTotal":0}`

func TestObserve(t *testing.T) {
	type want struct {
		Stage    v1alpha1.CustomNBImageStage
		Finished bool
		Cancel   bool
		Stuck    string
		Image    string
		Reason   string
		Message  string // part of it
		Retry    bool
		Checks   []validate.Check
		Again    time.Duration
	}
	type tasks = map[string]*tektonv1.TaskRun
	running := func() *tektonv1.PipelineRun { return newRun(corev1.ConditionUnknown, "Running", "") }
	failedRun := func() *tektonv1.PipelineRun { return newRun(corev1.ConditionFalse, "Failed", "Tasks Completed: 1") }
	cases := map[string]struct {
		reason string
		run    *tektonv1.PipelineRun
		tasks  tasks
		later  time.Duration
		want   want
	}{
		"JustCreated": {
			reason: "a run of which Tekton has said nothing yet is importing",
			run:    &tektonv1.PipelineRun{}, want: want{Stage: v1alpha1.StageImporting},
		},
		"Validating": {
			reason: "the second task's existence is the next stage, and the image is known",
			run:    running(),
			tasks:  tasks{taskInspect: inspected(), taskValidate: newTask(corev1.ConditionUnknown, "Running", "")},
			want:   want{Stage: v1alpha1.StageValidating, Image: testDigest},
		},
		"Passed": {
			reason: "a run that succeeded names its image",
			run:    newRun(corev1.ConditionTrue, "Succeeded", ""),
			tasks:  tasks{taskInspect: inspected(), taskValidate: newTask(corev1.ConditionTrue, "Succeeded", "", "checks", "[]")},
			want:   want{Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest},
		},
		"TaskRunCacheBehind": {
			reason: "a run that has ended is not judged before its TaskRuns' ends are seen",
			run:    newRun(corev1.ConditionTrue, "Succeeded", ""),
			tasks:  tasks{taskInspect: inspected(), taskValidate: newTask(corev1.ConditionUnknown, "Running", "")},
			want:   want{Stage: v1alpha1.StageValidating, Image: testDigest},
		},
		"TaskRunNotSeen": {
			reason: "nor before all its TaskRuns are seen",
			run:    withChild(newRun(corev1.ConditionTrue, "Succeeded", ""), taskValidate), later: time.Minute,
			tasks: tasks{taskInspect: inspected()},
			want:  want{Stage: v1alpha1.StageImporting, Image: testDigest, Again: 10 * time.Second},
		},
		"TaskRunDeleted": {
			reason: "one that never comes is not waited for long",
			run:    withChild(failedRun(), taskInspect), later: 2 * time.Minute,
			want: want{Stage: v1alpha1.StageImporting, Finished: true, Reason: v1alpha1.ReasonInternalError, Message: "Tekton ended the build", Retry: true},
		},
		"OverlongImage": {
			reason: "what the status cannot hold is no image",
			run:    newRun(corev1.ConditionTrue, "Succeeded", ""),
			tasks:  tasks{taskInspect: newTask(corev1.ConditionTrue, "Succeeded", "", "image", strings.Repeat("x", 513))},
			want:   want{Stage: v1alpha1.StageImporting, Finished: true, Image: strings.Repeat("x", 513), Reason: v1alpha1.ReasonInvalidReference, Message: "more than 512"},
		},
		"PassedWithoutImage": {
			reason: "a run that names no image is not believed",
			run:    newRun(corev1.ConditionTrue, "Succeeded", ""),
			want:   want{Stage: v1alpha1.StageImporting, Finished: true, Reason: v1alpha1.ReasonInternalError, Message: "named no image", Retry: true},
		},
		"ImageNotFound": {
			reason: "what the trusted step reports is told",
			run:    failedRun(),
			tasks: tasks{taskInspect: newTask(corev1.ConditionFalse, "Failed", "step exited 1",
				"failure", `{"reason":"ImageNotFound","message":"registry.example has no team/notebook:1.2"}`)},
			want: want{Stage: v1alpha1.StageImporting, Finished: true, Reason: v1alpha1.ReasonImageNotFound, Message: "has no team/notebook:1.2"},
		},
		"RegistryDown": {
			reason: "the platform's failures are retried",
			run:    failedRun(),
			tasks: tasks{taskInspect: newTask(corev1.ConditionFalse, "Failed", "step exited 1",
				"failure", `{"reason":"RegistryUnavailable","message":"connection refused"}`)},
			want: want{Stage: v1alpha1.StageImporting, Finished: true, Reason: v1alpha1.ReasonRegistryUnavailable, Message: "Connection refused", Retry: true},
		},
		"ForgedFailure": {
			reason: "in the validation's pod an untrusted step can write results: no reason but the verdict is believed",
			run:    failedRun(),
			tasks: tasks{taskInspect: inspected(), taskValidate: withStep(newTask(corev1.ConditionFalse, "StepFailed", "step look exited 3",
				"failure", `{"reason":"RegistryUnavailable","message":"please try again"}`), stepLook, 3)},
			want: want{Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest, Reason: v1alpha1.ReasonValidationFailed, Message: "exit code 3"},
		},
		"ValidationFailed": {
			reason: "the checks come along",
			run:    failedRun(),
			tasks: tasks{taskInspect: inspected(), taskValidate: newTask(corev1.ConditionFalse, "Failed", "",
				"checks", `[{"check":"python","severity":"error","message":"Python not found"}]`,
				"failure", `{"reason":"ValidationFailed","message":"Python not found"}`)},
			want: want{
				Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest,
				Reason: v1alpha1.ReasonValidationFailed, Message: "Python not found", Checks: []validate.Check{validate.CheckPython},
			},
		},
		"NotebookDied": {
			reason: "a notebook that has ended will not answer: the run is ended, with what the look found",
			run:    running(), later: deathGrace,
			tasks: tasks{taskInspect: inspected(), taskValidate: withDeadNotebook(
				withStep(newTask(corev1.ConditionUnknown, "Running", ""), stepLook, 0, "look", lookWithoutJupyter), 127, "Error")},
			want: want{
				Stage: v1alpha1.StageValidating, Finished: true, Cancel: true, Image: testDigest,
				Reason: v1alpha1.ReasonValidationFailed, Message: "Missing 'jupyterlab' python package (and 1 more)",
				Checks: []validate.Check{validate.CheckJupyter, validate.CheckStartup},
			},
		},
		"NotebookCannotStart": {
			reason: "what the runtime says of an entry point is the cause",
			run:    failedRun(),
			tasks: tasks{taskInspect: inspected(), taskValidate: withMessage(withDeadNotebook(
				withStep(newTask(corev1.ConditionFalse, "SidecarFailed", "", "checks", `[{"check":"startup","severity":"error","message":"No answer"}]`, "probe", `{"outcome":"timeout","status":0}`), stepProbe, 1), 128, "StartError"),
				`exec: "start-notebook.sh": executable file not found in $PATH`)},
			want: want{
				Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest, Reason: v1alpha1.ReasonValidationFailed,
				Message: `cannot be started: exec: "start-notebook.sh"`, Checks: []validate.Check{validate.CheckStartup},
			},
		},
		"NotebookDiedJustNow": {
			reason: "the probe may know more, and is given the time to say so",
			run:    running(), later: deathGrace - time.Second,
			tasks: tasks{taskInspect: inspected(), taskValidate: withDeadNotebook(
				withStep(newTask(corev1.ConditionUnknown, "Running", ""), stepLook, 0, "look", lookWithoutJupyter), 127, "Error")},
			want: want{Stage: v1alpha1.StageValidating, Image: testDigest, Again: time.Second},
		},
		"NotebookCrashed": {
			reason: "the probe has seen it answer, and end",
			run:    failedRun(),
			tasks: tasks{taskInspect: inspected(), taskValidate: withDeadNotebook(
				withStep(newTask(corev1.ConditionFalse, "SidecarFailed", "", "checks", `[{"check":"startup","severity":"error","message":"It has crashed"}]`, "probe", `{"outcome":"gone","status":200}`), stepProbe, 1), 1, "Error")},
			want: want{
				Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest,
				Reason: v1alpha1.ReasonValidationFailed, Message: "It has crashed", Checks: []validate.Check{validate.CheckStartup},
			},
		},
		"NotebookEndedAtStart": {
			reason: "the probe could not know why nothing answered",
			run:    failedRun(),
			tasks: tasks{taskInspect: inspected(), taskValidate: withDeadNotebook(
				withStep(newTask(corev1.ConditionFalse, "SidecarFailed", "", "checks", `[{"check":"jupyter","severity":"error","message":"No Jupyter"},{"check":"startup","severity":"error","message":"No answer"}]`, "probe", `{"outcome":"timeout","status":0}`), stepProbe, 1), 2, "Error")},
			want: want{
				Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest,
				Reason: v1alpha1.ReasonValidationFailed, Message: "No Jupyter (and 1 more)", Checks: []validate.Check{validate.CheckJupyter, validate.CheckStartup},
			},
		},
		"NotebookDiedEarly": {
			reason: "the look is waited for",
			run:    running(), later: deathGrace,
			tasks: tasks{taskInspect: inspected(), taskValidate: withDeadNotebook(newTask(corev1.ConditionUnknown, "Running", ""), 127, "Error")},
			want:  want{Stage: v1alpha1.StageValidating, Image: testDigest},
		},
		"NotebookOutOfMemory": {
			reason: "memory is told apart, after the cancellation too",
			run:    newRun(corev1.ConditionFalse, "Cancelled", ""),
			tasks: tasks{taskInspect: inspected(), taskValidate: withDeadNotebook(
				withStep(newTask(corev1.ConditionFalse, "TaskRunCancelled", ""), stepLook, 0, "look", `{"python":"3.11.2","pip":"23","home":{"path":"/h","writable":true},"software":[{"name":"Notebook","version":"6"}]}`), 137, "OOMKilled")},
			want: want{
				Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest,
				Reason: v1alpha1.ReasonValidationFailed, Message: "out of memory", Checks: []validate.Check{validate.CheckStartup},
			},
		},
		"SidecarStoppedByTekton": {
			reason: "Tekton ends the notebook after the probe: that is no death",
			run:    running(),
			tasks: tasks{taskInspect: inspected(), taskValidate: withDeadNotebook(withStep(withStep(
				newTask(corev1.ConditionUnknown, "Running", ""), stepLook, 0), stepProbe, 0), 1, "Error")},
			want: want{Stage: v1alpha1.StageValidating, Image: testDigest},
		},
		"CancelledByUser": {
			reason: "a cancelled run stays cancelled",
			run:    newRun(corev1.ConditionFalse, "Cancelled", ""),
			tasks:  tasks{taskInspect: newTask(corev1.ConditionFalse, "TaskRunCancelled", "")},
			want:   want{Stage: v1alpha1.StageImporting, Finished: true, Reason: v1alpha1.ReasonBuildCancelled, Message: "cancelled"},
		},
		"TimedOut": {
			reason: "the time-out names the field",
			run:    newRun(corev1.ConditionFalse, "PipelineRunTimeout", "failed to finish within \"1m0s\""),
			tasks:  tasks{taskInspect: newTask(corev1.ConditionFalse, "TaskRunTimeout", "")},
			want:   want{Stage: v1alpha1.StageImporting, Finished: true, Reason: v1alpha1.ReasonBuildTimeout, Message: "spec.timeout"},
		},
		"PodSecurity": {
			reason: "the setting to change is named",
			run:    failedRun(),
			tasks: tasks{taskInspect: newTask(corev1.ConditionFalse, tektonPodAdmissionFailed,
				`pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`)},
			want: want{
				Stage: v1alpha1.StageImporting, Finished: true, Retry: true,
				Reason: v1alpha1.ReasonPodSecurityViolation, Message: `set "set-security-context" to "true"`,
			},
		},
		"PullUnauthorized": {
			reason: "the kubelet's words are told apart",
			run:    failedRun(),
			tasks: tasks{taskInspect: inspected(), taskValidate: newTask(corev1.ConditionFalse, "TaskRunImagePullFailed",
				"the step \"look\" failed to pull the image: 401 Unauthorized")},
			want: want{Stage: v1alpha1.StageValidating, Finished: true, Image: testDigest, Reason: v1alpha1.ReasonImagePullUnauthorized, Message: "401"},
		},
		"PodLost": {
			reason: "a pod that is gone is the platform's failure",
			run:    failedRun(),
			tasks:  tasks{taskInspect: newTask(corev1.ConditionFalse, "Failed", `pod "x" not found`)},
			want:   want{Stage: v1alpha1.StageImporting, Finished: true, Reason: v1alpha1.ReasonNodeLost, Message: "was lost", Retry: true},
		},
		"Unschedulable": {
			reason: "what keeps a pod from starting is told while it runs",
			run:    running(),
			tasks:  tasks{taskInspect: newTask(corev1.ConditionUnknown, tektonExceededNodeResources, "TaskRun Pod exceeded\navailable resources")},
			want:   want{Stage: v1alpha1.StageImporting, Stuck: "TaskRun Pod exceeded available resources"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := observe(tc.run, tc.tasks, validate.Policy{MinimumPython: "3.8"}, testNow.Add(tc.later))
			got := want{Stage: o.stage, Finished: o.finished, Cancel: o.cancel, Stuck: o.stuck, Image: o.image, Again: o.lookAgain}
			if o.failure != nil {
				got.Reason, got.Retry = o.failure.reason, o.failure.transient()
				if strings.Contains(o.failure.message, tc.want.Message) {
					got.Message = tc.want.Message
				} else {
					got.Message = o.failure.message
				}
			}
			for _, check := range o.checks {
				got.Checks = append(got.Checks, check.Check)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
