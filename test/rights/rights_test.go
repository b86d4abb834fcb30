package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const log = `{"stage":"ResponseComplete","verb":"patch","user":{"username":"system:serviceaccount:meteor-operator-system:meteor-operator-controller-manager"},"objectRef":{"apiGroup":"tekton.dev","resource":"tasks","name":"a"},"responseStatus":{"code":201},"annotations":{"authorization.k8s.io/decision":"allow"}}
{"stage":"ResponseComplete","verb":"get","user":{"username":"system:serviceaccount:meteor-operator-system:meteor-operator-controller-manager"},"objectRef":{"resource":"secrets","name":"b"},"responseStatus":{"code":403},"annotations":{"authorization.k8s.io/decision":"forbid"}}
{"stage":"ResponseComplete","verb":"list","user":{"username":"system:serviceaccount:meteor-operator-system:meteor-operator-controller-manager"},"objectRef":{"resource":"pods","subresource":"log"},"responseStatus":{"code":200},"annotations":{"authorization.k8s.io/decision":"allow"}}
{"stage":"ResponseComplete","verb":"delete","user":{"username":"somebody"},"objectRef":{"resource":"nodes"}}
{"stage":"ResponseComplete","verb":"get","user":{"username":"system:serviceaccount:meteor-operator-system:meteor-operator-controller-manager"}}
`

func TestCompare(t *testing.T) {
	asked, err := readLog(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	granted := []right{
		{"tekton.dev", "tasks", "patch", ""}, {"tekton.dev", "tasks", "create", "a"}, {"tekton.dev", "tasks", "create", "c"},
		{"", "configmaps", "get", ""}, {"route.openshift.io", "routes", "list", ""},
	}
	want := []string{
		"allowed by somebody else's role: list pods/log",
		"not used: create tasks.tekton.dev \"c\"",
		"not used: get configmaps",
		"refused: get secrets \"b\"",
	}
	if diff := cmp.Diff(want, compare(granted, asked, excuses)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// TestRolesAreRead keeps the list of files, and of excuses, in step with the folder.
func TestRolesAreRead(t *testing.T) {
	granted, err := readRoles(filepath.Join("..", "..", "config", "rbac"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range excuses {
		for _, verb := range e.verbs {
			found := false
			for _, r := range granted {
				found = found || r.group == e.group && r.resource == e.resource && r.verb == verb
			}
			if !found {
				t.Errorf("%s %s needs no excuse: the manager may not", verb, e.resource)
			}
		}
	}
}
