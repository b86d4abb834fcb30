package conditions_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
)

func TestSummary(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	at := metav1.NewTime(start.Truncate(time.Second))
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, ObservedGeneration: 3, Reason: reason, Message: "M", LastTransitionTime: at}
	}
	cases := map[string]struct {
		reason string
		set    func(conditions.Set)
		want   []metav1.Condition
	}{
		"Ready": {
			reason: "Ready excludes the other two",
			set:    func(s conditions.Set) { s.Reconciling("A", "M"); s.Ready("B", "M") },
			want:   []metav1.Condition{condition("Ready", metav1.ConditionTrue, "B")},
		},
		"Reconciling": {
			reason: "Reconciling replaces Stalled",
			set:    func(s conditions.Set) { s.Stalled("A", "M"); s.Reconciling("B", "M") },
			want: []metav1.Condition{
				condition("Ready", metav1.ConditionFalse, "B"), condition("Reconciling", metav1.ConditionTrue, "B"),
			},
		},
		"Stalled": {
			reason: "Stalled replaces Reconciling",
			set:    func(s conditions.Set) { s.Reconciling("A", "M"); s.Stalled("B", "M") },
			want: []metav1.Condition{
				condition("Ready", metav1.ConditionFalse, "B"), condition("Stalled", metav1.ConditionTrue, "B"),
			},
		},
		"NotReady": {
			reason: "an object left alone is only not ready",
			set:    func(s conditions.Set) { s.Reconciling("A", "M"); s.NotReady("B", "M") },
			want:   []metav1.Condition{condition("Ready", metav1.ConditionFalse, "B")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []metav1.Condition
			tc.set(conditions.On(&got, 3, testclock.NewFakePassiveClock(start)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTransitionTime(t *testing.T) {
	clk := testclock.NewFakePassiveClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	first := metav1.NewTime(clk.Now())
	var list []metav1.Condition
	conditions.On(&list, 1, clk).Ready("A", "M")
	clk.SetTime(clk.Now().Add(time.Hour))
	conditions.On(&list, 2, clk).Ready("B", "N")
	if got := list[0].LastTransitionTime; !got.Equal(&first) {
		t.Errorf("the same status does not turn: want %v, got %v", first, got)
	}
	conditions.On(&list, 2, clk).Stalled("C", "O")
	if got := list[0].LastTransitionTime; got.Equal(&first) {
		t.Error("another status turns")
	}
}

func TestMessage(t *testing.T) {
	cases := map[string]struct{ reason, in, want string }{
		"Plain":   {reason: "plain text stays", in: "Plain text", want: "Plain text"},
		"Lines":   {reason: "one line", in: " a\n---\tb\x00\u2028c ", want: "a --- b c"},
		"Invalid": {reason: "valid UTF-8", in: "a\xffb", want: "a\uFFFDb"},
		"Long":    {reason: "bounded", in: strings.Repeat("x", 2000), want: strings.Repeat("x", 1021) + "…"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, conditions.Message(tc.in)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	long := conditions.Message(strings.Repeat("ж", 2000))
	if len(long) > conditions.MaxMessage || !utf8.ValidString(long) {
		t.Errorf("a character is never cut: %d bytes, valid %v", len(long), utf8.ValidString(long))
	}
}
