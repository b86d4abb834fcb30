package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// account is who the manager is to the API server.
const account = "system:serviceaccount:" + operatorNamespace + ":meteor-operator-controller-manager"

// policy has the API server note who asked for what.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: None
  nonResourceURLs: ["/*"]
- level: None
  users: ["system:apiserver", "system:admin"]
- level: Metadata
`

// request is what somebody asked for.
type request struct {
	user, verb, resource, namespace, name string
	// at is when the answer was complete.
	at time.Time
}

func (r request) writes() bool { return r.verb != "get" && r.verb != "list" && r.verb != "watch" }

// inNamespace tells whether a request concerns a namespace of builds.
func inNamespace(r request) bool { return r.namespace != "" && r.namespace != operatorNamespace }

// audit is what the manager has asked for since.
func (w *world) audit(since mark) ([]request, error) {
	all, err := w.auditOfAll(since)
	var own []request
	for _, r := range all {
		if r.user == account {
			own = append(own, r)
		}
	}
	return own, err
}

// auditOfAll is what everybody has asked for since.
func (w *world) auditOfAll(since mark) ([]request, error) {
	file, err := os.Open(w.auditLog)
	if err != nil {
		return nil, fmt.Errorf("cannot open the audit log: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(int64(since), io.SeekStart); err != nil {
		return nil, fmt.Errorf("cannot read the audit log: %w", err)
	}
	var all []request
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil // a line without its end is being written
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the audit log: %w", err)
		}
		var e struct {
			Verb string    `json:"verb"`
			At   time.Time `json:"stageTimestamp"`
			User struct {
				Username string `json:"username"`
			} `json:"user"`
			Of struct {
				Resource, Subresource, Namespace, Name string
			} `json:"objectRef"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("cannot read the audit log: %w", err)
		}
		all = append(all, request{e.User.Username, e.Verb, e.Of.Resource, e.Of.Namespace, e.Of.Name, e.At})
	}
}

// mark is a place in the log.
type mark int64

// now is the log's end.
func (w *world) now() mark {
	info, err := os.Stat(w.auditLog)
	if err != nil {
		return 0
	}
	return mark(info.Size())
}

func count(all []request, which func(request) bool) int {
	n := 0
	for _, r := range all {
		if which(r) {
			n++
		}
	}
	return n
}

// perObject tells how many objects were written in namespaces, and how often the one that was written most.
func perObject(all []request) (objects, most int) {
	writes := map[request]int{}
	for _, r := range all {
		if inNamespace(r) && r.writes() {
			key := request{resource: r.resource, namespace: r.namespace, name: r.name}
			writes[key]++
			most = max(most, writes[key])
		}
	}
	return len(writes), most
}
