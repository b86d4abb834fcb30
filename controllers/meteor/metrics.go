package meteor

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/metrics"
)

// foreign stands for all pipelines that are not the operator's own, of which there can be any number.
const foreign = "other"

// Metrics records how Meteors' builds and Meteors themselves end.
type Metrics struct {
	builds   *metrics.Recorder
	lateness prometheus.Histogram
}

// NewMetrics registers the metrics. Builds are recorded with those of images: their type is jupyterbook, or other for
// any other pipeline.
//
//	meteor_expiration_lateness_seconds  histogram  from the end of a Meteor's ttl to its removal
func NewMetrics(reg prometheus.Registerer, builds *metrics.Recorder) (*Metrics, error) {
	m := &Metrics{builds: builds, lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "meteor_expiration_lateness_seconds",
		Help:    "Time from the end of a Meteor's ttl to its removal.",
		Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60, 600, 3600},
	})}
	if err := reg.Register(m.lateness); err != nil {
		return nil, fmt.Errorf("cannot register metrics: %w", err)
	}
	return m, nil
}

func (m *Metrics) expired(late time.Duration) { m.lateness.Observe(late.Seconds()) }

func (m *Metrics) built(p *part, took time.Duration) {
	kind := foreign
	if p.name == v1alpha1.PipelineJupyterBook {
		kind = p.name
	}
	if p.seen.failure == nil {
		m.builds.Succeeded(kind, took)
		return
	}
	m.builds.Failed(kind, p.seen.failure.reason, took)
}
