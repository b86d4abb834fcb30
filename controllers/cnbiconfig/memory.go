package cnbiconfig

import (
	"maps"
	"time"

	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// settleFor is how long the caches may take to show what was written before it is written again.
const settleFor = 5 * time.Second

// memory is what is known of a namespace from one pass to the next. One pass at a time uses it.
type memory struct {
	// at is when something was written last.
	at time.Time
	// before holds which version the caches showed of an object when it was written. As long as they show it still,
	// the object is taken for what it was made.
	before map[install.Key]string
	// idleSince is when the namespace was first seen without anything that needs pipelines.
	idleSince time.Time
	// strifes are about objects that were written to be the same again and again.
	strifes map[install.Key]strife
}

// strife is how often an object was written of late to be the same.
type strife struct {
	revision string
	writes   int
	last     time.Time
}

const (
	// peaceable is how often an object is put right without a pause.
	peaceable = 5
	// forgiveAfter is after what time, besides the pause, an object's past is forgotten.
	forgiveAfter = 10 * time.Second
)

// pause is how long the object must be left alone after it was written last. Without it, another program that wants
// the object otherwise, such as the manager of a second installation, would have the two write without end.
func (s strife) pause() time.Duration {
	if s.writes < peaceable {
		return 0
	}
	return min(time.Second<<min(s.writes-peaceable, 20), lastRetry)
}

func (s strife) over(revision string, now time.Time) bool {
	return s.revision != revision || now.Sub(s.last) > s.pause()+forgiveAfter
}

// mayWrite tells for how long an object must still be left alone.
func (m *memory) mayWrite(o install.Object, now time.Time) time.Duration {
	s := m.strifes[o.Key]
	if s.over(o.Revision, now) {
		return 0
	}
	return max(0, s.last.Add(s.pause()).Sub(now))
}

// fought notes that an object is written.
func (m *memory) fought(o install.Object, now time.Time) {
	maps.DeleteFunc(m.strifes, func(_ install.Key, s strife) bool { return s.over(s.revision, now) })
	if m.strifes == nil {
		m.strifes = map[install.Key]strife{}
	}
	s := m.strifes[o.Key]
	if s.over(o.Revision, now) {
		s = strife{revision: o.Revision}
	}
	s.writes++
	s.last = now
	m.strifes[o.Key] = s
}

// wrote notes that an object was written. A write that left the version as it was changed nothing that could show.
func (m *memory) wrote(key install.Key, f found, version string, now time.Time) {
	before := f.version(key)
	if before == version {
		return
	}
	if m.before == nil {
		m.before = map[install.Key]string{}
	}
	m.before[key] = before
	m.at = now
}

// trusted are the objects that the caches show as they were before they were written, and when to trust in that no
// more; zero when there are none.
func (m *memory) trusted(f found, now time.Time) (map[install.Key]bool, time.Duration) {
	left := m.at.Add(settleFor).Sub(now)
	trusted := map[install.Key]bool{}
	for key, before := range m.before {
		if left <= 0 || f.version(key) != before {
			delete(m.before, key)
			continue
		}
		trusted[key] = true
	}
	if len(trusted) == 0 {
		m.before = nil
		return nil, 0
	}
	return trusted, left
}

// version is the version of what was found; empty when there is nothing.
func (f found) version(key install.Key) string {
	if meta, ok := f[key]; ok {
		return meta.ResourceVersion
	}
	return ""
}

// remember returns what is known of a namespace.
func (r *namespaceReconciler) remember(namespace string) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.memories[namespace]
	if !ok {
		m = &memory{}
		r.memories[namespace] = m
	}
	return m
}

// forget drops what is known of a namespace that is none of ours.
func (r *namespaceReconciler) forget(namespace string) {
	r.ledger.forget(namespace)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.memories, namespace)
}
