package rights

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// request is what was asked for.
type request struct {
	right
	refused bool
	// implied is true for what was not asked for, but would have been otherwise.
	implied bool
}

// readLogs reads what the manager has asked for since a moment, from the log and from those that were put aside when
// they had grown large.
func readLogs(log string, since time.Time) ([]request, error) {
	extension := filepath.Ext(log)
	files, err := filepath.Glob(strings.TrimSuffix(log, extension) + "-*" + extension)
	if err != nil {
		return nil, fmt.Errorf("cannot look for the audit log: %w", err)
	}
	var all []request
	for _, name := range append(files, log) {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open the audit log: %w", err)
		}
		asked, err := readLog(file, since)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		all = append(all, asked...)
	}
	return all, nil
}

func readLog(log io.Reader, since time.Time) ([]request, error) {
	var all []request
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil // a line without its end is being written
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the audit log: %w", err)
		}
		asked, err := parse(line, since)
		if err != nil {
			return nil, err
		}
		all = append(all, asked...)
	}
}

// event is the part of an audit event that is looked at.
type event struct {
	URI      string    `json:"requestURI"`
	Verb     string    `json:"verb"`
	Received time.Time `json:"requestReceivedTimestamp"`
	User     struct {
		Username string `json:"username"`
	} `json:"user"`
	Of *struct {
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	Annotations map[string]string `json:"annotations"`
}

// parse reads one line. A patch that made an object used the right to create it too. A watch that begins with what is
// there stands for a list: client-go asks for that instead wherever an API server does not offer the other.
func parse(line []byte, since time.Time) ([]request, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("cannot read the audit log: %w", err)
	}
	if e.User.Username != account || e.Of == nil || e.Of.Resource == "" || e.Received.Before(since) {
		return nil, nil
	}
	r := request{
		right:   right{group: e.Of.Group, resource: e.Of.Resource, verb: e.Verb, namespace: e.Of.Namespace, name: e.Of.Name},
		refused: e.Annotations["authorization.k8s.io/decision"] == "forbid",
	}
	if e.Of.Subresource != "" {
		r.resource += "/" + e.Of.Subresource
	}
	all := []request{r}
	switch {
	case r.refused:
	case e.Verb == "patch" && e.Response.Code == http.StatusCreated:
		r.verb = "create"
		all = append(all, r)
	case e.Verb == "watch" && streamsList(e.URI):
		r.verb, r.implied = "list", true
		all = append(all, r)
	}
	return all, nil
}

func streamsList(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Query().Get("sendInitialEvents") == "true"
}
