package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
)

// handler serves what Control asks for.
func (s *supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /programs", func(w http.ResponseWriter, _ *http.Request) {
		// A failed write is the reader's loss; there is nobody else to tell.
		_ = json.NewEncoder(w).Encode(s.status())
	})
	mux.HandleFunc("POST /programs/{name}/start", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.start(r.PathValue("name")))
	})
	mux.HandleFunc("POST /programs/{name}/stop", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.stop(r.PathValue("name")))
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// Control speaks to a running node from outside.
type Control struct{ client http.Client }

// NewControl returns a Control of the node with the root given.
func NewControl(root string) *Control {
	socket := filepath.Join(root, ControlSocket)
	return &Control{client: http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Status tells how the node's programs fare.
func (c *Control) Status(ctx context.Context) ([]Status, error) {
	body, err := c.do(ctx, http.MethodGet, "/programs")
	if err != nil {
		return nil, err
	}
	var all []Status
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, fmt.Errorf("cannot read the node's answer: %w", err)
	}
	return all, nil
}

// Start starts one of the node's programs, unless it runs.
func (c *Control) Start(ctx context.Context, name string) error {
	_, err := c.do(ctx, http.MethodPost, "/programs/"+name+"/start")
	return err
}

// Stop ends one of the node's programs until it is started again.
func (c *Control) Stop(ctx context.Context, name string) error {
	_, err := c.do(ctx, http.MethodPost, "/programs/"+name+"/stop")
	return err
}

func (c *Control) do(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://node"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the node does not answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("cannot read the node's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(body)))
	}
	return body, nil
}
