package customnbimage

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	testclock "k8s.io/utils/clock/testing"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// told is what a status says in short.
type told struct {
	Phase      v1alpha1.CustomNBImagePhase
	Stage      v1alpha1.CustomNBImageStage
	Ready      string
	Message    string
	Built      string
	Validated  string
	Published  string
	Stalled    bool
	Working    bool
	Generation int64
	Tag        string
	Result     v1alpha1.BuildResult
}

// pass does what Reconcile does with the facts, without a client.
func pass(s *scope) {
	if s.err == nil {
		setResult(s)
		s.err = conclude(nil, s) //nolint:staticcheck // no call is made
	}
	setStatus(s, testclock.NewFakePassiveClock(testNow))
}

func TestSetStatus(t *testing.T) {
	importing := observation{runName: "run", stage: v1alpha1.StageImporting, started: testNow, sourceName: testImage}
	validating := importing
	validating.stage, validating.image, validating.source = v1alpha1.StageValidating, testDigest, testDigest
	passed := validating
	passed.finished, passed.completed = true, testNow.Add(time.Minute)
	unfit := passed
	unfit.failure = &problem{reason: v1alpha1.ReasonValidationFailed, message: "Python not found"}
	unfit.checks = []validate.Finding{{Check: validate.CheckPython, Severity: validate.SeverityError, Message: "Python not found"}}
	down := importing
	down.finished, down.failure = true, &problem{reason: v1alpha1.ReasonRegistryUnavailable, message: "connection refused"}

	cases := map[string]struct {
		reason  string
		seen    *observation
		attempt int32
		streams bool
		err     error
		want    told
	}{
		"Waiting": {
			reason: "what must happen first is told", err: outcome.Wait(v1alpha1.ReasonTektonUnavailable, "No Tekton", 0),
			want: told{Phase: v1alpha1.PhasePending, Ready: v1alpha1.ReasonTektonUnavailable, Message: "No Tekton", Built: "Unknown", Validated: "Unknown", Published: "False", Working: true, Generation: -1},
		},
		"Suspended": {
			reason: "a suspended object is neither worked on nor stalled", err: outcome.Wait(v1alpha1.ReasonSuspended, "No build", 0),
			want: told{Phase: v1alpha1.PhasePending, Ready: v1alpha1.ReasonSuspended, Message: "No build", Built: "Unknown", Validated: "Unknown", Published: "False", Generation: -1},
		},
		"Unexpected": {
			reason: "an unexpected error is retried and told", err: errors.New("cannot read: timeout"),
			want: told{Phase: v1alpha1.PhasePending, Ready: v1alpha1.ReasonProgressingWithRetry, Message: "Cannot read: timeout", Built: "Unknown", Validated: "Unknown", Published: "False", Working: true, Generation: -1},
		},
		"Importing": {
			reason: "the stage is in the message", seen: &importing,
			want: told{Phase: v1alpha1.PhaseBuilding, Stage: v1alpha1.StageImporting, Ready: v1alpha1.ReasonImporting, Message: "Importing: looking for " + testImage, Built: "Unknown", Validated: "Unknown", Published: "False", Working: true, Generation: -1},
		},
		"Validating": {
			reason: "the image is known, its verdict is not", seen: &validating,
			want: told{Phase: v1alpha1.PhaseBuilding, Stage: v1alpha1.StageValidating, Ready: v1alpha1.ReasonValidating, Message: "Validating: waiting for the notebook to answer", Built: "True", Validated: "Unknown", Published: "False", Working: true, Generation: -1},
		},
		"Ready": {
			reason: "a good image is offered", seen: &passed, streams: true,
			want: told{Phase: v1alpha1.PhaseReady, Ready: v1alpha1.ReasonSucceeded, Message: "The image has started as a notebook and is offered", Built: "True", Validated: "True", Published: "True", Generation: 1, Tag: "notebook:1.2", Result: v1alpha1.BuildSucceeded},
		},
		"ReadyWithoutStreams": {
			reason: "without ImageStreams the reference is the product", seen: &passed,
			want: told{Phase: v1alpha1.PhaseReady, Ready: v1alpha1.ReasonSucceeded, Message: "The image has started as a notebook and is offered", Built: "True", Validated: "True", Published: "True", Generation: 1, Result: v1alpha1.BuildSucceeded},
		},
		"Unfit": {
			reason: "an image that fails validation is built, not validated and not offered", seen: &unfit, streams: true,
			want: told{Phase: v1alpha1.PhaseFailed, Ready: v1alpha1.ReasonValidationFailed, Message: "Python not found", Built: "True", Validated: "False", Published: "False", Stalled: true, Generation: 1, Result: v1alpha1.BuildFailed},
		},
		"Retrying": {
			reason: "the platform's failure is tried again", seen: &down,
			want: told{Phase: v1alpha1.PhaseBuilding, Ready: v1alpha1.ReasonRegistryUnavailable, Message: "connection refused; attempt 2 of 6 follows", Built: "False", Validated: "Unknown", Published: "False", Working: true, Generation: -1},
		},
		"GivenUp": {
			reason: "not for ever", seen: &down, attempt: 6,
			want: told{Phase: v1alpha1.PhaseFailed, Ready: v1alpha1.ReasonRetriesExhausted, Message: "RegistryUnavailable: connection refused; given up after 6 attempts: edit the object to try again", Built: "False", Validated: "Unknown", Published: "False", Stalled: true, Generation: 1, Result: v1alpha1.BuildFailed},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newObject()
			s := &scope{obj: obj, before: obj.DeepCopy(), seen: tc.seen, err: tc.err, streams: tc.streams}
			s.build = newBuild(obj)
			s.build.attempt = max(tc.attempt, 1)
			pass(s)
			if diff := cmp.Diff(tc.want, summary(s.obj)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}

			settled := &scope{obj: s.obj.DeepCopy(), before: s.obj.DeepCopy(), streams: tc.streams, build: s.build, settled: tc.want.Result != ""}
			if !settled.settled {
				return
			}
			first := streamFactsOf(s)
			pass(settled)
			if diff := cmp.Diff(s.obj.Status, settled.obj.Status); diff != "" {
				t.Errorf("a second pass changes something:\n%s", diff)
			}
			if diff := cmp.Diff(first, streamFactsOf(settled), cmp.AllowUnexported(streamFacts{}, offer{})); diff != "" {
				t.Errorf("a second pass would publish something else:\n%s", diff)
			}
		})
	}
}

func summary(obj *v1alpha1.CustomNBImage) (w told) {
	st := &obj.Status
	status := func(kind string) string {
		if c := meta.FindStatusCondition(st.Conditions, kind); c != nil {
			return string(c.Status)
		}
		return ""
	}
	ready := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionReady)
	w.Phase, w.Stage, w.Ready, w.Message = st.Phase, st.Stage, ready.Reason, ready.Message
	w.Built, w.Validated, w.Published = status(v1alpha1.ConditionImageBuilt), status(v1alpha1.ConditionImageValidated), status(v1alpha1.ConditionImagePublished)
	w.Stalled, w.Working = status(v1alpha1.ConditionStalled) == "True", status(v1alpha1.ConditionReconciling) == "True"
	w.Generation, w.Tag = st.ObservedGeneration, st.ImageStreamTag
	if len(st.Builds) > 0 {
		w.Result = st.Builds[0].Result
	}
	return w
}
