// Package conditions sets conditions so that the rules of kstatus hold: Ready is always there, Reconciling and Stalled
// are there only while they are True and never both, and a message is one bounded line.
package conditions

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
)

// The condition types of kstatus.
const (
	// Ready sums up.
	Ready = "Ready"
	// Reconciling is there while the operator works or waits.
	Reconciling = "Reconciling"
	// Stalled is there while nothing will change until the user acts.
	Stalled = "Stalled"
)

// MaxMessage bounds a message in bytes. The API's own bound is 32 KiB; nobody reads more than this.
const MaxMessage = 1024

const (
	ellipsis = "…"
	// timePrecision is that of a time on the wire, so that what is computed equals what is read back.
	timePrecision = time.Second
)

// Set sets conditions in a list.
type Set struct {
	list       *[]metav1.Condition
	generation int64
	clock      clock.PassiveClock
}

// On returns a Set for the conditions in list. They are said to be about the given generation, and what turns turns
// at the clock's time.
func On(list *[]metav1.Condition, generation int64, clk clock.PassiveClock) Set {
	return Set{list: list, generation: generation, clock: clk}
}

// True sets a condition to True.
func (s Set) True(kind, reason, msg string) { s.set(kind, metav1.ConditionTrue, reason, msg) }

// False sets a condition to False.
func (s Set) False(kind, reason, msg string) { s.set(kind, metav1.ConditionFalse, reason, msg) }

// Unknown sets a condition to Unknown.
func (s Set) Unknown(kind, reason, msg string) { s.set(kind, metav1.ConditionUnknown, reason, msg) }

// Remove removes a condition.
func (s Set) Remove(kind string) { meta.RemoveStatusCondition(s.list, kind) }

// Ready says that all is done.
func (s Set) Ready(reason, msg string) {
	s.True(Ready, reason, msg)
	s.Remove(Reconciling)
	s.Remove(Stalled)
}

// Reconciling says that the operator works or waits.
func (s Set) Reconciling(reason, msg string) {
	s.False(Ready, reason, msg)
	s.True(Reconciling, reason, msg)
	s.Remove(Stalled)
}

// Stalled says that nothing will change until the user acts.
func (s Set) Stalled(reason, msg string) {
	s.False(Ready, reason, msg)
	s.True(Stalled, reason, msg)
	s.Remove(Reconciling)
}

// NotReady says that the object is neither ready nor worked on, because someone wished it so.
func (s Set) NotReady(reason, msg string) {
	s.False(Ready, reason, msg)
	s.Remove(Reconciling)
	s.Remove(Stalled)
}

func (s Set) set(kind string, status metav1.ConditionStatus, reason, msg string) {
	meta.SetStatusCondition(s.list, metav1.Condition{
		Type:               kind,
		Status:             status,
		ObservedGeneration: s.generation,
		LastTransitionTime: s.turned(kind, status),
		Reason:             reason,
		Message:            Message(msg),
	})
}

// turned is when the condition got the given status: now, unless it has it already.
func (s Set) turned(kind string, status metav1.ConditionStatus) metav1.Time {
	if old := meta.FindStatusCondition(*s.list, kind); old != nil && old.Status == status {
		return old.LastTransitionTime
	}
	return metav1.NewTime(s.clock.Now().Truncate(timePrecision))
}

// Message makes text fit for a condition: one line of valid UTF-8 without control characters, of at most MaxMessage
// bytes.
func Message(text string) string { return Bound(text, MaxMessage) }

// Bound is Message with a bound of its own.
func Bound(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= limit {
		return text
	}
	end := max(limit-len(ellipsis), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
