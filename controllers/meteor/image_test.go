package meteor

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// The CustomNBImage's condition is the pipeline's.
func TestImageOutcome(t *testing.T) {
	type stands struct{ kind, reason string }
	cases := map[string]struct {
		reason  string
		status  metav1.ConditionStatus
		stalled bool
		told    string
		applied bool
		of      int64
		want    stands
		ready   string
	}{
		"Ready":   {"an image that is ready is a success", metav1.ConditionTrue, false, v1alpha1.ReasonSucceeded, false, 1, stands{}, "True"},
		"Builds":  {"one that builds is waited for", metav1.ConditionFalse, false, v1alpha1.ReasonResolving, false, 1, stands{"Wait", v1alpha1.ReasonResolving}, ""},
		"Failed":  {"one that failed fails for the same reason", metav1.ConditionFalse, true, v1alpha1.ReasonPackageNotFound, false, 1, stands{"Stall", v1alpha1.ReasonPackageNotFound}, "False"},
		"Edited":  {"what was told of an older version does not count", metav1.ConditionTrue, false, v1alpha1.ReasonSucceeded, false, 0, stands{"Wait", v1alpha1.ReasonPreparing}, ""},
		"Applied": {"nor what was told before something else was asked for", metav1.ConditionTrue, false, v1alpha1.ReasonSucceeded, true, 1, stands{"Wait", v1alpha1.ReasonPreparing}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			image := &v1alpha1.CustomNBImage{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
			add := func(kind string, status metav1.ConditionStatus) {
				meta.SetStatusCondition(&image.Status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: c.told, Message: "Any", ObservedGeneration: c.of})
			}
			add(v1alpha1.ConditionReady, c.status)
			if c.stalled {
				add(v1alpha1.ConditionStalled, metav1.ConditionTrue)
			}
			p := &part{name: hub, ready: "True"}
			err := imageOutcome(&scope{obj: newMeteor("m", 0), parts: []*part{p}}, p, image, c.applied)
			got := stands{}
			if wait, ok := outcome.AsWait(err); ok {
				got = stands{"Wait", wait.Reason}
			}
			if stall, ok := outcome.AsStall(err); ok {
				got = stands{"Stall", stall.Reason}
			}
			if got != c.want || p.ready != c.ready {
				t.Errorf("%s: %+v, ready %q", c.reason, got, p.ready)
			}
		})
	}
}

// The commit that a look compares with is never overwritten by the CustomNBImage's.
func TestCommitOfTheImage(t *testing.T) {
	refresh := &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshOnSourceChange}
	cases := map[string]struct {
		pipelines []string
		refresh   *v1alpha1.RefreshSpec
		want      string
	}{
		"Alone":      {[]string{hub}, refresh, "image"},
		"WithBook":   {[]string{hub, bookName}, nil, "last"},
		"WithOther":  {[]string{hub, "other"}, nil, "image"},
		"OtherLooks": {[]string{hub, "other"}, refresh, "last"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newMeteor("m", 0)
			obj.Spec.Refresh, obj.Status.GitCommit = c.refresh, "last"
			s := &scope{obj: obj}
			for _, name := range c.pipelines {
				s.parts = append(s.parts, &part{name: name})
			}
			image := &v1alpha1.CustomNBImage{Status: v1alpha1.CustomNBImageStatus{GitCommit: "image"}}
			meta.SetStatusCondition(&image.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded})
			if err := imageOutcome(s, s.parts[0], image, false); err != nil || obj.Status.GitCommit != c.want {
				t.Errorf("the commit is of %s, want %s: %v", obj.Status.GitCommit, c.want, err)
			}
		})
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{"": "Unknown", "it broke.": "It broke", "écrire a\nb": "Écrire a b", "A": "A"} {
		if got := sentence(text); got != want {
			t.Errorf("sentence(%q) = %q, want %q", text, got, want)
		}
	}
}
