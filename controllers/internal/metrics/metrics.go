// Package metrics holds the operator's own metrics.
//
//	meteor_objects{kind,phase}                    gauge      objects by phase, counted in the cache
//	meteor_build_duration_seconds{type,result}    histogram  from the build's start to its end
//	meteor_build_failures_total{type,reason}      counter    builds that ended badly, by the reason on the object
package metrics

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The results of a build.
const (
	// ResultSucceeded is that of an image that was offered.
	ResultSucceeded = "succeeded"
	// ResultFailed is that of any other end.
	ResultFailed = "failed"
)

const collectTimeout = 5 * time.Second

// Recorder records what happens to builds.
type Recorder struct {
	durations *prometheus.HistogramVec
	failures  *prometheus.CounterVec
}

// New registers the metrics and returns their recorder.
func New(reg prometheus.Registerer, counts ...Count) (*Recorder, error) {
	r := &Recorder{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "meteor_build_duration_seconds",
			Help:    "Time from a build's start to its end, by build type and result (succeeded, failed).",
			Buckets: []float64{1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600},
		}, []string{"type", "result"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "meteor_build_failures_total",
			Help: "Builds that ended badly, by build type and by the reason that the object gives.",
		}, []string{"type", "reason"}),
	}
	for _, c := range []prometheus.Collector{r.durations, r.failures, newObjects(counts)} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("cannot register metrics: %w", err)
		}
	}
	return r, nil
}

// Succeeded records a build whose image was offered.
func (r *Recorder) Succeeded(buildType string, took time.Duration) {
	r.durations.WithLabelValues(buildType, ResultSucceeded).Observe(took.Seconds())
}

// Failed records a build that ended badly. The reason is one of the API's closed set.
func (r *Recorder) Failed(buildType, reason string, took time.Duration) {
	r.durations.WithLabelValues(buildType, ResultFailed).Observe(took.Seconds())
	r.failures.WithLabelValues(buildType, reason).Inc()
}

// Count counts the objects of one kind by phase.
type Count struct {
	// Kind is the label's value.
	Kind string
	// Phases are the phases that are shown also when no object has them.
	Phases []string
	// ByPhase counts. An error leaves the kind out, as on a replica that does not lead and caches nothing.
	ByPhase func(context.Context) (map[string]int, error)
}

// objects is the collector of meteor_objects.
type objects struct {
	desc   *prometheus.Desc
	counts []Count
}

func newObjects(counts []Count) *objects {
	return &objects{
		desc:   prometheus.NewDesc("meteor_objects", "Objects by kind and phase.", []string{"kind", "phase"}, nil),
		counts: counts,
	}
}

// Describe implements prometheus.Collector.
func (o *objects) Describe(ch chan<- *prometheus.Desc) { ch <- o.desc }

// Collect implements prometheus.Collector.
func (o *objects) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	for _, c := range o.counts {
		byPhase, err := c.ByPhase(ctx)
		if err != nil {
			continue
		}
		for _, phase := range c.Phases {
			if _, ok := byPhase[phase]; !ok {
				ch <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, 0, c.Kind, phase)
			}
		}
		for phase, n := range byPhase {
			ch <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, float64(n), c.Kind, phase)
		}
	}
}
