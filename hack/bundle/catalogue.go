package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const (
	templateFile  = "catalog/template.yaml"
	catalogueFile = "catalog/" + Package + "/catalog.yaml"
)

// A blob is one entry of a file-based catalogue.
type blob = map[string]any

// catalogue renders the template: an entry that is a bundle's image is replaced by what the bundle holds. This version's
// is read from the files that are rendered with it; what was said of earlier ones never changes, and is kept.
func (s *Source) catalogue(csv *operatorsv1alpha1.ClusterServiceVersion, image string) ([]byte, error) {
	var template struct {
		Schema  string `json:"schema"`
		Entries []blob `json:"entries"`
	}
	if err := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(s.Template), 4096).Decode(&template); err != nil {
		return nil, fmt.Errorf("cannot parse the catalogue's template: %w", err)
	}
	earlier, err := blobs(s.Catalogue)
	if err != nil {
		return nil, err
	}
	out := make([]blob, 0, len(template.Entries))
	for _, entry := range template.Entries {
		name, _ := entry["name"].(string)
		switch {
		case entry["schema"] == "olm.package":
			entry["icon"] = map[string]any{"base64data": csv.Spec.Icon[0].Data, "mediatype": csv.Spec.Icon[0].MediaType}
		case entry["schema"] == "olm.bundle" && name == csv.Name:
			if entry, err = Entry(csv, image); err != nil {
				return nil, err
			}
		case entry["schema"] == "olm.bundle":
			if entry, err = kept(earlier, name); err != nil {
				return nil, err
			}
		}
		out = append(out, entry)
	}
	return stream(out)
}

// Channel is a whole catalogue of one channel, in which each bundle replaces the one before it. Tests serve it.
func Channel(bundles ...blob) ([]byte, error) {
	out := []blob{{"schema": "olm.package", "name": Package, "defaultChannel": DefaultChannel}}
	var entries []any
	var before any
	for _, b := range bundles {
		entry := blob{"name": b["name"]}
		if before != nil {
			entry["replaces"] = before
		}
		entries, before = append(entries, entry), b["name"]
	}
	out = append(out, blob{"schema": "olm.channel", "package": Package, "name": DefaultChannel, "entries": entries})
	return stream(append(out, bundles...))
}

func kept(earlier []blob, name string) (blob, error) {
	for _, entry := range earlier {
		if entry["schema"] == "olm.bundle" && entry["name"] == name {
			return entry, nil
		}
	}
	return nil, fmt.Errorf("the catalogue has lost %s: take it from the version control's history", name)
}

// Entry is what a catalogue says of a bundle.
func Entry(csv *operatorsv1alpha1.ClusterServiceVersion, image string) (blob, error) {
	var properties []any
	add := func(kind string, value any) { properties = append(properties, blob{"type": kind, "value": value}) }
	for _, crd := range csv.Spec.CustomResourceDefinitions.Owned {
		_, group, _ := strings.Cut(crd.Name, ".")
		add("olm.gvk", blob{"group": group, "kind": crd.Kind, "version": crd.Version})
	}
	add("olm.package", blob{"packageName": Package, "version": csv.Spec.Version.String()})
	add("olm.csv.metadata", blob{
		"annotations":           csv.Annotations,
		"apiServiceDefinitions": csv.Spec.APIServiceDefinitions,
		"crdDescriptions":       csv.Spec.CustomResourceDefinitions,
		"description":           csv.Spec.Description,
		"displayName":           csv.Spec.DisplayName,
		"installModes":          csv.Spec.InstallModes,
		"keywords":              csv.Spec.Keywords,
		"labels":                csv.Labels,
		"links":                 csv.Spec.Links,
		"maintainers":           csv.Spec.Maintainers,
		"maturity":              csv.Spec.Maturity,
		"minKubeVersion":        csv.Spec.MinKubeVersion,
		"provider":              csv.Spec.Provider,
	})
	related := []any{blob{"name": "", "image": image}}
	for _, r := range csv.Spec.RelatedImages {
		related = append(related, blob{"name": r.Name, "image": r.Image})
	}
	return plain(blob{
		"schema": "olm.bundle", "name": csv.Name, "package": Package, "image": image,
		"properties": properties, "relatedImages": related,
	})
}

// plain is a blob without Go types of ours.
func plain(b blob) (blob, error) {
	content, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("cannot write a catalogue's entry: %w", err)
	}
	var out blob
	return out, json.Unmarshal(content, &out)
}

// blobs are the entries of a rendered catalogue.
func blobs(catalogue []byte) ([]blob, error) {
	var out []blob
	decoder := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(catalogue), 4096)
	for {
		var b blob
		if err := decoder.Decode(&b); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("cannot parse the catalogue: %w", err)
		}
		if b != nil {
			out = append(out, b)
		}
	}
}
