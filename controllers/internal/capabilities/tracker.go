// Package capabilities tells which kinds that are not the operator's own the cluster offers, follows them as they come
// and go, and keeps the watches on them in step.
//
// Kinds are looked for by asking discovery now and then, one request a group version. An answer that can't be had
// changes nothing.
package capabilities

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
)

// The kinds that the operator can do without.
var (
	// Pipeline stands for Tekton Pipelines.
	Pipeline = schema.GroupVersionKind{Group: "tekton.dev", Version: "v1", Kind: "Pipeline"}
	// Task is Tekton's.
	Task = schema.GroupVersionKind{Group: "tekton.dev", Version: "v1", Kind: "Task"}
	// PipelineRun is Tekton's.
	PipelineRun = schema.GroupVersionKind{Group: "tekton.dev", Version: "v1", Kind: "PipelineRun"}
	// TaskRun is Tekton's.
	TaskRun = schema.GroupVersionKind{Group: "tekton.dev", Version: "v1", Kind: "TaskRun"}
	// ImageStream is OpenShift's.
	ImageStream = schema.GroupVersionKind{Group: "image.openshift.io", Version: "v1", Kind: "ImageStream"}
	// Route is OpenShift's.
	Route = schema.GroupVersionKind{Group: "route.openshift.io", Version: "v1", Kind: "Route"}
	// SecurityContextConstraints stands for OpenShift's way of choosing the user of a pod.
	SecurityContextConstraints = schema.GroupVersionKind{Group: "security.openshift.io", Version: "v1", Kind: "SecurityContextConstraints"}
)

const (
	defaultPeriod = 10 * time.Second
	lookTimeout   = 5 * time.Second
)

// Tracker follows the kinds that it was told about with When or New.
type Tracker struct {
	discovery discovery.DiscoveryInterface
	period    time.Duration
	log       logr.Logger

	// looking keeps looks apart.
	looking sync.Mutex

	mu          sync.RWMutex
	present     map[schema.GroupVersionKind]bool
	known       map[schema.GroupVersion]bool
	failing     map[schema.GroupVersion]bool
	hooks       []*hook
	subscribers map[int]func()
	next        int
}

// hook is what happens when a kind comes and goes.
type hook struct {
	gvk      schema.GroupVersionKind
	appeared func(context.Context) error
	gone     func(context.Context)
	active   bool
	failing  bool
}

// Option changes how a Tracker works.
type Option func(*Tracker)

// Every sets how long the tracker waits between two looks.
func Every(period time.Duration) Option { return func(t *Tracker) { t.period = period } }

// New returns a Tracker that follows the kinds above. Nothing is known before the first Look.
func New(cfg *rest.Config, hc *http.Client, opts ...Option) (*Tracker, error) {
	d, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, hc)
	if err != nil {
		return nil, fmt.Errorf("cannot make a discovery client: %w", err)
	}
	t := &Tracker{
		discovery:   d,
		period:      defaultPeriod,
		log:         ctrl.Log.WithName("capabilities"),
		present:     map[schema.GroupVersionKind]bool{},
		known:       map[schema.GroupVersion]bool{},
		failing:     map[schema.GroupVersion]bool{},
		subscribers: map[int]func(){},
	}
	for _, gvk := range []schema.GroupVersionKind{
		Pipeline, Task, PipelineRun, TaskRun, ImageStream, Route, SecurityContextConstraints,
	} {
		t.present[gvk] = false
	}
	for _, o := range opts {
		o(t)
	}
	return t, nil
}

// Has tells whether the cluster offers the kind and every hook on it has run.
func (t *Tracker) Has(gvk schema.GroupVersionKind) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.present[gvk]
}

// HasTekton tells whether pipelines can be run.
func (t *Tracker) HasTekton() bool { return t.Has(Pipeline) && t.Has(PipelineRun) && t.Has(TaskRun) }

// HasImageStreams tells whether images can be offered as ImageStreams.
func (t *Tracker) HasImageStreams() bool { return t.Has(ImageStream) }

// HasRoutes tells whether Services can be made reachable by Routes.
func (t *Tracker) HasRoutes() bool { return t.Has(Route) }

// IsOpenShift tells whether security context constraints choose the user that a pod runs as.
func (t *Tracker) IsOpenShift() bool { return t.Has(SecurityContextConstraints) }

// Known tells whether it was ever answered if the cluster offers the kind, and every hook on it has run if it does. Until
// then Has says no: an API that another server answers for, as ImageStreams are, may be there and not be reached.
func (t *Tracker) Known(gvk schema.GroupVersionKind) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.known[gvk.GroupVersion()]
}

