package runs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func TestName(t *testing.T) {
	const build = "0123456789"
	cases := map[string]struct {
		reason  string
		prefix  string
		attempt int32
		want    string
	}{
		"First": {reason: "the first attempt has no number", prefix: "notebook", attempt: 1, want: "notebook-0123456789"},
		"Retry": {reason: "each attempt has its own name", prefix: "notebook", attempt: 3, want: "notebook-0123456789-r3"},
		"Long": {
			reason: "a long name is cut, and not at a dash", attempt: 1,
			prefix: strings.Repeat("x", 36) + "-" + strings.Repeat("y", 26), want: strings.Repeat("x", 36) + "-0123456789",
		},
		"LongRetry": {
			reason: "the number has its place", attempt: 12,
			prefix: strings.Repeat("x", 63), want: strings.Repeat("x", 33) + "-0123456789-r12",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Name(tc.prefix, build, tc.attempt)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// A look at a source has a name of its own, however alike the names of two objects are that are due at once.
func TestLookName(t *testing.T) {
	due := time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)
	name := func(last string) string {
		return LookName(&v1alpha1.Meteor{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("m", 60) + last, UID: types.UID("uid" + last)}}, due)
	}
	one, other := name("1"), name("2")
	if one == other {
		t.Errorf("two objects have look %q", one)
	}
	if errs := validation.IsDNS1123Subdomain(one); len(errs) > 0 || len(one) > 48 {
		t.Errorf("%q is no name of a run: %v", one, errs)
	}
}

func TestHash(t *testing.T) {
	type inputs struct {
		UID string `json:"uid"`
		Ref string `json:"ref,omitempty"`
	}
	// The name of a run that exists must not change with a newer operator: it would be built once more.
	if got, want := InputsHash(inputs{UID: "u"}), "1675a302c3"; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	if InputsHash(inputs{UID: "u"}) == InputsHash(inputs{UID: "u", Ref: "r"}) {
		t.Error("two builds have one hash")
	}
}

func TestRetryDelay(t *testing.T) {
	var got []time.Duration
	for attempt := int32(1); attempt <= 6; attempt++ {
		got = append(got, RetryDelay(attempt)/time.Second)
	}
	if diff := cmp.Diff([]time.Duration{10, 20, 40, 80, 160, 160}, got); diff != "" {
		t.Errorf("seconds (-want, +got):\n%s", diff)
	}
}

func TestMaxAttempts(t *testing.T) {
	for want, retries := range map[int32]*int32{6: nil, 1: ptr.To[int32](0), 3: ptr.To[int32](2)} {
		if got := MaxAttempts(&v1alpha1.BuildSpec{Retries: retries}); got != want {
			t.Errorf("want %d, got %d", want, got)
		}
	}
}

func TestWish(t *testing.T) {
	const last = "2025-12-31"
	cases := map[string]struct {
		reason string
		value  string
		want   string
	}{
		"Short": {reason: "a short value stays", value: "2026-01-01", want: "2026-01-01"},
		"None":  {reason: "taking the annotation off asks for nothing", want: last},
		"Bound": {reason: "as long as the status holds", value: strings.Repeat("x", 256), want: strings.Repeat("x", 256)},
		"Long": {
			reason: "longer than the status holds", value: strings.Repeat("x", 257),
			want: "15eb95a462ee20bd91a415ae2d4aed341288186ddaa2b37908f7d592f0c3f85f",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := &v1alpha1.Meteor{}
			if tc.value != "" {
				obj.ObjectMeta = metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationRebuild: tc.value}}
			}
			if diff := cmp.Diff(tc.want, Wish(obj, v1alpha1.AnnotationRebuild, last)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
