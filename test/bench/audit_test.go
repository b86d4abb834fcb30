package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/test/bench/internal/auditlog"
)

// line is an audit event of the manager's.
func line(stage, verb, ref string) string {
	return `{"stage":"` + stage + `","verb":"` + verb + `","user":{"username":"` + account + `","extra":{"authentication.kubernetes.io/pod-name":["pod"]}},"objectRef":` + ref + "}\n"
}

func TestAudit(t *testing.T) {
	const ours = `{"resource":"customnbimages","subresource":"status","namespace":"bench-1"}`
	log := line("ResponseComplete", "create", ours)
	begin := len(log)
	log += line("ResponseStarted", "watch", ours) +
		line("ResponseComplete", "watch", ours) +
		line("ResponseComplete", "patch", ours) +
		line("ResponseComplete", "patch", `{"resource":"imagestreams","namespace":"bench-1"}`) +
		line("ResponseComplete", "patch", `{"resource":"imagestreams","namespace":"another"}`) +
		line("ResponseComplete", "create", `{"resource":"events","namespace":"bench-1"}`) +
		line("ResponseComplete", "get", `{"resource":"secrets","namespace":"bench-1"}`) +
		line("ResponseComplete", "update", `{"resource":"leases","namespace":"bench-1"}`) +
		line("ResponseComplete", "patch", `{"resource":"cnbiconfigs","subresource":"status"}`) +
		`{"stage":"ResponseComplete","verb":"delete","user":{"username":"someone"},"objectRef":` + ours + "}\n" +
		`{"stage":"ResponseComplete","verb":"get","user":{"username":"` + account + `"}}` + "\n" +
		`{"stage":"Respo`
	file := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := audit{file}.since(auditlog.Mark(begin))
	if err != nil {
		t.Fatal(err)
	}
	got := map[group]int{}
	for _, r := range concerning(all, "bench-1") {
		got[r.group()]++
	}
	want := map[group]int{groupWrite: 2, groupStream: 1, groupEvent: 1, groupRead: 1, groupUpkeep: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if _, err := (audit{file}).since(auditlog.Mark(len(log) + 1)); err == nil {
		t.Error("a log that was begun anew must be an error")
	}
}

func TestPercentile(t *testing.T) {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i))
	}
	for p, want := range map[int]time.Duration{50: 50, 99: 99, 100: 100} {
		if got := percentile(all, p); got != want {
			t.Errorf("percentile %d: want %d, got %d", p, want, got)
		}
	}
	if got := percentile(all[:1], 50); got != 100 {
		t.Errorf("of one: got %d", got)
	}
}

func TestSteps(t *testing.T) {
	const log = "Collecting meteor-small\nbuilder install: took 1.25 s, its own peak memory 34 MiB, its largest child's peak memory 88 MiB\n"
	took, memory := tookRE.FindStringSubmatch(log), memoryRE.FindStringSubmatch(log)
	if took == nil || took[1] != "install" || took[2] != "1.25" || memory == nil || memory[1] != "34" {
		t.Errorf("got %q and %q", took, memory)
	}
	s := sample{steps: map[string]time.Duration{"resolve": time.Hour, "install": time.Minute, "push": time.Second}}
	if got := s.install(); got != time.Minute+time.Second {
		t.Errorf("got %s without resolving", got)
	}
}
