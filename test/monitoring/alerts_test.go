package monitoring

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"
)

// rulesFile holds the groups of the PrometheusRule as Prometheus itself reads them.
func rulesFile(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "components", "monitoring", "prometheus_rule.yaml"))
	must(t, err)
	var rule struct {
		Spec map[string]any `json:"spec"`
	}
	must(t, yaml.Unmarshal(content, &rule))
	content, err = yaml.Marshal(rule.Spec)
	must(t, err)
	file := filepath.Join(t.TempDir(), "rules.yaml")
	must(t, os.WriteFile(file, content, 0o644))
	return file
}

// story is what the metrics say, minute by minute.
type story struct {
	reason string
	// metrics are series as Prometheus' own tests write them.
	metrics string
	// at is when it is looked.
	at time.Duration
	// want are the alerts that fire, and a label of each that tells them apart.
	want []string
}

const (
	leader = `leader_election_master_status{name="meteor-operator.meteor.zone"} 1x600`
	well   = "load 1m\n  " + leader
)

var stories = map[string]story{
	"AllWell": {
		reason: "a manager that leads, builds that end, now and then a user's mistake",
		metrics: well + `
  controller_runtime_reconcile_errors_total{job="meteor-operator-controller-manager-metrics",controller="customnbimage"} 0x600
  workqueue_unfinished_work_seconds{job="meteor-operator-controller-manager-metrics",name="customnbimage"} 0x600
  meteor_objects{kind="CustomNBImage",phase="Building"} 1x600
  meteor_build_duration_seconds_count{type="ImageImport",result="succeeded"} 0+1x600
  meteor_build_duration_seconds_bucket{type="ImageImport",result="succeeded",le="60"} 0+1x600
  meteor_build_duration_seconds_bucket{type="ImageImport",result="succeeded",le="+Inf"} 0+1x600
  meteor_build_failures_total{type="PackageList",reason="PackageNotFound"} 0+1x600
  meteor_build_failures_total{type="ImageImport",reason="RegistryUnavailable"} 1x600
`,
		at: 8 * time.Hour,
	},
	"NothingIsThere": {"no manager tells anything", "load 1m\n  unrelated 1x600\n", 15 * time.Minute, []string{"MeteorOperatorDown/"}},
	"NobodyLeads": {
		"a manager is there and does not get the lease", "load 1m\n  leader_election_master_status{name=\"meteor-operator.meteor.zone\"} 0x600\n",
		15 * time.Minute, []string{"MeteorOperatorDown/"},
	},
	"ShortAbsence": {
		"a roll-out takes less than ten minutes",
		"load 1m\n  leader_election_master_status{name=\"meteor-operator.meteor.zone\"} 1x30 _x7 1x60\n", 45 * time.Minute, nil,
	},
	"Errors": {
		"one controller fails each time, the other not",
		well + `
  controller_runtime_reconcile_errors_total{job="meteor-operator-controller-manager-metrics",controller="cnbiconfig"} 0+6x600
  controller_runtime_reconcile_errors_total{job="meteor-operator-controller-manager-metrics",controller="customnbimage"} 0x600
`, 30 * time.Minute, []string{"MeteorReconcileErrors/cnbiconfig"},
	},
	"Hangs": {
		"a pass has been in work for ever", well + "\n  workqueue_unfinished_work_seconds{job=\"meteor-operator-controller-manager-metrics\",name=\"customnbimage\"} 0+60x600\n",
		30 * time.Minute, []string{"MeteorQueueStuck/customnbimage"},
	},
	"RegistryIsAway": {
		"builds fail by the platform, and some by their users",
		well + `
  meteor_build_failures_total{type="ImageImport",reason="RegistryUnavailable"} 0x5 1+1x600
  meteor_build_failures_total{type="PackageList",reason="PackageConflict"} 0+1x600
`, time.Hour, []string{"MeteorPlatformFailures/RegistryUnavailable"},
	},
	"NothingEnds": {
		"images build for hours", well + `
  meteor_objects{kind="CustomNBImage",phase="Building"} 2x600
  meteor_build_duration_seconds_count{type="ImageImport",result="succeeded"} 5x600
`, 5 * time.Hour, []string{"MeteorBuildsDoNotEnd/"},
	},
	"Idle": {
		"nothing builds and nothing ends", well + `
  meteor_objects{kind="CustomNBImage",phase="Building"} 0x600
  meteor_build_duration_seconds_count{type="ImageImport",result="succeeded"} 5x600
`, 8 * time.Hour, nil,
	},
	"Slow": {
		"builds of repositories take an hour", well + `
  meteor_build_duration_seconds_bucket{type="GitRepository",result="succeeded",le="1800"} 0x600
  meteor_build_duration_seconds_bucket{type="GitRepository",result="succeeded",le="3600"} 0+1x600
  meteor_build_duration_seconds_bucket{type="GitRepository",result="succeeded",le="+Inf"} 0+1x600
`, 2 * time.Hour, []string{"MeteorBuildsSlow/GitRepository"},
	},
	"Late": {
		"Meteors go an hour after their time", well + `
  meteor_expiration_lateness_seconds_bucket{le="300"} 0x600
  meteor_expiration_lateness_seconds_bucket{le="3600"} 0+1x600
  meteor_expiration_lateness_seconds_bucket{le="+Inf"} 0+1x600
`, time.Hour, []string{"MeteorExpirationLate/"},
	},
}

