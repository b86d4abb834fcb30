// Package outcome gives the ways in which a phase of a reconciler ends a type each, and turns them into what
// controller-runtime wants to hear.
//
// A phase returns nil when it is done, Wait when something else has to happen first, Stall when the user has to act,
// and any other error when trying again may help.
package outcome

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Waiting says that something else has to happen before the object can go on.
type Waiting struct {
	// Reason is the condition's reason.
	Reason string
	// Message is the condition's message.
	Message string
	// After is when to look again; zero when a watch will wake the object.
	After time.Duration
}

// Error implements error.
func (w *Waiting) Error() string { return w.Message }

// Stalled says that nothing will change until the user acts.
type Stalled struct {
	// Reason is the condition's reason.
	Reason string
	// Err is the cause, whose text is the condition's message.
	Err error
}

// Error implements error.
func (s *Stalled) Error() string { return s.Err.Error() }

// Unwrap returns the cause.
func (s *Stalled) Unwrap() error { return s.Err }

// Wait returns an error which says that something else has to happen first. The object is looked at again after the
// given time; zero leaves that to a watch.
func Wait(reason, msg string, after time.Duration) error {
	return &Waiting{Reason: reason, Message: msg, After: after}
}

// Stall returns an error which says that the user has to act because of err.
func Stall(reason string, err error) error {
	return &Stalled{Reason: reason, Err: err}
}

// AsWait returns the first Waiting in err's tree.
func AsWait(err error) (*Waiting, bool) {
	var w *Waiting
	ok := errors.As(err, &w)
	return w, ok
}

// AsStall returns the first Stalled in err's tree.
func AsStall(err error) (*Stalled, bool) {
	var s *Stalled
	ok := errors.As(err, &s)
	return s, ok
}

// Result is what Reconcile returns for err. In a joined error whatever may be retried decides, then the earliest
// time to look again. A stall is not an error of the operator's, so that it is neither logged nor retried: it is the
// object's conditions that tell. Nor is the refusal to make anything in a namespace that is being deleted: the object
// goes too.
func Result(err error) (ctrl.Result, error) {
	var res ctrl.Result
	for _, leaf := range leaves(err) {
		switch e := leaf.(type) { //nolint:errorlint // leaves wrap nothing
		case *Waiting:
			if e.After > 0 && (res.RequeueAfter == 0 || e.After < res.RequeueAfter) {
				res.RequeueAfter = e.After
			}
		case *Stalled:
		default:
			if !apierrors.HasStatusCause(leaf, corev1.NamespaceTerminatingCause) {
				return ctrl.Result{}, err
			}
		}
	}
	return res, nil
}

// Earliest is the shortest of some times to wait, of which zero means for ever.
func Earliest(waits ...time.Duration) time.Duration {
	var first time.Duration
	for _, d := range waits {
		if d > 0 && (first == 0 || d < first) {
			first = d
		}
	}
	return first
}

// leaves takes err apart down to the outcomes and the errors that hold none.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	switch err.(type) { //nolint:errorlint // the tree is taken apart here
	case *Waiting, *Stalled:
		return []error{err}
	}
	switch e := err.(type) { //nolint:errorlint // the tree is taken apart here
	case interface{ Unwrap() []error }:
		var all []error
		for _, inner := range e.Unwrap() {
			all = append(all, leaves(inner)...)
		}
		return all
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return leaves(inner)
		}
	}
	return []error{err}
}
