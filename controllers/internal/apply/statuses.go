package apply

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Statuses writes the statuses of one controller's objects. It remembers what each object looked like before the last
// write, so that a cache that has not seen that write yet causes no second one.
type Statuses struct {
	client client.Client
	owner  client.FieldOwner

	mu sync.Mutex
	// last holds, by object, the version on which the last write was based.
	last map[types.UID]string
}

// NewStatuses returns a Statuses that writes as owner.
func NewStatuses(c client.Client, owner client.FieldOwner) *Statuses {
	return &Statuses{client: c, owner: owner, last: map[types.UID]string{}}
}

// Stale tells whether obj, as read from the cache, is older than the last status written for it. A reconciler that
// asks first does not act on what it knows to be out of date.
func (s *Statuses) Stale(obj client.Object) bool { return s.behind(obj) }

// Forget drops what is known of an object that is gone.
func (s *Statuses) Forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, uid)
}

func (s *Statuses) behind(obj client.Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.last[obj.GetUID()]
	if !ok {
		return false
	}
	if last == obj.GetResourceVersion() {
		return true
	}
	delete(s.last, obj.GetUID())
	return false
}

// wrote notes a write, unless it changed nothing: then no newer version will come.
func (s *Statuses) wrote(before client.Object, version string) {
	if version == before.GetResourceVersion() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[before.GetUID()] = before.GetResourceVersion()
}
