package cnbiconfig

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// maxBundle bounds the certificate authorities of one namespace, in bytes: the API server takes objects of 1 MiB.
const maxBundle = 1000 << 10

// copier makes what is copied from the operator's namespace into those of builds.
type copier struct {
	// metadata is of the Secrets and ConfigMaps in the operator's namespace. What they hold is read when it has changed.
	metadata  cache.Cache
	direct    client.Reader
	namespace string

	mu   sync.Mutex
	read map[install.Key]reading
	// last is what was made last, and made holds what it was made of: nothing is made anew while nothing has changed.
	last copies
	made string
}

// reading is what was read of a source.
type reading struct {
	// seen is the version that the cache showed then.
	seen string
	// id is another for every other content.
	id   string
	data map[string][]byte
}

// copies are what namespaces get besides the manifests.
type copies struct {
	// id is another for every other set of copies.
	id      string
	objects []install.Object
	// missing are those that cannot be made. What there is of them stays as it is.
	missing map[install.Key]bool
	// wrong tells what keeps them from being made. It is the admin's to mend.
	wrong error
}

// origin is what a field of the CNBiConfig names.
type origin struct {
	install.Key
	field string
	// of is the key in a ConfigMap.
	of string
}

// sourceError says what is wrong with a source. It is the admin's to mend.
type sourceError struct{ message string }

// Error implements error.
func (e *sourceError) Error() string { return e.message }

// certificates are the sources of one key of the ConfigMap.
type certificates struct {
	key  string
	from []origin
}

func certificatesOf(spec *v1alpha1.CNBiConfigSpec) []certificates {
	all := []certificates{{key: "registry.crt"}, {key: "index.crt"}, {key: "git.crt"}}
	add := func(ref *v1alpha1.ConfigMapKeyReference, field string, to ...int) {
		if ref == nil {
			return
		}
		s := origin{Key: install.Key{GVK: install.ConfigMap, Name: ref.Name}, field: field, of: ref.Key}
		for _, i := range to {
			all[i].from = append(all[i].from, s)
		}
	}
	add(spec.Registry.CA, "spec.registry.ca", 0)
	add(spec.PackageIndex.CA, "spec.packageIndex.ca", 1)
	add(spec.Network.TrustedCA, "spec.network.trustedCA", 0, 1, 2)
	return all
}

// secretCopy is a Secret that is copied.
type secretCopy struct {
	name string
	from origin
	kind corev1.SecretType
	keys []string
}

func secretsOf(spec *v1alpha1.CNBiConfigSpec) []secretCopy {
	var all []secretCopy
	for _, s := range []struct {
		ref  *v1alpha1.SharedSecretReference
		copy secretCopy
	}{
		{spec.Registry.PushSecret, secretCopy{
			name: install.PushSecret, kind: corev1.SecretTypeDockerConfigJson, keys: []string{corev1.DockerConfigJsonKey},
			from: origin{field: "spec.registry.pushSecret"},
		}},
		{spec.PackageIndex.Credentials, secretCopy{
			name: install.IndexSecret, kind: corev1.SecretTypeBasicAuth, keys: []string{corev1.BasicAuthUsernameKey, corev1.BasicAuthPasswordKey},
			from: origin{field: "spec.packageIndex.credentials"},
		}},
	} {
		if s.ref == nil || s.ref.Source != v1alpha1.SecretFromOperator {
			continue
		}
		s.copy.from.Key = install.Key{GVK: install.Secret, Name: s.ref.Name}
		all = append(all, s.copy)
	}
	return all
}

// sourcesOf are all sources that the CNBiConfig names.
func sourcesOf(spec *v1alpha1.CNBiConfigSpec) []origin {
	var all []origin
	for _, c := range certificatesOf(spec) {
		all = append(all, c.from...)
	}
	for _, s := range secretsOf(spec) {
		all = append(all, s.from)
	}
	return all
}

