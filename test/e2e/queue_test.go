//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"

	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// concurrency is how many builds may run at once in a namespace, so that a small machine bears the cases together.
const concurrency = 3

// queued has more builds than may run at once: those that are over wait, first come, first served.
func queued(t *testing.T) {
	u := newUser(t)
	var names []string
	for i := range concurrency + 2 {
		names = append(names, fmt.Sprintf("object-%d", i))
		u.create(u.packages(names[i], "meteor-of-nobody"))
		if i >= concurrency {
			says(t, u.untilReason(names[i], v1alpha1.ReasonQueuedBehind), v1alpha1.PhasePending, v1alpha1.ReasonQueuedBehind,
				fmt.Sprintf("Place %d in the queue", i-concurrency+1), u.namespace, fmt.Sprintf("%d builds may run at once", concurrency))
		} else {
			u.until(names[i], "has a run", func(obj *v1alpha1.CustomNBImage) bool { return obj.Status.PipelineRunName != "" })
		}
	}
	for _, name := range names {
		says(t, u.untilDone(name), v1alpha1.PhaseFailed, v1alpha1.ReasonPackageNotFound)
	}
	wantOrder(t, u, names)
}

// wantOrder checks that the runs began in the order of the names, and never more at once than may.
func wantOrder(t *testing.T, u *user, names []string) {
	t.Helper()
	events, _ := u.runs.seen()
	running := map[string]bool{}
	var order []string
	for _, e := range events {
		object := e.obj.Labels[v1alpha1.LabelCustomNBImage]
		if !slices.Contains(order, object) {
			order = append(order, object)
		}
		running[object] = !e.obj.IsDone() && e.kind != apiwatch.Deleted
		n := 0
		for _, is := range running {
			if is {
				n++
			}
		}
		if n > concurrency {
			t.Errorf("%d builds ran at once: %v", n, running)
		}
	}
	if !slices.Equal(order, names) {
		t.Errorf("the builds began in the order %v", order)
	}
}
