package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// account is who the manager is to the API server.
const account = "system:serviceaccount:meteor-operator-system:meteor-operator-controller-manager"

// files hold the manager's own roles. The others in the folder are for people.
var files = []string{"role.yaml", "cluster_role.yaml", "leader_election_role.yaml", "metrics_auth_role.yaml"}

// right is what may be done to what. Without a name it is any.
type right struct {
	group, resource, verb, name string
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
	return text
}

// covers tells whether a request needs no other right.
func (r right) covers(q request) bool {
	return r.group == q.group && r.resource == q.resource && r.verb == q.verb && (r.name == "" || r.name == q.name)
}

// request is what was asked for.
type request struct {
	right
	refused bool
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
	{"", "events", []string{"create", "patch"}, "a new leader is announced only when another led before"},
}

// open are requests that everybody who has a name may make.
var open = []right{
	{group: "authorization.k8s.io", resource: "selfsubjectaccessreviews", verb: "create"},
	{group: "authorization.k8s.io", resource: "selfsubjectrulesreviews", verb: "create"},
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
			for _, rule := range role.Rules {
				all = append(all, expand(rule)...)
			}
		}
	}
	return all, nil
}

func expand(rule rbacv1.PolicyRule) []right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var all []right
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				for _, name := range names {
					all = append(all, right{group, resource, verb, name})
				}
			}
		}
	}
	return all
}

// event is the part of an audit event that is looked at.
type event struct {
	Stage string `json:"stage"`
	Verb  string `json:"verb"`
	User  struct {
		Username string `json:"username"`
	} `json:"user"`
	Of *struct {
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	Annotations map[string]string `json:"annotations"`
}

// parse reads one line. A patch that made an object used the right to create it too.
func parse(line []byte) ([]request, bool, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, false, fmt.Errorf("cannot read the audit log: %w", err)
	}
	if e.User.Username != account || e.Of == nil || e.Of.Resource == "" {
		return nil, false, nil
	}
	r := request{
		right:   right{e.Of.Group, e.Of.Resource, e.Verb, e.Of.Name},
		refused: e.Annotations["authorization.k8s.io/decision"] == "forbid",
	}
	if e.Of.Subresource != "" {
		r.resource += "/" + e.Of.Subresource
	}
	all := []request{r}
	if e.Verb == "patch" && e.Response.Code == http.StatusCreated {
		r.verb = "create"
		all = append(all, r)
	}
	return all, true, nil
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
		covered := slices.ContainsFunc(open, func(r right) bool { return r.covers(q) })
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
