package install

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// Whether somebody changed an object can be told from its metadata alone. The API server keeps a list of the fields
// that are ours, and whoever changes or removes one of them takes it off that list, while what others add never shows
// there. What Tekton's webhook fills in is nobody's. So an object is as it was applied when its label has the right
// revision and the list holds every field of what was applied.

// Reduce leaves of an object's metadata what it is judged by. It is what the caches hold. The objects of all namespaces
// share what they have in common, so nothing of it may be changed.
func Reduce(obj any) (any, error) {
	meta, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	// An annotation can hold the whole object, with all that a Secret keeps.
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: common.text(meta.Kind), APIVersion: common.text(meta.APIVersion)},
		ObjectMeta: metav1.ObjectMeta{
			Name:              common.text(meta.Name),
			Namespace:         common.text(meta.Namespace),
			UID:               meta.UID,
			ResourceVersion:   meta.ResourceVersion,
			DeletionTimestamp: meta.DeletionTimestamp,
			Labels:            common.labels(meta.Labels[v1alpha1.LabelRevision]),
			OwnerReferences:   common.owners(meta.OwnerReferences),
			ManagedFields:     common.fields(Fields(meta)),
		},
	}, nil
}

// common is what objects share.
var common pool

// pool holds one of each of what many objects have the same of.
type pool struct {
	mu    sync.Mutex
	parts map[string]part
}

// part is a part of an object's metadata.
type part struct {
	labels map[string]string
	owners []metav1.OwnerReference
	fields []metav1.ManagedFieldsEntry
}

// maxParts bounds the pool, which whoever edits objects can fill. What is dropped from it is shared no more.
const maxParts = 4096

func (p *pool) get(key string, make func() part) part {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok := p.parts[key]
	if !ok {
		if p.parts == nil || len(p.parts) >= maxParts {
			p.parts = map[string]part{}
		}
		one = make()
		p.parts[key] = one
	}
	return one
}

func (p *pool) labels(revision string) map[string]string {
	if revision == "" {
		return nil
	}
	return p.get("l"+revision, func() part {
		return part{labels: map[string]string{v1alpha1.LabelRevision: revision}}
	}).labels
}

func (p *pool) owners(refs []metav1.OwnerReference) []metav1.OwnerReference {
	if len(refs) == 0 {
		return nil
	}
	key := "o"
	for _, ref := range refs {
		key += string(ref.UID) + " "
	}
	return p.get(key, func() part {
		var owners []metav1.OwnerReference
		for _, ref := range refs {
			owners = append(owners, metav1.OwnerReference{APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name, UID: ref.UID})
		}
		return part{owners: owners}
	}).owners
}

func (p *pool) fields(list string) []metav1.ManagedFieldsEntry {
	if list == "" {
		return nil
	}
	return p.get("f"+list, func() part {
		return part{fields: []metav1.ManagedFieldsEntry{{
			Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationApply, FieldsType: list,
		}}}
	}).fields
}

// text returns an equal text of which there is one.
func (*pool) text(text string) string { return unique.Make(text).Value() }

// Fields lists the fields of an object that were applied by the operator; it is empty when none were. The object may be
// a reduced one.
func Fields(obj metav1.Object) string {
	for _, entry := range obj.GetManagedFields() {
		if entry.Manager != FieldOwner || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" {
			continue
		}
		if entry.FieldsV1 != nil {
			return entry.FieldsV1.GetRawString()
		}
		return entry.FieldsType
	}
	return ""
}

// Judge tells whether objects are as they were applied. It remembers what it was asked.
type Judge struct {
	mu   sync.Mutex
	seen map[question]bool
}

// question is whether a list of fields holds everything of an object.
type question struct {
	object   Key
	revision string
	fields   string
}

// maxSeen bounds what a Judge remembers.
const maxSeen = 4096

// NewJudge returns a Judge that remembers nothing.
func NewJudge() *Judge { return &Judge{seen: map[question]bool{}} }

// Current tells whether what meta belongs to is o as it was applied for config.
func (j *Judge) Current(o Object, meta *metav1.PartialObjectMetadata, config *v1alpha1.CNBiConfig) bool {
	if meta.Labels[v1alpha1.LabelRevision] != o.Revision || !Owned(meta, config) {
		return false
	}
	q := question{o.Key, o.Revision, Fields(meta)}
	j.mu.Lock()
	defer j.mu.Unlock()
	answer, ok := j.seen[q]
	if !ok {
		answer = covers(q.fields, o.owned(config).Object)
		j.note(q, answer)
	}
	return answer
}

// Learn has the Judge know what the API server answered when o was applied: nothing is missing there.
func (j *Judge) Learn(o Object, answer metav1.Object) {
	fields := Fields(answer)
	if fields == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(question{o.Key, o.Revision, fields}, true)
}

func (j *Judge) note(q question, answer bool) {
	if len(j.seen) >= maxSeen {
		clear(j.seen)
	}
	j.seen[q] = answer
}

// identity are the fields of an object that belong to nobody.
var identity = []string{"apiVersion", "kind"}

// covers tells whether a list of fields, as the API server writes it, holds every field of an object.
func covers(fields string, obj map[string]any) bool {
	var list map[string]any
	if err := json.Unmarshal([]byte(fields), &list); err != nil || len(list) == 0 {
		return false
	}
	rest := map[string]any{}
	for k, v := range obj {
		if !slices.Contains(identity, k) {
			rest[k] = v
		}
	}
	if meta, ok := rest["metadata"].(map[string]any); ok {
		rest["metadata"] = map[string]any{
			"labels": meta["labels"], "annotations": meta["annotations"], "ownerReferences": meta["ownerReferences"],
		}
	}
	return holds(list, rest)
}

// holds tells whether a node of the list holds a value. A node without children stands for the whole value.
func holds(node map[string]any, value any) bool {
	if len(node) == 0 {
		return true
	}
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			child, ok := node["f:"+k].(map[string]any)
			if v != nil && (!ok || !holds(child, v)) {
				return false
			}
		}
	case []any:
		for _, item := range value {
			if !holdsItem(node, item) {
				return false
			}
		}
	}
	return true
}

// holdsItem tells whether the node of a list holds one of its items, found by its keys or its value.
func holdsItem(node map[string]any, item any) bool {
	for name, child := range node {
		children, _ := child.(map[string]any)
		if keys, ok := strings.CutPrefix(name, "k:"); ok && hasKeys(keys, item) {
			return holds(children, item)
		}
		if text, ok := strings.CutPrefix(name, "v:"); ok && text == encoded(item) {
			return true
		}
	}
	return false
}

// hasKeys tells whether an item of a list has the given keys, some of which the API server may have filled in.
func hasKeys(encodedKeys string, item any) bool {
	var keys map[string]any
	fields, ok := item.(map[string]any)
	if !ok || json.Unmarshal([]byte(encodedKeys), &keys) != nil {
		return false
	}
	for k, want := range keys {
		if got, ok := fields[k]; ok && fmt.Sprint(got) != fmt.Sprint(want) {
			return false
		}
	}
	return true
}

func encoded(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(data)
}
