package python

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
)

// The parts of CycloneDX 1.5 that are used.
type (
	bom struct {
		Format       string      `json:"bomFormat"`
		SpecVersion  string      `json:"specVersion"`
		SerialNumber string      `json:"serialNumber"`
		Version      int         `json:"version"`
		Metadata     bomMetadata `json:"metadata"`
		Components   []component `json:"components"`
	}
	bomMetadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref,omitempty"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl,omitempty"`
		Hashes     []bomHash  `json:"hashes,omitempty"`
		References []bomLink  `json:"externalReferences,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	bomHash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	bomLink struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// SBOM lists what the lock adds to an image, in CycloneDX's JSON. It holds no time, and its serial number follows
// from the lock and the image, so that the same build gives the same document.
func (l *Lock) SBOM(image string) ([]byte, error) {
	doc := bom{
		Format: "CycloneDX", SpecVersion: "1.5", Version: 1, SerialNumber: serial(image, l.Requirements()),
		Metadata:   bomMetadata{Component: component{Type: "container", Name: image}},
		Components: []component{},
	}
	for _, p := range l.Packages {
		doc.Components = append(doc.Components, p.component())
	}
	data, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode bill of materials: %w", err)
	}
	return append(data, '\n'), nil
}

func (p Package) component() component {
	purl := "pkg:pypi/" + p.Name + "@" + url.PathEscape(p.Version)
	c := component{Type: "library", Ref: purl, Name: p.Name, Version: p.Version, PURL: purl}
	// With several hashes it is not known which file was installed.
	if len(p.SHA256) == 1 {
		c.Hashes = []bomHash{{Algorithm: "SHA-256", Content: p.SHA256[0]}}
	}
	if p.URL != "" {
		c.References = []bomLink{{Type: "distribution", URL: p.URL}}
	}
	if p.Yanked {
		c.Properties = []property{{Name: "meteor:yanked", Value: "true"}}
	}
	return c
}

// serial makes a UUID of what the document is about (version 8: of the maker's own devising).
func serial(image string, lock []byte) string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s\n%s", image, lock))
	id := hash[:16]
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
