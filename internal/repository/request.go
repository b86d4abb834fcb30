package repository

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Request is what the trusted first step of a build tells the untrusted ones, in a folder that they can only read.
type Request struct {
	// Name is what the content is called in the image and for the notebook.
	Name string `json:"name"`
	// URL and Commit say where it comes from.
	URL    string `json:"url"`
	Commit string `json:"commit"`
	// Plan is how it is built, Wishes what is installed; PostBuild says that there is such a program.
	Plan      *Plan   `json:"plan"`
	Wishes    *Wishes `json:"wishes"`
	PostBuild bool    `json:"postBuild"`
}

const (
	requestFile      = "request.json"
	contentDir       = "content"
	requirementsFile = "requirements.txt"
	constraintsFile  = "constraints.txt"
)

var plainName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// NameOf makes a folder's name of a repository's URL.
func NameOf(url string) string {
	name := strings.TrimSuffix(strings.TrimRight(url, "/"), ".git")
	name = strings.Trim(plainName.ReplaceAllString(path.Base(strings.ReplaceAll(name, ":", "/")), "-"), ".-")
	if name == "" {
		return "repository"
	}
	return name[:min(len(name), 100)]
}

// Content is where the repository's files are in the folder of a request.
func Content(dir string) string { return filepath.Join(dir, contentDir) }

// Save writes the request into a folder that has the content already.
func (q *Request) Save(dir string) error {
	data, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("cannot encode request: %w", err)
	}
	requirements := q.Wishes.Requirements
	if len(q.Wishes.Constraints) > 0 {
		requirements = append([]string{"--constraint " + filepath.Join(dir, constraintsFile)}, requirements...)
	}
	return errors.Join(
		write(dir, requestFile, string(data)),
		write(dir, requirementsFile, lines(requirements)),
		write(dir, constraintsFile, lines(q.Wishes.Constraints)))
}

func lines(all []string) string {
	var b strings.Builder
	for _, line := range all {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func write(dir, name, content string) error {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o444); err != nil {
		return fmt.Errorf("cannot write request: %w", err)
	}
	return nil
}

// Load reads a request.
func Load(dir string) (*Request, error) {
	data, err := os.ReadFile(filepath.Join(dir, requestFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read request: %w", err)
	}
	q := &Request{}
	if err := json.Unmarshal(data, q); err != nil {
		return nil, fmt.Errorf("cannot read request: %w", err)
	}
	return q, nil
}
