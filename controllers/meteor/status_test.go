package meteor

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditionstest"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

const hub = v1alpha1.PipelineJupyterHub

func TestSetStatus(t *testing.T) {
	waits := outcome.Wait(v1alpha1.ReasonBuilding, "It runs", 0)
	fails := outcome.Stall(v1alpha1.ReasonBuildFailed, errors.New("It broke"))
	cases := map[string]struct {
		reason  string
		parts   []*part
		err     error
		phase   v1alpha1.MeteorPhase
		stage   v1alpha1.MeteorStage
		ready   string
		message string
	}{
		"AllGood": {
			reason: "all pipelines have succeeded",
			parts:  []*part{{name: hub}, {name: "other", runName: "r"}},
			phase:  v1alpha1.MeteorSucceeded, stage: v1alpha1.MeteorStage{Succeeded: []string{hub, "other"}},
			ready: v1alpha1.ReasonSucceeded, message: "All pipelines have succeeded",
		},
		"OneRuns": {
			reason: "what runs decides as long as it does",
			parts:  []*part{{name: hub, err: fails}, {name: "other", err: waits}},
			phase:  v1alpha1.MeteorBuilding, stage: v1alpha1.MeteorStage{Running: []string{"other"}, Failed: []string{hub}},
			ready: v1alpha1.ReasonBuilding, message: "Pipeline jupyterhub: It broke; pipeline other: It runs",
		},
		"OneFailed": {
			reason: "what has succeeded beside a failure is told",
			parts:  []*part{{name: hub}, {name: "other", err: fails}},
			phase:  v1alpha1.MeteorFailed, stage: v1alpha1.MeteorStage{Succeeded: []string{hub}, Failed: []string{"other"}},
			ready: v1alpha1.ReasonBuildFailed, message: "Pipeline other: It broke; what has succeeded can be used: jupyterhub",
		},
		"Unexpected": {
			reason: "what is unexpected is tried again",
			parts:  []*part{{name: hub, err: errors.New("no answer")}},
			phase:  v1alpha1.MeteorBuilding, stage: v1alpha1.MeteorStage{Running: []string{hub}},
			ready: v1alpha1.ReasonProgressingWithRetry, message: "Pipeline jupyterhub: No answer",
		},
		"PassFailed": {
			reason: "an error after the parts does not hide them",
			parts:  []*part{{name: hub}}, err: errors.New("cannot delete"),
			phase: v1alpha1.MeteorBuilding, stage: v1alpha1.MeteorStage{Succeeded: []string{hub}},
			ready: v1alpha1.ReasonProgressingWithRetry, message: "Cannot delete",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newMeteor("m", 0)
			// A pipeline that was in the list before.
			obj.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPipelinePrefix + "old", Status: metav1.ConditionTrue, Reason: "Any"}}
			s := &scope{obj: obj, before: obj.DeepCopy(), parts: c.parts, err: c.err, reconciled: true}
			setStatus(s, testclock.NewFakePassiveClock(born))
			conditionstest.Check(t, obj)
			ready := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady)
			if obj.Status.Phase != c.phase || ready.Reason != c.ready || ready.Message != c.message {
				t.Errorf("%s: phase %s, Ready is %+v", c.reason, obj.Status.Phase, ready)
			}
			if diff := cmp.Diff(c.stage, obj.Status.Stage); diff != "" {
				t.Errorf("%s: stage (-want +got):\n%s", c.reason, diff)
			}
			if meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionPipelinePrefix+"old") != nil {
				t.Error("the condition of a pipeline that is not in the list stays")
			}
			if observed := obj.Status.ObservedGeneration == obj.Generation; observed != (c.phase != v1alpha1.MeteorBuilding) {
				t.Errorf("observed: %v", observed)
			}
		})
	}
}

// A pass that ends before its parts were looked at says nothing about them.
func TestStatusOfABrokenPass(t *testing.T) {
	obj := newMeteor("m", 0)
	obj.Status.Phase = v1alpha1.MeteorSucceeded
	s := &scope{obj: obj, before: obj.DeepCopy(), parts: []*part{{name: hub}}, err: errors.New("cannot list")}
	setStatus(s, testclock.NewFakePassiveClock(born))
	conditionstest.Check(t, obj)
	if len(obj.Status.Pipelines) > 0 || obj.Status.Phase != v1alpha1.MeteorBuilding {
		t.Errorf("status is %+v", obj.Status)
	}
}