// names tells whether the CNBiConfig has an object of the operator's namespace copied.
func names(spec *v1alpha1.CNBiConfigSpec, key install.Key) bool {
	return slices.ContainsFunc(sourcesOf(spec), func(s origin) bool { return s.Key == key })
}

// copies returns what the CNBiConfig has copied.
func (c *copier) copies(ctx context.Context, config *v1alpha1.CNBiConfig) (copies, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, err := c.stamp(ctx, config)
	if err != nil || of == c.made {
		return c.last, err
	}
	out := copies{missing: map[install.Key]bool{}}
	var wrong []error
	for _, w := range c.wanted(&config.Spec) {
		obj, err := w.make(ctx)
		var bad *sourceError
		switch {
		case errors.As(err, &bad):
			out.missing[w.key] = true
			wrong = append(wrong, bad)
		case err != nil:
			return copies{}, err
		case obj != nil:
			out.objects = append(out.objects, *obj)
			out.id = install.Hash(out.id, obj.String(), obj.Revision)
		}
	}
	out.wrong = errors.Join(wrong...)
	c.last, c.made = out, of
	maps.DeleteFunc(c.read, func(key install.Key, _ reading) bool { return !names(&config.Spec, key) })
	return out, nil
}

// wanted is something to copy.
type wanted struct {
	key  install.Key
	make func(context.Context) (*install.Object, error)
}

func (c *copier) wanted(spec *v1alpha1.CNBiConfigSpec) []wanted {
	all := []wanted{{
		install.Key{GVK: install.ConfigMap, Name: install.CAConfigMap},
		func(ctx context.Context) (*install.Object, error) { return c.bundle(ctx, spec) },
	}}
	for _, s := range secretsOf(spec) {
		all = append(all, wanted{
			install.Key{GVK: install.Secret, Name: s.name},
			func(ctx context.Context) (*install.Object, error) { return c.secret(ctx, s) },
		})
	}
	return all
}

// stamp is another whenever the copies may be others.
func (c *copier) stamp(ctx context.Context, config *v1alpha1.CNBiConfig) (string, error) {
	parts := []string{string(config.UID), strconv.FormatInt(config.Generation, 10)}
	for _, s := range sourcesOf(&config.Spec) {
		version, err := c.version(ctx, s)
		if err != nil {
			return "", err
		}
		parts = append(parts, s.String(), version)
	}
	return strings.Join(parts, " "), nil
}

// version is the version of a source that the cache shows; empty where there is none.
func (c *copier) version(ctx context.Context, s origin) (string, error) {
	if c.namespace == "" {
		return "", nil
	}
	meta := install.MetadataOf(s.GVK)
	err := c.metadata.Get(ctx, types.NamespacedName{Namespace: c.namespace, Name: s.Name}, meta, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot look for %s: %w", s.Key, err)
	}
	return string(meta.UID) + "/" + meta.ResourceVersion, nil
}

// bundle makes the ConfigMap of certificate authorities; nil when there are none to copy.
func (c *copier) bundle(ctx context.Context, spec *v1alpha1.CNBiConfigSpec) (*install.Object, error) {
	data := map[string]any{}
	size := 0
	for _, certs := range certificatesOf(spec) {
		var all bytes.Buffer
		seen := map[string]bool{}
		for _, s := range certs.from {
			r, err := c.open(ctx, s)
			if err != nil {
				return nil, err
			}
			content, ok := r.data[s.of]
			if !ok {
				return nil, &sourceError{fmt.Sprintf("ConfigMap %q in namespace %q, which %s names, has no key %q", s.Name, c.namespace, s.field, s.of)}
			}
			if !appendCertificates(&all, seen, content) {
				return nil, &sourceError{fmt.Sprintf("Key %q of ConfigMap %q in namespace %q, which %s names, holds no certificate in PEM", s.of, s.Name, c.namespace, s.field)}
			}
		}
		if all.Len() > 0 {
			data[certs.key] = all.String()
			size += all.Len()
		}
	}
	if size > maxBundle {
		return nil, &sourceError{fmt.Sprintf("The certificate authorities to copy take %d bytes together, and no more than %d fit into a ConfigMap: name fewer", size, maxBundle)}
	}
	if len(data) == 0 {
		return nil, nil
	}
	return newCopy(install.ConfigMap, install.CAConfigMap, map[string]any{"data": data}, "")
}

