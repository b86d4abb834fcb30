// Package rights compares what the manager may do, as config/rbac says, with what it has asked for, as an API server's
// audit log says: a right that was never used and a request that was refused are both faults. That is of use after all
// end-to-end tests, since these have the manager do everything that it does.
package rights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const (
	// namespace is the operator's.
	namespace = "meteor-operator-system"
	// account is who the manager is to the API server.
	account = "system:serviceaccount:" + namespace + ":meteor-operator-controller-manager"
)

// files hold the manager's own roles. The others in the folder are for people.
var files = []string{"role.yaml", "cluster_role.yaml", "leader_election_role.yaml", "metrics_auth_role.yaml"}

// right is what may be done to what. Without a namespace or a name it is any.
type right struct {
	group, resource, verb, namespace, name string
}

// String implements fmt.Stringer.
func (r right) String() string {
	text := r.verb + " " + r.resource
	if r.group != "" {
		text += "." + r.group
	}
	if r.name != "" {
		text += fmt.Sprintf(" %q", r.name)
	}
	if r.namespace != "" {
		text += " in " + r.namespace
	}
	return text
}

// covers tells whether a request needs no other right.
func (r right) covers(q request) bool {
	return r.group == q.group && r.resource == q.resource && r.verb == q.verb &&
		(r.namespace == "" || r.namespace == q.namespace) && (r.name == "" || r.name == q.name)
}

// excuse is why a right is there that no test on the local cluster uses.
type excuse struct {
	group, resource string
	verbs           []string
	reason          string
}

var excuses = []excuse{
	{"image.openshift.io", "imagestreams/layers", []string{"get", "update"}, "nobody can hand out what they do not hold"},
	{"route.openshift.io", "routes", []string{"get", "list", "watch", "create", "patch", "delete"}, "the local cluster has no Routes"},
	{"events.k8s.io", "events", []string{"patch"}, "the same is told again of an unchanged object only when a pass was in vain"},
	{"", "events", []string{"create", "patch"}, "a new leader is announced only when another led before"},
}

// open are requests that everybody who has a name may make.
var open = []right{
	{group: "authorization.k8s.io", resource: "selfsubjectaccessreviews", verb: "create"},
	{group: "authorization.k8s.io", resource: "selfsubjectrulesreviews", verb: "create"},
}

// Compare tells, of the manager's roles in a folder and an audit log, which rights were not used since a moment, and
// which requests had none. Both lists are empty when all is well.
func Compare(log, folder string, since time.Time) ([]string, error) {
	granted, err := readRoles(folder)
	if err != nil {
		return nil, err
	}
	asked, err := readLogs(log, since)
	if err != nil {
		return nil, err
	}
	return compare(granted, asked, excuses), nil
}

// readRoles reads what the manager may do.
func readRoles(folder string) ([]right, error) {
	var all []right
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, fmt.Errorf("cannot read the manager's roles: %w", err)
		}
		for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
			role := &rbacv1.ClusterRole{}
			if err := decoder.Decode(role); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("cannot read %s: %w", name, err)
			}
			where := ""
			if role.Kind == "Role" {
				where = namespace
			}
			for _, rule := range role.Rules {
				all = append(all, expand(rule, where)...)
			}
		}
	}
	return all, nil
}

func expand(rule rbacv1.PolicyRule, namespace string) []right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var all []right
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				for _, name := range names {
					all = append(all, right{group, resource, verb, namespace, name})
				}
			}
		}
	}
	return all
}

// compare tells which rights were not used, and which requests had none.
func compare(granted []right, asked []request, excused []excuse) []string {
	faults := map[string]bool{}
	used := make([]bool, len(granted))
	for _, q := range asked {
		if q.refused {
			faults["refused: "+q.String()] = true
			continue
		}
		covered := q.implied || slices.ContainsFunc(open, func(r right) bool { return r.covers(q) })
		for i, r := range granted {
			if r.covers(q) {
				used[i], covered = true, true
			}
		}
		if !covered {
			faults["allowed by somebody else's role: "+q.String()] = true
		}
	}
	for i, r := range granted {
		if !used[i] && !slices.ContainsFunc(excused, func(e excuse) bool {
			return e.group == r.group && e.resource == r.resource && slices.Contains(e.verbs, r.verb)
		}) {
			faults["not used: "+r.String()] = true
		}
	}
	var all []string
	for f := range faults {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}
