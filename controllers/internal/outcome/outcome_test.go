package outcome_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

var errBoom = errors.New("boom")

func TestResult(t *testing.T) {
	type want struct {
		result ctrl.Result
		err    error
	}
	cases := map[string]struct {
		reason string
		err    error
		want   want
	}{
		"Done":      {reason: "nil needs nothing more", err: nil},
		"Wait":      {reason: "a wait is looked at again", err: outcome.Wait("R", "m", time.Minute), want: want{result: ctrl.Result{RequeueAfter: time.Minute}}},
		"WaitWatch": {reason: "a wait without a time is woken by a watch", err: outcome.Wait("R", "m", 0)},
		"Stall":     {reason: "a stall is no error of the operator's", err: outcome.Stall("R", errBoom)},
		"Retry":     {reason: "any other error is retried", err: errBoom, want: want{err: errBoom}},
		"Terminating": {
			reason: "nothing is to be made in a namespace that is being deleted",
			err:    errors.Join(fmt.Errorf("cannot apply: %w", terminating()), outcome.Wait("R", "m", time.Second)),
			want:   want{result: ctrl.Result{RequeueAfter: time.Second}},
		},
		"Wrapped": {
			reason: "wrapping keeps the outcome",
			err:    fmt.Errorf("cannot do it: %w", outcome.Wait("R", "m", time.Second)),
			want:   want{result: ctrl.Result{RequeueAfter: time.Second}},
		},
		"JoinedEarliest": {
			reason: "the earliest time wins",
			err:    errors.Join(outcome.Wait("R", "m", time.Hour), outcome.Wait("R", "m", time.Second), outcome.Wait("R", "m", 0)),
			want:   want{result: ctrl.Result{RequeueAfter: time.Second}},
		},
		"JoinedRetry": {
			reason: "an error that may be retried beats a stall",
			err:    errors.Join(outcome.Stall("R", errors.New("user")), errBoom),
			want:   want{err: errBoom},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := outcome.Result(tc.err)
			if !errors.Is(err, tc.want.err) {
				t.Errorf("\n%s\nerror: want %v, got %v", tc.reason, tc.want.err, err)
			}
			if diff := cmp.Diff(tc.want.result, got); diff != "" {
				t.Errorf("\n%s\nresult: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// terminating is what the API server answers to a creation in a namespace that is being deleted.
func terminating() error {
	err := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New("being terminated"))
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	return err
}

func TestAccessors(t *testing.T) {
	joined := errors.Join(fmt.Errorf("cannot wait: %w", outcome.Wait("Waits", "w", 0)), outcome.Stall("Stalls", errBoom))
	if w, ok := outcome.AsWait(joined); !ok || w.Reason != "Waits" {
		t.Errorf("AsWait: got %v, %v", w, ok)
	}
	s, ok := outcome.AsStall(joined)
	if !ok || s.Reason != "Stalls" || !errors.Is(s, errBoom) {
		t.Errorf("AsStall: got %v, %v", s, ok)
	}
	if _, ok := outcome.AsStall(errBoom); ok {
		t.Error("AsStall: a plain error is no stall")
	}
}
