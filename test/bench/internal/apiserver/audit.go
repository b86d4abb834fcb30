package apiserver

import (
	"encoding/json"
	"time"

	"github.com/meteor-zone/meteor-operator/test/bench/internal/auditlog"
)

// Request is what somebody asked for.
type Request struct {
	User, Verb, Resource, Namespace, Name string
	// Status is the answer's.
	Status int
	// At is when the answer was complete.
	At time.Time
}

// Writes tells whether a request is more than a look.
func (r Request) Writes() bool { return r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" }

func (s *Server) auditLog() string { return s.file("audit.log") }

// Now is the end of the audit log. It is also its beginning where there is none yet.
func (s *Server) Now() auditlog.Mark {
	now, err := auditlog.End(s.auditLog())
	if err != nil {
		return 0
	}
	return now
}

// Audit is what everybody has asked for since, as far as the policy has it noted.
func (s *Server) Audit(since auditlog.Mark) ([]Request, error) {
	var all []Request
	err := auditlog.Read(s.auditLog(), since, func(line []byte) error {
		r, err := parse(line)
		all = append(all, r)
		return err
	})
	return all, err
}

func parse(line []byte) (Request, error) {
	var e struct {
		Verb string    `json:"verb"`
		At   time.Time `json:"stageTimestamp"`
		User struct {
			Username string `json:"username"`
		} `json:"user"`
		Ref struct {
			Resource  string `json:"resource"`
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"objectRef"`
		Status struct {
			Code int `json:"code"`
		} `json:"responseStatus"`
	}
	err := json.Unmarshal(line, &e)
	return Request{
		User: e.User.Username, Verb: e.Verb, Resource: e.Ref.Resource, Namespace: e.Ref.Namespace, Name: e.Ref.Name,
		Status: e.Status.Code, At: e.At,
	}, err
}
