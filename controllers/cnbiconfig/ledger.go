package cnbiconfig

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// state is how a namespace stands.
type state int

const (
	statePending state = iota
	stateReady
	stateFailed
)

// entry is what the namespace's own queue entry found last.
type entry struct {
	state      state
	message    string
	uid        types.UID
	generation int64
}

// about tells whether the entry speaks of config as it is now.
func (e entry) about(config *v1alpha1.CNBiConfig) bool {
	return e.uid == config.UID && e.generation == config.Generation
}

// ledger holds how each namespace stands. It is written by the namespaces' queue entries and read for the status.
type ledger struct {
	mu        sync.Mutex
	entries   map[string]entry
	listeners []func()
}

func newLedger() *ledger { return &ledger{entries: map[string]entry{}} }

// set notes how a namespace stands.
func (l *ledger) set(namespace string, e entry) {
	l.mu.Lock()
	old, ok := l.entries[namespace]
	l.entries[namespace] = e
	l.mu.Unlock()
	if !ok || old != e {
		l.notify()
	}
}

// forget drops a namespace that is none of ours.
func (l *ledger) forget(namespace string) {
	l.mu.Lock()
	_, ok := l.entries[namespace]
	delete(l.entries, namespace)
	l.mu.Unlock()
	if ok {
		l.notify()
	}
}

func (l *ledger) snapshot() map[string]entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.entries)
}

// subscribe has fn called after each change.
func (l *ledger) subscribe(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners = append(l.listeners, fn)
}

func (l *ledger) notify() {
	l.mu.Lock()
	listeners := l.listeners
	l.mu.Unlock()
	for _, fn := range listeners {
		fn()
	}
}
