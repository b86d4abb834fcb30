package bundle

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// ofLibraries are the metrics that come with controller-runtime and Go.
var ofLibraries = sets.New("controller_runtime_reconcile_total", "controller_runtime_reconcile_errors_total", "leader_election_master_status",
	"workqueue_depth", "workqueue_unfinished_work_seconds", "rest_client_requests_total", "process_resident_memory_bytes", "process_cpu_seconds_total")

var (
	metricInCode = regexp.MustCompile(`"(meteor_[a-z_]+)"`)
	metricName   = regexp.MustCompile(`\b(meteor|controller_runtime|leader_election|workqueue|rest_client|process)_[a-z_]+`)
)

// TestMonitoring builds what watches the operator, alone and with what it watches.
func TestMonitoring(t *testing.T) {
	objects := monitoring(t)
	monitor, ok, err := unstructured.NestedStringMap(objects["ServiceMonitor"].Object, "spec", "selector", "matchLabels")
	if err != nil || !ok {
		t.Fatalf("the ServiceMonitor selects nothing: %v", err)
	}
	for _, obj := range source.Install {
		if obj.GetKind() == "Service" && !subset(monitor, obj.GetLabels()) {
			t.Errorf("the ServiceMonitor wants labels %v, the Service has %v", monitor, obj.GetLabels())
		}
	}
	var dashboard map[string]any
	data, _, err := unstructured.NestedStringMap(objects["ConfigMap"].Object, "data")
	must(t, err)
	must(t, json.Unmarshal([]byte(data["meteor-operator.json"]), &dashboard))
	written, err := os.ReadFile(filepath.Join(root, "docs", "runbooks.md"))
	must(t, err)
	headings := sets.New[string]()
	for line := range strings.Lines(string(written)) {
		if heading, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			headings.Insert(heading)
		}
	}
	for _, rule := range rulesOf(t, objects["PrometheusRule"]) {
		name, _ := rule["alert"].(string)
		annotations, _ := rule["annotations"].(map[string]any)
		labels, _ := rule["labels"].(map[string]any)
		if annotations["summary"] == nil || annotations["description"] == nil || labels["severity"] == nil {
			t.Errorf("alert %s says too little", name)
		}
		want := "https://github.com/meteor-zone/meteor-operator/blob/main/docs/runbooks.md#" + strings.ToLower(name)
		if annotations["runbook_url"] != want || !headings.Has(name) {
			t.Errorf("alert %s has runbook %v, and a section of that name: %t", name, annotations["runbook_url"], headings.Has(name))
		}
		headings.Delete(name)
	}
	if headings.Len() > 0 {
		t.Errorf("runbooks of no alert: %v", headings.UnsortedList())
	}
	unknown(t, data["meteor-operator.json"], objects["PrometheusRule"])
}

// unknown fails for metrics that nobody makes.
func unknown(t *testing.T, dashboard string, rule *unstructured.Unstructured) {
	t.Helper()
	ours := sets.New[string]()
	must(t, filepath.WalkDir(filepath.Join(root, "controllers"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		content, err := os.ReadFile(path)
		for _, match := range metricInCode.FindAllStringSubmatch(string(content), -1) {
			ours.Insert(match[1], match[1]+"_count", match[1]+"_sum", match[1]+"_bucket")
		}
		return err
	}))
	alerts, err := json.Marshal(rule.Object)
	must(t, err)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(metricName.FindAllString(dashboard+string(alerts), -1)))) {
		if !ours.Has(name) && !ofLibraries.Has(name) {
			t.Errorf("there is no metric %s", name)
		}
	}
}

func monitoring(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "config", "prometheus"))
	must(t, err)
	out := map[string]*unstructured.Unstructured{}
	for _, r := range built.Resources() {
		object, err := r.Map()
		must(t, err)
		out[r.GetKind()] = unstructuredOf(object)
	}
	if len(out) != 3 {
		t.Fatalf("config/prometheus makes %d objects, not a ServiceMonitor, a PrometheusRule and a ConfigMap", len(out))
	}
	return out
}

func rulesOf(t *testing.T, rule *unstructured.Unstructured) []map[string]any {
	t.Helper()
	groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
	must(t, err)
	var out []map[string]any
	for _, group := range groups {
		for _, r := range group.(map[string]any)["rules"].([]any) {
			out = append(out, r.(map[string]any))
		}
	}
	return out
}

func subset(want, of map[string]string) bool {
	for key, value := range want {
		if of[key] != value {
			return false
		}
	}
	return true
}
