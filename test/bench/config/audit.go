package main

import (
	"github.com/meteor-zone/meteor-operator/test/bench/internal/apiserver"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/auditlog"
)

// rules have the API server note who asked for what.
const rules = `- level: None
  nonResourceURLs: ["/*"]
- level: None
  users: ["system:apiserver", "system:admin"]
- level: Metadata
`

// inNamespace tells whether a request concerns a namespace of builds.
func inNamespace(r apiserver.Request) bool {
	return r.Namespace != "" && r.Namespace != apiserver.OperatorNamespace
}

// audit is what the manager has asked for since.
func (w *world) audit(since auditlog.Mark) ([]apiserver.Request, error) {
	all, err := w.Audit(since)
	var own []apiserver.Request
	for _, r := range all {
		if r.User == apiserver.Account {
			own = append(own, r)
		}
	}
	return own, err
}

func count(all []apiserver.Request, which func(apiserver.Request) bool) int {
	n := 0
	for _, r := range all {
		if which(r) {
			n++
		}
	}
	return n
}

// perObject tells how many objects were written in namespaces, and how often the one that was written most.
func perObject(all []apiserver.Request) (objects, most int) {
	type object struct{ resource, namespace, name string }
	writes := map[object]int{}
	for _, r := range all {
		if inNamespace(r) && r.Writes() {
			key := object{r.Resource, r.Namespace, r.Name}
			writes[key]++
			most = max(most, writes[key])
		}
	}
	return len(writes), most
}