// TestAlerts tells the stories to Prometheus.
func TestAlerts(t *testing.T) {
	file := rulesFile(t)
	told := map[string]bool{}
	for name, s := range stories {
		for _, alert := range s.want {
			told[alert[:slices.Index([]byte(alert), '/')]] = true
		}
		t.Run(name, func(t *testing.T) {
			if got := firing(t, file, s); !slices.Equal(got, s.want) {
				t.Errorf("%s: after %s the alerts %v fire, not %v", s.reason, s.at, got, s.want)
			}
		})
	}
	for name := range alerts(t, file) {
		if !told[name] {
			t.Errorf("no story has the alert %s", name)
		}
	}
}

// firing evaluates the rules each minute, and returns what fires at the end.
func firing(t *testing.T, file string, s story) []string {
	t.Helper()
	suite, err := promqltest.NewLazyLoader(s.metrics, promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	must(t, err)
	defer func() { must(t, suite.Close()) }()
	groups := load(t, file, &rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()),
		Appendable: suite.Storage(),
	})
	start := time.Unix(0, 0).UTC()
	for ts := start; !ts.After(start.Add(s.at)); ts = ts.Add(time.Minute) {
		suite.WithSamplesTill(ts, func(err error) {
			must(t, err)
			for _, group := range groups {
				group.Eval(suite.Context(), ts)
			}
		})
	}
	var out []string
	for _, group := range groups {
		for _, rule := range group.AlertingRules() {
			must(t, rule.LastError())
			for _, alert := range rule.ActiveAlerts() {
				if alert.State == rules.StateFiring {
					out = append(out, rule.Name()+"/"+subject(alert.Labels))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// subject is the label that tells one of an alert's instances from the others.
func subject(l labels.Labels) string {
	for _, name := range []string{"controller", "name", "reason", "type"} {
		if value := l.Get(name); value != "" {
			return value
		}
	}
	return ""
}

func load(t *testing.T, file string, o *rules.ManagerOptions) []*rules.Group {
	t.Helper()
	o.Context, o.Logger, o.Parser = context.Background(), promslog.NewNopLogger(), parser.NewParser(parser.Options{})
	o.NotifyFunc = func(context.Context, string, ...*rules.Alert) {}
	groups, errs := rules.NewManager(o).LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, file)
	for _, err := range errs {
		t.Fatal(err)
	}
	all := slices.Collect(maps.Values(groups))
	for _, group := range all {
		for _, rule := range group.AlertingRules() {
			// Else the time before it fires would be counted from nothing.
			rule.SetRestored(true)
		}
	}
	return all
}

func alerts(t *testing.T, file string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, group := range load(t, file, &rules.ManagerOptions{}) {
		for _, rule := range group.AlertingRules() {
			out[rule.Name()] = true
		}
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
