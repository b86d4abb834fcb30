// Command config measures how the operator keeps the pipelines right in many namespaces: a real kube-apiserver and etcd
// without kubelet, Tekton's own CRDs, and the manager as a process of its own, with the rights that config/default gives
// it. What is counted is counted in the API server's audit log. What it does goes to the error output; the figures come
// last, a line each:
//
//	figure NAME VALUE UNIT max|min BAR
//
// where BAR is - for a figure that has none. A figure that misses its bar is no error: these are no tests. The machine
// must have nothing else to do meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/meteor-zone/meteor-operator/test/bench/internal/apiserver"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/auditlog"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

const (
	// samples is how many namespaces come one by one.
	samples = 30
	// calm is how long nothing must happen for it to be called nothing.
	calm = 15 * time.Second
)

func main() {
	sizes := flag.String("namespaces", "10,100,1000", "how many namespaces to measure with, one after the other")
	foreign := flag.Int("foreign", 10000, "how many Secrets, ConfigMaps and PipelineRuns of others to have around, with the last number of namespaces")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	measured, err := run(ctx, *sizes, *foreign)
	stop()
	for _, f := range measured {
		fmt.Println(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-config:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sizes string, foreign int) ([]figures.Figure, error) {
	var counts []int
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("cannot read -namespaces: %q is no number of namespaces", text)
		}
		counts = append(counts, n)
	}
	var all []figures.Figure
	for i, n := range counts {
		m := &measuring{namespaces: n}
		last := 0
		if i == len(counts)-1 {
			last = foreign
		}
		err := m.run(ctx, last)
		all = append(all, m.figures...)
		if err != nil {
			return all, fmt.Errorf("with %d namespaces: %w", n, err)
		}
	}
	return all, nil
}

// measuring is one cluster of so many namespaces.
type measuring struct {
	namespaces int
	figures    []figures.Figure
	*world
}

func (m *measuring) run(ctx context.Context, foreign int) (err error) {
	if m.world, err = newWorld(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop()) }()
	m.say("%d namespaces", m.namespaces)
	if err := m.makeNamespaces(ctx, m.namespaces); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{m.installAll, m.oneMore, m.oneTask, m.nothing, m.resync, m.restart} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if foreign > 0 {
		return m.foreign(ctx, foreign)
	}
	return nil
}

func (m *measuring) add(name string, value float64, unit string, bar float64) {
	f := figures.Figure{Name: fmt.Sprintf("config_%s_%d", name, m.namespaces), Value: value, Unit: unit, Bar: bar}
	m.figures = append(m.figures, f)
	fmt.Fprintln(os.Stderr, f)
}

// installAll times how long it takes from the manager's start until all namespaces are as they should be.
func (m *measuring) installAll(ctx context.Context) error {
	began := time.Now()
	if err := m.startManager(ctx); err != nil {
		return err
	}
	if err := m.ready(ctx, m.namespaces); err != nil {
		return err
	}
	took := time.Since(began)
	all, err := m.audit(0)
	if err != nil {
		return err
	}
	perNamespace, most := perObject(all)
	bar := float64(figures.NoBar)
	if m.namespaces == 1000 {
		bar = 60
	}
	m.add("all_installed", took.Round(time.Millisecond).Seconds(), "s", bar)
	m.add("requests_a_namespace", float64(count(all, inNamespace))/float64(m.namespaces), "requests", figures.NoBar)
	m.add("objects_a_namespace", float64(perNamespace)/float64(m.namespaces), "objects", figures.NoBar)
	m.add("most_writes_of_an_object", float64(most), "writes", 1)
	m.add("reads_in_namespaces", float64(count(all, func(r apiserver.Request) bool { return inNamespace(r) && !r.Writes() })), "reads", 0)
	m.add("status_writes", float64(count(all, func(r apiserver.Request) bool { return r.Resource == "cnbiconfigs" && r.Writes() })), "writes", figures.NoBar)
	return nil
}