// Unanswered are the group versions of those of the kinds that are not Known.
func (t *Tracker) Unanswered(kinds ...schema.GroupVersionKind) []string {
	var names []string
	for _, gvk := range kinds {
		if name := gvk.GroupVersion().String(); !t.Known(gvk) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// When has appeared called when the kind comes and gone when it goes. A kind that is there already has come: its hook
// is called at the next look, or by When itself if there was one. An appeared that fails is called again at the next
// look, and Has says no until it has succeeded.
func (t *Tracker) When(ctx context.Context, gvk schema.GroupVersionKind, appeared func(context.Context) error, gone func(context.Context)) error {
	t.looking.Lock()
	defer t.looking.Unlock()

	h := &hook{gvk: gvk, appeared: appeared, gone: gone}
	t.mu.Lock()
	t.hooks = append(t.hooks, h)
	present := t.present[gvk]
	t.present[gvk] = present
	t.mu.Unlock()
	if !present {
		return nil
	}
	h.active = true
	return appeared(ctx)
}

// Subscribe has fn called after anything has come or gone, until the returned function is called.
func (t *Tracker) Subscribe(fn func()) (cancel func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.next
	t.next++
	t.subscribers[id] = fn
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.subscribers, id)
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: a replica that waits to lead knows the cluster too.
func (t *Tracker) NeedLeaderElection() bool { return false }

// Start looks again and again until ctx ends.
func (t *Tracker) Start(ctx context.Context) error {
	tick := time.NewTicker(t.period)
	defer tick.Stop()
	for {
		t.Look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look asks discovery once, and runs the hooks and subscribers for what has changed.
func (t *Tracker) Look(ctx context.Context) {
	t.looking.Lock()
	defer t.looking.Unlock()

	changed := false
	for gv, kinds := range t.tracked() {
		served, err := t.served(ctx, gv)
		if t.noteFailure(gv, err); err != nil {
			continue
		}
		usable := true
		for _, gvk := range kinds {
			has, ok := t.settle(ctx, gvk, served[gvk.Kind])
			changed, usable = changed || has, usable && ok
		}
		if usable && t.markKnown(gv) {
			changed = true
		}
	}
	if !changed {
		return
	}
	for _, fn := range t.listeners() {
		fn()
	}
}

func (t *Tracker) tracked() map[schema.GroupVersion][]schema.GroupVersionKind {
	t.mu.RLock()
	defer t.mu.RUnlock()
	byVersion := map[schema.GroupVersion][]schema.GroupVersionKind{}
	for gvk := range t.present {
		byVersion[gvk.GroupVersion()] = append(byVersion[gvk.GroupVersion()], gvk)
	}
	return byVersion
}

func (t *Tracker) listeners() []func() {
	t.mu.RLock()
	defer t.mu.RUnlock()
	fns := make([]func(), 0, len(t.subscribers))
	for _, fn := range t.subscribers {
		fns = append(fns, fn)
	}
	return fns
}

// served lists the kinds of a group version; none where it is not served.
func (t *Tracker) served(ctx context.Context, gv schema.GroupVersion) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()

	var list metav1.APIResourceList
	err := t.discovery.RESTClient().Get().AbsPath("/apis", gv.Group, gv.Version).Do(ctx).Into(&list)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot discover %s: %w", gv, err)
	}
	kinds := make(map[string]bool, len(list.APIResources))
	for _, r := range list.APIResources {
		kinds[r.Kind] = true
	}
	return kinds, nil
}

// noteFailure logs that a group version can't be asked about once, not at every look.
func (t *Tracker) noteFailure(gv schema.GroupVersion, err error) {
	if err != nil && !t.failing[gv] {
		t.log.Info("Cannot tell whether an API is there; keeping what was known", "groupVersion", gv.String(), "cause", err.Error())
	}
	t.failing[gv] = err != nil
}

// settle brings one kind to the given state, and tells whether that changed anything and whether it could be done.
func (t *Tracker) settle(ctx context.Context, gvk schema.GroupVersionKind, served bool) (changed, ok bool) {
	if !served {
		return t.drop(ctx, gvk), true
	}
	for _, h := range t.hooksFor(gvk) {
		if h.active {
			continue
		}
		if err := h.appeared(ctx); err != nil {
			if !h.failing {
				t.log.Error(err, "Cannot use an API yet", "kind", gvk.String())
			}
			h.failing = true
			return false, false
		}
		h.active, h.failing = true, false
	}
	return t.mark(gvk, true), true
}

func (t *Tracker) drop(ctx context.Context, gvk schema.GroupVersionKind) bool {
	changed := t.mark(gvk, false)
	for _, h := range t.hooksFor(gvk) {
		if h.active {
			h.active = false
			h.gone(ctx)
		}
	}
	return changed
}

func (t *Tracker) hooksFor(gvk schema.GroupVersionKind) []*hook {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var found []*hook
	for _, h := range t.hooks {
		if h.gvk == gvk {
			found = append(found, h)
		}
	}
	return found
}

func (t *Tracker) markKnown(gv schema.GroupVersion) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.known[gv]
	t.known[gv] = true
	return !known
}

func (t *Tracker) mark(gvk schema.GroupVersionKind, present bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.present[gvk] == present {
		return false
	}
	t.present[gvk] = present
	t.log.Info("The cluster's APIs have changed", "kind", gvk.String(), "present", present)
	return true
}
