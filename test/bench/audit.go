package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/meteor-zone/meteor-operator/hack/operator"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/auditlog"
)

// account is who the manager is to the API server.
const account = "system:serviceaccount:" + operator.Namespace + ":" + operator.Deployment

// audit is the API server's audit log.
type audit struct{ file string }

// request is what the manager asked for.
type request struct {
	verb      string
	resource  string // with the subresource
	namespace string
	// pod is which of the manager's pods asked.
	pod string
}

// group is what a request counts as.
type group string

const (
	groupWrite group = "write"
	// groupStream are writes of ImageStreams, which are told apart.
	groupStream group = "imagestream"
	groupEvent  group = "event"
	groupRead   group = "live read"
	// groupUpkeep is what does not follow from any object: the lease, the questions who may read metrics, the looks at
	// what the cluster offers, and the caches' watches.
	groupUpkeep group = "upkeep"
)

func (r request) group() group {
	switch r.resource {
	case "", "leases", "tokenreviews", "subjectaccessreviews":
		return groupUpkeep
	case "events":
		return groupEvent
	}
	switch {
	case r.verb == "watch":
		return groupUpkeep
	case r.verb == "get", r.verb == "list":
		return groupRead
	case r.resource == "imagestreams":
		return groupStream
	default:
		return groupWrite
	}
}

// since reads what the manager has asked for since.
func (a audit) since(from auditlog.Mark) ([]request, error) {
	var all []request
	err := auditlog.Read(a.file, from, func(line []byte) error {
		r, ok, err := parse(line)
		if ok {
			all = append(all, r)
		}
		return err
	})
	return all, err
}

// entry is the part of an audit event that is looked at.
type entry struct {
	Stage string `json:"stage"`
	Verb  string `json:"verb"`
	User  struct {
		Username string              `json:"username"`
		Extra    map[string][]string `json:"extra"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
	} `json:"objectRef"`
}

// parse reads one line, and tells whether it is the end of a request of the manager's.
func parse(line []byte) (request, bool, error) {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return request{}, false, err
	}
	if e.User.Username != account || e.Stage != "ResponseComplete" && e.Stage != "Panic" {
		return request{}, false, nil
	}
	r := request{verb: e.Verb, resource: e.ObjectRef.Resource, namespace: e.ObjectRef.Namespace}
	if e.ObjectRef.Subresource != "" {
		r.resource += "/" + e.ObjectRef.Subresource
	}
	if pod := e.User.Extra["authentication.kubernetes.io/pod-name"]; len(pod) > 0 {
		r.pod = pod[0]
	}
	return r, true, nil
}

// concerning leaves what has to do with a namespace, or with none.
func concerning(all []request, namespace string) []request {
	return slices.DeleteFunc(slices.Clone(all), func(r request) bool { return r.namespace != "" && r.namespace != namespace })
}

func countOf(all []request, g group) int {
	n := 0
	for _, r := range all {
		if r.group() == g {
			n++
		}
	}
	return n
}

// tell prints requests by verb and resource.
func tell(what string, all []request) {
	n := map[string]int{}
	for _, r := range all {
		if r.group() != groupUpkeep {
			n[fmt.Sprintf("%-11s %-6s %s", r.group(), r.verb, r.resource)]++
		}
	}
	fmt.Fprintf(os.Stderr, "%s:\n", what)
	var lines []string
	for line, n := range n {
		lines = append(lines, fmt.Sprintf("  %4d  %s", n, line))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintln(os.Stderr, line)
	}
}
