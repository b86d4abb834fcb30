package meteor

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// born is when all Meteors of the tests were created.
var born = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// newMeteor is a Meteor whose ttl is left out where it is negative.
func newMeteor(name string, ttl int64, pipelines ...string) *v1alpha1.Meteor {
	m := &v1alpha1.Meteor{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: types.UID("uid-of-" + name), Generation: 1, CreationTimestamp: metav1.NewTime(born)},
		Spec:       v1alpha1.MeteorSpec{URL: "https://git.example/org/repo", Pipelines: pipelines},
	}
	if ttl >= 0 {
		m.Spec.TTL = ptr.To(ttl)
	}
	return m
}
