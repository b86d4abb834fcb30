package book

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Port is where a site's server listens.
const Port = 8080

// Tool is what a book was built with.
type Tool string

// The tools.
const (
	JupyterBook Tool = "JupyterBook"
	Sphinx      Tool = "Sphinx"
	Nbconvert   Tool = "Nbconvert"
)

var tools = []Tool{JupyterBook, Sphinx, Nbconvert}

const (
	maxReport = 1 << 10
	maxPages  = 1_000_000
)

// Report is what is told of a book that was built.
type Report struct {
	Tool Tool `json:"tool"`
	// Pages counts the HTML files, without indexes.
	Pages int `json:"pages"`
	// Bytes is what all files hold.
	Bytes int64 `json:"bytes"`
}

// ParseReport reads a Report as another process wrote it, which is not trusted.
func ParseReport(data []byte) (*Report, error) {
	if len(data) > maxReport {
		return nil, fmt.Errorf("cannot parse report: %d bytes are more than %d", len(data), maxReport)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("cannot parse report: %w", err)
	}
	if !slices.Contains(tools, r.Tool) || r.Pages < 0 || r.Pages > maxPages || r.Bytes < 0 {
		return nil, fmt.Errorf("cannot parse report: it tells of what cannot be")
	}
	return &r, nil
}
