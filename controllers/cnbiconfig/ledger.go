package cnbiconfig

import (
	"maps"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// state is how a namespace stands.
type state int

const (
	// stateNone is a namespace that gets nothing and has nothing.
	stateNone state = iota
	statePending
	stateReady
	stateFailed
)

// entry is what the namespace's own queue entry found last.
type entry struct {
	state      state
	message    string
	uid        types.UID
	generation int64
	// bundle is the ID of what the namespace was to have.
	bundle string
	// usable are the pipelines that can be used, with all that they need, joined by commas.
	usable string
	// unselected is true where the selector of mode Selected leaves the namespace out.
	unselected bool
	// absent is true of a namespace that was found not to be there, or about to go.
	absent bool
}

// about tells whether the entry speaks of config as it is now, and of the bundle that namespaces are to have.
func (e entry) about(config *v1alpha1.CNBiConfig, bundle string) bool {
	return e.uid == config.UID && e.generation == config.Generation && (e.bundle == "" || e.bundle == bundle)
}

// offers tells whether a pipeline can be used.
func (e entry) offers(pipeline string) bool {
	for name := range strings.SplitSeq(e.usable, ",") {
		if name == pipeline {
			return true
		}
	}
	return false
}

// ledger holds how each namespace stands. It is written by the namespaces' queue entries and read for the status, and
// by builds that are about to start.
type ledger struct {
	mu        sync.Mutex
	entries   map[string]entry
	listeners []func(change)
}

// change is what has changed in the ledger.
type change struct {
	namespace string
	// pipelines is true when other pipelines can be used than before, or none for another reason.
	pipelines bool
}

func newLedger() *ledger { return &ledger{entries: map[string]entry{}} }

// set notes how a namespace stands.
func (l *ledger) set(namespace string, e entry) {
	l.mu.Lock()
	old, ok := l.entries[namespace]
	l.entries[namespace] = e
	l.mu.Unlock()
	if !ok || old != e {
		l.notify(change{namespace: namespace, pipelines: old.usable != e.usable || old.bundle != e.bundle || old.uid != e.uid || old.unselected != e.unselected})
	}
}

// forget drops a namespace that is none of ours.
func (l *ledger) forget(namespace string) {
	l.mu.Lock()
	_, ok := l.entries[namespace]
	delete(l.entries, namespace)
	l.mu.Unlock()
	if ok {
		l.notify(change{namespace: namespace})
	}
}

func (l *ledger) get(namespace string) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[namespace]
}

func (l *ledger) snapshot() map[string]entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.entries)
}

// subscribe has fn called after each change.
func (l *ledger) subscribe(fn func(change)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners = append(l.listeners, fn)
}

func (l *ledger) notify(c change) {
	l.mu.Lock()
	listeners := l.listeners
	l.mu.Unlock()
	for _, fn := range listeners {
		fn(c)
	}
}
