package cnbiconfig

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// maxFailing bounds the list of failing namespaces, as the API does.
const maxFailing = 10

const (
	messageNoTekton       = "Tekton Pipelines (tekton.dev/v1) is not installed in this cluster: install it, and everything goes on by itself"
	messageNoImageStreams = "The cluster has no ImageStreams: images are offered by their reference in the status alone"
	messageNoRoutes       = "The cluster has no Routes"
	messageUnmanaged      = "The pipelines are left as they are, as spec.managementState asks"
	messageRemoved        = "The pipelines are taken away from all namespaces, as spec.managementState asks"
)

// setStatus sets the whole status from what is known.
func (r *Reconciler) setStatus(s *scope) {
	st := &s.obj.Status
	st.Offers = s.offers
	if s.err == nil {
		st.Namespaces = s.count()
		st.Revision = s.revision
	}
	if _, stalled := outcome.AsStall(s.err); stalled || s.err == nil && s.unseen() == 0 {
		st.ObservedGeneration = s.obj.Generation
	}
	set := conditions.On(&st.Conditions, s.obj.Generation, r.clock)
	setOffers(set, s)
	setNamespacesReady(set, s)
	setReady(set, s)
}

// count counts the namespaces by how they stand.
func (s *scope) count() v1alpha1.NamespacesStatus {
	var st v1alpha1.NamespacesStatus
	for _, ns := range s.namespaces {
		e := s.ledger[ns]
		switch {
		case e.state == stateFailed:
			st.Failed++
			if len(st.Failing) < maxFailing {
				st.Failing = append(st.Failing, v1alpha1.FailingNamespace{Name: ns, Message: e.message})
			}
		case e.state == statePending, e.state == stateReady && !s.seen(ns), s.overlooked[ns]:
			st.Pending++
		case e.state == stateReady:
			st.Ready++
		}
	}
	return st
}

func setOffers(set conditions.Set, s *scope) {
	for _, o := range []struct {
		kind, absent, present, message string
		state                          v1alpha1.OfferState
	}{
		{
			kind: v1alpha1.ConditionTektonAvailable, state: s.offers.Tekton,
			present: "The cluster has Tekton Pipelines", absent: v1alpha1.ReasonTektonUnavailable, message: messageNoTekton,
		},
		{
			kind: v1alpha1.ConditionImageStreamsAvailable, state: s.offers.ImageStreams,
			present: "The cluster has ImageStreams", absent: v1alpha1.ReasonImageStreamsUnavailable, message: messageNoImageStreams,
		},
		{
			kind: v1alpha1.ConditionRoutesAvailable, state: s.offers.Routes,
			present: "The cluster has Routes", absent: v1alpha1.ReasonRoutesUnavailable, message: messageNoRoutes,
		},
	} {
		if o.state == v1alpha1.OfferAvailable {
			set.True(o.kind, v1alpha1.ReasonSucceeded, o.present)
			continue
		}
		set.False(o.kind, o.absent, o.message)
	}
}

func setNamespacesReady(set conditions.Set, s *scope) {
	const kind = v1alpha1.ConditionNamespacesReady
	n := s.obj.Status.Namespaces
	stall, stalled := outcome.AsStall(s.err)
	switch {
	case stalled:
		set.Unknown(kind, stall.Reason, capital(s.err.Error()))
	case s.err != nil:
		set.Unknown(kind, v1alpha1.ReasonProgressingWithRetry, capital(s.err.Error()))
	case s.obj.Spec.ManagementState == v1alpha1.StateUnmanaged:
		set.Unknown(kind, v1alpha1.ReasonUnmanaged, messageUnmanaged)
	case n.Failed > 0:
		set.False(kind, v1alpha1.ReasonNamespacesFailing, s.failingMessage())
	case n.Pending > 0 && s.obj.Spec.ManagementState != v1alpha1.StateRemoved && s.offers.Tekton != v1alpha1.OfferAvailable:
		set.False(kind, v1alpha1.ReasonTektonUnavailable, messageNoTekton)
	case n.Pending > 0 || s.unseen() > 0:
		set.False(kind, underWay(s.obj), s.pendingMessage())
	case s.obj.Spec.ManagementState == v1alpha1.StateRemoved:
		set.True(kind, v1alpha1.ReasonSucceeded, messageRemoved)
	default:
		set.True(kind, v1alpha1.ReasonSucceeded, readyMessage(n))
	}
}

