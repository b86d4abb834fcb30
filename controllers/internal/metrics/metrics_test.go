package metrics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/meteor-zone/meteor-operator/controllers/internal/metrics"
)

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	r, err := metrics.New(reg,
		metrics.Count{Kind: "CustomNBImage", Phases: []string{"Ready", "Failed"}, ByPhase: func(context.Context) (map[string]int, error) {
			return map[string]int{"Ready": 2, "Building": 1}, nil
		}},
		metrics.Count{Kind: "Meteor", Phases: []string{"Ready"}, ByPhase: func(context.Context) (map[string]int, error) {
			return nil, errors.New("not cached")
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	r.Succeeded("ImageImport", 8*time.Second)
	r.Failed("ImageImport", "ImageNotFound", time.Second)

	want := `
# HELP meteor_build_failures_total Builds that ended badly, by build type and by the reason that the object gives.
# TYPE meteor_build_failures_total counter
meteor_build_failures_total{reason="ImageNotFound",type="ImageImport"} 1
# HELP meteor_objects Objects by kind and phase.
# TYPE meteor_objects gauge
meteor_objects{kind="CustomNBImage",phase="Building"} 1
meteor_objects{kind="CustomNBImage",phase="Failed"} 0
meteor_objects{kind="CustomNBImage",phase="Ready"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "meteor_build_failures_total", "meteor_objects"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "meteor_build_duration_seconds"); err != nil || n != 2 {
		t.Errorf("durations: want 2 series, got %d, %v", n, err)
	}
}

func TestRegisterTwice(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := metrics.New(reg); err != nil {
		t.Fatal(err)
	}
	if _, err := metrics.New(reg); err == nil {
		t.Error("a second registration is an error")
	}
}