// appendCertificates adds the certificates that are not there yet, and tells whether there were any.
func appendCertificates(to *bytes.Buffer, seen map[string]bool, content []byte) bool {
	found := false
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			return found
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		found = true
		if seen[string(block.Bytes)] {
			continue
		}
		seen[string(block.Bytes)] = true
		to.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
	}
}

// secret makes the copy of a Secret. Its revision says which version was copied and nothing of what it holds.
func (c *copier) secret(ctx context.Context, s secretCopy) (*install.Object, error) {
	r, err := c.open(ctx, s.from)
	if err != nil {
		return nil, err
	}
	data := map[string]any{}
	for _, key := range s.keys {
		content, ok := r.data[key]
		if !ok {
			return nil, &sourceError{fmt.Sprintf("Secret %q in namespace %q, which %s names, lacks the key %q: it should be of type %s", s.from.Name, c.namespace, s.from.field, key, s.kind)}
		}
		if key == corev1.DockerConfigJsonKey && json.Unmarshal(content, &map[string]any{}) != nil {
			return nil, &sourceError{fmt.Sprintf("Key %q of Secret %q in namespace %q, which %s names, is not JSON, as a registry's credentials are", key, s.from.Name, c.namespace, s.from.field)}
		}
		data[key] = base64.StdEncoding.EncodeToString(content)
	}
	return newCopy(install.Secret, s.name, map[string]any{"type": string(s.kind), "data": data}, install.Hash(r.id))
}

// open reads a source, unless what was read last is still what there is.
func (c *copier) open(ctx context.Context, s origin) (reading, error) {
	missing := &sourceError{fmt.Sprintf("%s in namespace %q, which %s names, does not exist", s.Key, c.namespace, s.field)}
	if c.namespace == "" {
		return reading{}, &sourceError{fmt.Sprintf("%s, which %s names, cannot be found: POD_NAMESPACE does not say which namespace is the operator's", s.Key, s.field)}
	}
	seen, err := c.version(ctx, s)
	if err != nil {
		return reading{}, err
	}
	if seen == "" {
		delete(c.read, s.Key)
		return reading{}, missing
	}
	if r, ok := c.read[s.Key]; ok && (r.seen == seen || r.id == seen) {
		return r, nil
	}
	r, err := c.fetch(ctx, s.Key)
	if apierrors.IsNotFound(err) {
		return reading{}, missing
	}
	if err != nil {
		return reading{}, fmt.Errorf("cannot read %s: %w", s.Key, err)
	}
	r.seen = seen
	c.read[s.Key] = r
	return r, nil
}

func (c *copier) fetch(ctx context.Context, of install.Key) (reading, error) {
	key := types.NamespacedName{Namespace: c.namespace, Name: of.Name}
	if of.GVK == install.Secret {
		secret := &corev1.Secret{}
		err := c.direct.Get(ctx, key, secret)
		return reading{id: string(secret.UID) + "/" + secret.ResourceVersion, data: secret.Data}, err
	}
	cm := &corev1.ConfigMap{}
	if err := c.direct.Get(ctx, key, cm); err != nil {
		return reading{}, err
	}
	r := reading{id: string(cm.UID) + "/" + cm.ResourceVersion, data: map[string][]byte{}}
	for k, v := range cm.Data {
		r.data[k] = []byte(v)
	}
	return r, nil
}

func newCopy(gvk schema.GroupVersionKind, name string, content map[string]any, revision string) (*install.Object, error) {
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	u.SetName(name)
	obj, err := install.NewObject(u, revision)
	return &obj, err
}
