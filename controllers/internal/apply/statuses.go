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
	// last holds the version on which the last write for an object was based.
	last map[types.NamespacedName]version
}

// version is one version of one object: an object of the same name that comes later is another.
type version struct {
	uid     types.UID
	version string
}

// NewStatuses returns a Statuses that writes as owner.
func NewStatuses(c client.Client, owner client.FieldOwner) *Statuses {
	return &Statuses{client: c, owner: owner, last: map[types.NamespacedName]version{}}
}

// Stale tells whether obj, as read from the cache, is older than the last status written for it. A reconciler that
// asks first does not act on what it knows to be out of date.
func (s *Statuses) Stale(obj client.Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := client.ObjectKeyFromObject(obj)
	last, ok := s.last[key]
	if !ok {
		return false
	}
	if last == (version{obj.GetUID(), obj.GetResourceVersion()}) {
		return true
	}
	delete(s.last, key)
	return false
}

// Forget drops what is known of an object that is gone.
func (s *Statuses) Forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, key)
}

// wrote notes a write, unless it changed nothing: then no newer version will come.
func (s *Statuses) wrote(before client.Object, now string) {
	if now == before.GetResourceVersion() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[client.ObjectKeyFromObject(before)] = version{before.GetUID(), before.GetResourceVersion()}
}
