package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// spdx is the media type of the bills.
const spdx = "application/spdx+json"

type (
	spdxDocument struct {
		SPDXID            string             `json:"SPDXID"`
		Version           string             `json:"spdxVersion"`
		Licence           string             `json:"dataLicense"`
		Name              string             `json:"name"`
		DocumentNamespace string             `json:"documentNamespace"`
		Creation          spdxCreation       `json:"creationInfo"`
		Packages          []spdxPackage      `json:"packages"`
		Relationships     []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		SPDXID           string          `json:"SPDXID"`
		Name             string          `json:"name"`
		Version          string          `json:"versionInfo,omitempty"`
		DownloadLocation string          `json:"downloadLocation"`
		FilesAnalyzed    bool            `json:"filesAnalyzed"`
		Concluded        string          `json:"licenseConcluded"`
		Declared         string          `json:"licenseDeclared"`
		Copyright        string          `json:"copyrightText"`
		References       []spdxReference `json:"externalRefs,omitempty"`
	}
	spdxReference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// billOfMaterials says what an image is made of. It bears no time, so that the same image gives the same bill.
func billOfMaterials(img v1.Image, platform v1.Platform, version string, modules []debug.Module) ([]byte, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, fmt.Errorf("cannot compute the digest: %w", err)
	}
	const unknown = "NOASSERTION"
	root := spdxPackage{
		SPDXID: "SPDXRef-image", Name: "meteor-operator (" + platform.String() + ")", Version: version, DownloadLocation: unknown,
		Concluded: "Apache-2.0", Declared: "Apache-2.0", Copyright: unknown,
		References: []spdxReference{{"PACKAGE-MANAGER", "purl", "pkg:oci/meteor-operator@" + strings.ReplaceAll(digest.String(), ":", "%3A")}},
	}
	bill := spdxDocument{
		SPDXID: "SPDXRef-DOCUMENT", Version: "SPDX-2.3", Licence: "CC0-1.0", Name: root.Name,
		DocumentNamespace: "https://github.com/meteor-zone/meteor-operator/sbom/" + digest.Hex,
		Creation:          spdxCreation{Created: "1970-01-01T00:00:00Z", Creators: []string{"Tool: meteor-operator/hack/image"}},
		Packages:          []spdxPackage{root},
		Relationships:     []spdxRelationship{{"SPDXRef-DOCUMENT", "DESCRIBES", root.SPDXID}},
	}
	for i, module := range modules {
		p := spdxPackage{
			SPDXID: fmt.Sprintf("SPDXRef-module-%d", i), Name: module.Path, Version: module.Version, DownloadLocation: unknown,
			Concluded: unknown, Declared: unknown, Copyright: unknown,
			References: []spdxReference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + module.Path + "@" + module.Version}},
		}
		bill.Packages = append(bill.Packages, p)
		bill.Relationships = append(bill.Relationships, spdxRelationship{root.SPDXID, "CONTAINS", p.SPDXID})
	}
	return json.MarshalIndent(bill, "", " ")
}