// oneMore has further namespaces come, one after the other. The clock runs from the answer that made the namespace to
// the answer to the last object's write.
func (m *measuring) oneMore(ctx context.Context) error {
	var took []time.Duration
	var requests []int
	for i := range samples {
		name := fmt.Sprintf("more-%02d", i)
		since := m.Now()
		if err := m.makeNamespace(ctx, name); err != nil {
			return err
		}
		if err := m.ready(ctx, m.namespaces+i+1); err != nil {
			return err
		}
		everybody, err := m.Audit(since)
		if err != nil {
			return err
		}
		var from, to time.Time
		n := 0
		for _, r := range everybody {
			switch {
			case r.Resource == "namespaces" && r.Name == name && r.Verb == "create":
				from = r.At
			case r.Namespace == name && r.User == apiserver.Account:
				n++
				to = r.At
			}
		}
		took = append(took, to.Sub(from))
		requests = append(requests, n)
	}
	slices.Sort(took)
	m.add("one_more_p50", took[len(took)/2].Round(time.Millisecond).Seconds(), "s", figures.NoBar)
	m.add("one_more_p99", took[len(took)-1].Round(time.Millisecond).Seconds(), "s", 1)
	m.add("one_more_requests", float64(slices.Max(requests)), "requests", figures.NoBar)
	return nil
}

// oneTask changes the image of one task.
func (m *measuring) oneTask(ctx context.Context) error {
	since, began := m.Now(), time.Now()
	if err := m.edit(ctx, `{"spec":{"images":{"buildah":"registry.example.com/buildah:2"}}}`); err != nil {
		return err
	}
	if err := m.ready(ctx, m.namespaces+samples); err != nil {
		return err
	}
	all, err := m.audit(since)
	if err != nil {
		return err
	}
	n := float64(m.namespaces + samples)
	m.add("one_task_writes_a_namespace", float64(count(all, func(r apiserver.Request) bool { return inNamespace(r) && r.Writes() }))/n, "writes", 1)
	m.add("one_task_seconds", time.Since(began).Round(time.Millisecond).Seconds(), "s", figures.NoBar)
	return nil
}

// nothing watches that nothing is asked.
func (m *measuring) nothing(ctx context.Context) error {
	since := m.Now()
	if err := apiserver.Sleep(ctx, calm); err != nil {
		return err
	}
	return m.writesSince(since, "steady_writes")
}

// resync has every namespace looked at, by an edit that concerns no object.
func (m *measuring) resync(ctx context.Context) error {
	since := m.Now()
	if err := m.edit(ctx, `{"spec":{"build":{"retries":7}}}`); err != nil {
		return err
	}
	if err := m.ready(ctx, m.namespaces+samples); err != nil {
		return err
	}
	if err := apiserver.Sleep(ctx, 10*time.Second); err != nil {
		return err
	}
	return m.writesSince(since, "resync_writes", func(r apiserver.Request) bool { return r.Resource != "cnbiconfigs" })
}

// restart ends the manager and starts it anew.
func (m *measuring) restart(ctx context.Context) error {
	since, err := m.anew(ctx)
	if err != nil {
		return err
	}
	if err := m.writesSince(since, "restart_writes"); err != nil {
		return err
	}
	bar := float64(figures.NoBar)
	if m.namespaces == 1000 {
		bar = 100
	}
	rss, err := m.rss(ctx)
	m.add("rss", rss, "MB", bar)
	return err
}

// foreign has objects of others around, and looks what they cost.
func (m *measuring) foreign(ctx context.Context, n int) error {
	before, err := m.rss(ctx)
	if err != nil {
		return err
	}
	m.say("%d Secrets, ConfigMaps and PipelineRuns of others", n)
	if err := m.makeForeign(ctx, n); err != nil {
		return err
	}
	since, err := m.anew(ctx)
	if err != nil {
		return err
	}
	after, err := m.rss(ctx)
	if err != nil {
		return err
	}
	m.add("rss_with_foreign", after, "MB", 100)
	m.add("foreign_adds", after-before, "MB", 5)
	return m.writesSince(since, "restart_with_foreign_writes")
}

// anew restarts the manager and waits until it has looked at everything.
func (m *measuring) anew(ctx context.Context) (auditlog.Mark, error) {
	if err := m.StopManager(); err != nil {
		return 0, err
	}
	since := m.Now()
	if err := m.startManager(ctx); err != nil {
		return since, err
	}
	return since, apiserver.Sleep(ctx, calm)
}

// writesSince counts the writes of which all of the given things are true.
func (m *measuring) writesSince(since auditlog.Mark, name string, which ...func(apiserver.Request) bool) error {
	all, err := m.audit(since)
	if err != nil {
		return err
	}
	m.add(name, float64(count(all, func(r apiserver.Request) bool {
		return r.Writes() && !slices.ContainsFunc(which, func(is func(apiserver.Request) bool) bool { return !is(r) })
	})), "writes", 0)
	return nil
}

func (m *measuring) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
