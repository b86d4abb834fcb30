package rights

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asked is a line of an audit log about the manager. verb is what was done, and of the object's reference.
func asked(verb, of string, code int) string {
	decision := "allow"
	if code == 403 {
		decision = "forbid"
	}
	verb, query, _ := strings.Cut(verb, "?")
	return fmt.Sprintf(`{"requestURI":"/x?%s","verb":%q,"requestReceivedTimestamp":"2026-01-02T03:04:05.000000Z","user":{"username":%q},"objectRef":{%s},"responseStatus":{"code":%d},"annotations":{"authorization.k8s.io/decision":%q}}`,
		query, verb, account, of, code, decision) + "\n"
}

func TestCompare(t *testing.T) {
	const tasks = `"apiGroup":"tekton.dev","resource":"tasks"`
	cases := map[string]struct {
		reason  string
		granted []right
		log     string
		since   string
		want    []string
	}{
		"Used": {
			reason:  "a right that was used is no fault",
			granted: []right{{"tekton.dev", "tasks", "patch", "", ""}, {"tekton.dev", "tasks", "delete", "", "a"}},
			log:     asked("patch", tasks+`,"name":"a"`, 200) + asked("delete", tasks+`,"name":"a"`, 200),
		},
		"CreatedByPatch": {
			reason:  "a patch that made something used two rights",
			granted: []right{{"tekton.dev", "tasks", "patch", "", ""}, {"tekton.dev", "tasks", "create", "", "a"}, {"tekton.dev", "tasks", "create", "", "c"}},
			log:     asked("patch", tasks+`,"name":"a"`, 201),
			want:    []string{`not used: create tasks.tekton.dev "c"`},
		},
		"ListByWatch": {
			reason:  "a watch that begins with what is there stands for a list of the same",
			granted: []right{{"tekton.dev", "tasks", "watch", "", ""}, {"tekton.dev", "tasks", "list", "", ""}, {"tekton.dev", "pipelines", "list", "", ""}, {"tekton.dev", "tasks", "list", "", "b"}},
			log:     asked("watch?watch=true&sendInitialEvents=true", tasks+`,"name":"a"`, 200),
			want:    []string{"not used: list pipelines.tekton.dev", `not used: list tasks.tekton.dev "b"`},
		},
		"PlainWatch": {
			reason:  "a watch that goes on from a list stands for itself",
			granted: []right{{"tekton.dev", "tasks", "watch", "", ""}, {"tekton.dev", "tasks", "list", "", ""}},
			log:     asked("watch?watch=true", tasks, 200),
			want:    []string{"not used: list tasks.tekton.dev"},
		},
		"ListNotNeeded": {
			reason:  "nobody is to blame for a list that was not asked for",
			granted: []right{{"tekton.dev", "tasks", "watch", "", ""}},
			log:     asked("watch?sendInitialEvents=true", tasks, 200),
		},
		"Refused": {
			reason:  "a refused request is a fault, and uses nothing",
			granted: []right{{"", "secrets", "get", "", ""}},
			log:     asked("get", `"resource":"secrets","namespace":"n","name":"b"`, 403) + asked("watch?sendInitialEvents=true", tasks, 403),
			want:    []string{"not used: get secrets", `refused: get secrets "b" in n`, "refused: watch tasks.tekton.dev"},
		},
		"OneNamespace": {
			reason:  "a right in a namespace is of no use elsewhere",
			granted: []right{{"", "secrets", "get", namespace, ""}},
			log:     asked("get", `"resource":"secrets","namespace":"n","name":"b"`, 200),
			want:    []string{`allowed by somebody else's role: get secrets "b" in n`, "not used: get secrets in meteor-operator-system"},
		},
		"SomebodyElsesRole": {
			reason: "what is allowed by a role that is not the manager's works by chance",
			log:    asked("list", `"resource":"pods","subresource":"log"`, 200) + asked("create", `"apiGroup":"authorization.k8s.io","resource":"selfsubjectaccessreviews"`, 201),
			want:   []string{"allowed by somebody else's role: list pods/log"},
		},
		"Excused": {
			reason:  "a right that has an excuse need not be used",
			granted: []right{{"route.openshift.io", "routes", "list", "", ""}},
		},
		"Others": {
			reason: "others, and requests about nothing, are not looked at",
			log:    strings.ReplaceAll(asked("delete", `"resource":"nodes"`, 200), account, "somebody") + `{"verb":"get","user":{"username":"` + account + `"}}` + "\n",
		},
		"Before": {
			reason:  "what was asked before does not count",
			granted: []right{{"tekton.dev", "tasks", "patch", "", ""}},
			log:     asked("patch", tasks, 200) + asked("get", `"resource":"secrets"`, 403),
			since:   "2026-01-02T03:04:06Z",
			want:    []string{"not used: patch tasks.tekton.dev"},
		},
		"HalfALine": {
			reason:  "a line that is being written is left alone",
			granted: []right{{"tekton.dev", "tasks", "patch", "", ""}},
			log:     asked("patch", tasks, 200) + `{"verb":"pa`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var since time.Time
			if tc.since != "" {
				var err error
				if since, err = time.Parse(time.RFC3339, tc.since); err != nil {
					t.Fatal(err)
				}
			}
			all, err := readLog(strings.NewReader(tc.log), since)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, compare(tc.granted, all, excuses)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLogsThatWerePutAside reads what an API server renames when its log has grown large.
func TestLogsThatWerePutAside(t *testing.T) {
	dir := t.TempDir()
	for name, verb := range map[string]string{"audit.log": "get", "audit-2026-01-02T03-04-05.000.log": "delete", "other.log": "list"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(asked(verb, `"resource":"secrets"`, 200)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readLogs(filepath.Join(dir, "audit.log"), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, r.verb)
	}
	if diff := cmp.Diff([]string{"delete", "get"}, got); diff != "" {
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
	where := map[string]string{"leases": namespace, "pipelineruns": ""}
	for _, r := range granted {
		if want, ok := where[r.resource]; ok && r.namespace != want {
			t.Errorf("%s: want it in %q", r, want)
		}
	}
}