// underWay is the reason while something is done in namespaces.
func underWay(config *v1alpha1.CNBiConfig) string {
	if config.Spec.ManagementState == v1alpha1.StateRemoved {
		return v1alpha1.ReasonRemoving
	}
	return v1alpha1.ReasonInstalling
}

func setReady(set conditions.Set, s *scope) {
	n := s.obj.Status.Namespaces
	state := s.obj.Spec.ManagementState
	stall, stalled := outcome.AsStall(s.err)
	switch {
	case stalled:
		set.Stalled(stall.Reason, capital(s.err.Error()))
	case s.err != nil:
		set.Reconciling(v1alpha1.ReasonProgressingWithRetry, capital(s.err.Error()))
	case state == v1alpha1.StateUnmanaged:
		set.Ready(v1alpha1.ReasonSucceeded, messageUnmanaged)
	case state == v1alpha1.StateRemoved && n.Failed+n.Pending == 0 && s.unseen() == 0:
		set.Ready(v1alpha1.ReasonSucceeded, messageRemoved)
	case state == v1alpha1.StateRemoved && n.Failed == 0:
		set.Reconciling(v1alpha1.ReasonRemoving, s.pendingMessage())
	case state == v1alpha1.StateRemoved:
		set.Reconciling(v1alpha1.ReasonNamespacesFailing, s.failingMessage())
	case s.offers.Tekton != v1alpha1.OfferAvailable:
		set.Reconciling(v1alpha1.ReasonTektonUnavailable, messageNoTekton)
	case s.obj.Spec.Publish.ImageStreams == v1alpha1.ImageStreamsAlways && s.offers.ImageStreams != v1alpha1.OfferAvailable:
		set.Reconciling(v1alpha1.ReasonImageStreamsUnavailable,
			"The cluster has no ImageStreams, and spec.publish.imageStreams is Always: set it to Auto, or wait for them")
	case n.Failed > 0:
		set.Reconciling(v1alpha1.ReasonNamespacesFailing, s.failingMessage())
	case s.wrong != nil:
		set.Reconciling(v1alpha1.ReasonSourceMissing, capital(s.wrong.Error()))
	case n.Pending > 0 || s.unseen() > 0:
		set.Reconciling(v1alpha1.ReasonInstalling, s.pendingMessage())
	default:
		set.Ready(v1alpha1.ReasonSucceeded, readyMessage(n))
	}
}

// failingMessage names the first namespace that fails, and why.
func (s *scope) failingMessage() string {
	n := s.obj.Status.Namespaces
	first := n.Failing[0]
	if s.obj.Spec.ManagementState == v1alpha1.StateRemoved {
		return fmt.Sprintf("The pipelines cannot be taken away from %s; %q: %s", namespaces(n.Failed), first.Name, first.Message)
	}
	return fmt.Sprintf("%d of %s cannot be given the pipelines; %q: %s",
		n.Failed, namespaces(n.Failed+n.Pending+n.Ready), first.Name, first.Message)
}

// pendingMessage names the first namespace that waits, and what it waits for.
func (s *scope) pendingMessage() string {
	n := s.obj.Status.Namespaces
	text := fmt.Sprintf("The pipelines are yet to reach %d of %s", n.Pending, namespaces(n.Pending+n.Ready))
	switch {
	case n.Pending == 0:
		return fmt.Sprintf("Looking at %s", namespaces(s.unseen()))
	case s.obj.Spec.ManagementState == v1alpha1.StateRemoved:
		text = fmt.Sprintf("The pipelines are yet to be taken away from %s", namespaces(n.Pending))
	}
	for _, ns := range s.namespaces {
		if e := s.ledger[ns]; e.state == statePending && e.message != "" {
			return fmt.Sprintf("%s; %q: %s", text, ns, e.message)
		}
	}
	return text
}

// namespaces counts in words.
func namespaces[N int | int32](n N) string {
	if n == 1 {
		return "1 namespace"
	}
	return fmt.Sprintf("%d namespaces", n)
}

func readyMessage(n v1alpha1.NamespacesStatus) string {
	switch n.Ready {
	case 0:
		return "No namespace needs the pipelines yet"
	case 1:
		return "The one namespace that needs the pipelines has them"
	}
	return fmt.Sprintf("All %d namespaces that need the pipelines have them", n.Ready)
}

// capital returns text with a capital first letter.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
