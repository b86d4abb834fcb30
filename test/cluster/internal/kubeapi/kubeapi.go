// Package kubeapi asks an apiserver the few things that bringing a cluster up
// must know, without a client library.
package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// Client speaks to one apiserver as one user.
type Client struct {
	server string
	http   *http.Client
}

type kubeconfig struct {
	Clusters []struct {
		Cluster struct {
			Server string `json:"server"`
			CA     []byte `json:"certificate-authority-data"`
		} `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		User struct {
			Cert []byte `json:"client-certificate-data"`
			Key  []byte `json:"client-key-data"`
		} `json:"user"`
	} `json:"users"`
}

// FromKubeconfig makes a client for the first cluster and the first user of a
// kubeconfig.
func FromKubeconfig(file string) (*Client, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the kubeconfig: %w", err)
	}
	var config kubeconfig
	if err := yaml.Unmarshal(content, &config); err != nil {
		return nil, fmt.Errorf("cannot read the kubeconfig %s: %w", file, err)
	}
	if len(config.Clusters) == 0 || len(config.Users) == 0 {
		return nil, fmt.Errorf("the kubeconfig %s names no cluster or no user", file)
	}
	cluster, user := config.Clusters[0].Cluster, config.Users[0].User
	pair, err := tls.X509KeyPair(user.Cert, user.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate in %s: %w", file, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(cluster.CA) {
		return nil, fmt.Errorf("cannot read the authority in %s", file)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	return &Client{server: cluster.Server, http: &http.Client{Transport: transport}}, nil
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get reads a path of the API into an object, when there is one to read into.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}

// Create posts an object to a path of the API.
func (c *Client) Create(ctx context.Context, path string, object any) error {
	content, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("cannot encode an object for %s: %w", path, err)
	}
	_, err = c.do(ctx, http.MethodPost, path, content)
	return err
}

func (c *Client) do(ctx context.Context, method, path string, content []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, errors.New(message(resp.Status, body))
	}
	return body, nil
}

// message is what the apiserver says in an error.
func message(status string, body []byte) string {
	var s struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &s); err == nil && s.Message != "" {
		return s.Message
	}
	return strings.TrimSpace(status + ": " + string(body))
}
