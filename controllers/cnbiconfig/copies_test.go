package cnbiconfig_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

// certificate makes a certificate of nobody's.
func certificate(t *testing.T, serial int64) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// caIs checks what the namespace's copy of the certificate authorities holds.
func caIs(namespace string, want map[string]string) func() error {
	return func() error {
		cm := &corev1.ConfigMap{}
		if err := env.Client.Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: install.CAConfigMap}, cm); err != nil {
			return err
		}
		if diff := cmp.Diff(want, cm.Data); diff != "" {
			return fmt.Errorf("-want, +got: %s", diff)
		}
		return nil
	}
}

func secretIs(namespace, name string, kind corev1.SecretType, want map[string][]byte) func() error {
	return func() error {
		secret := &corev1.Secret{}
		if err := env.Client.Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: name}, secret); err != nil {
			return err
		}
		if diff := cmp.Diff(want, secret.Data); diff != "" || secret.Type != kind {
			return fmt.Errorf("type %s; -want, +got: %s", secret.Type, diff)
		}
		return nil
	}
}

func caRef(name, key string) *v1alpha1.ConfigMapKeyReference {
	return &v1alpha1.ConfigMapKeyReference{Name: name, Key: key}
}

func fromOperator(name string) *v1alpha1.SharedSecretReference {
	return &v1alpha1.SharedSecretReference{Name: name, Source: v1alpha1.SecretFromOperator}
}

func TestCopies(t *testing.T) {
	fresh(t)
	own, first, second := env.Namespace(t), env.Namespace(t), env.Namespace(t)
	newImage(t, first)
	newImage(t, second)
	one, two := certificate(t, 1), certificate(t, 2)
	ca := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "company"}, Data: map[string]string{"ca.crt": "# ours\n" + one}}
	index := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "index"}, Data: map[string]string{"ca.crt": two + one}}
	push := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "push"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)},
	}
	login := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "login"},
		Data:       map[string][]byte{"username": []byte("u"), "password": []byte("p"), "other": []byte("o")},
	}
	for _, obj := range []client.Object{ca, index, push, login} {
		create(t, obj)
	}
	create(t, fixture.Config().Edit(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Network.TrustedCA = caRef("company", "ca.crt")
		c.Spec.PackageIndex.CA = caRef("index", "ca.crt")
		c.Spec.Registry.PushSecret = fromOperator("push")
		c.Spec.PackageIndex.Credentials = fromOperator("login")
	}).Obj())
	requests, stop := start(t, setting{own: own})
	for _, ns := range []string{first, second} {
		testenv.Eventually(t, "the authorities are there, each once", caIs(ns, map[string]string{"registry.crt": one, "index.crt": two + one, "git.crt": one}))
		testenv.Eventually(t, "the push secret is", secretIs(ns, install.PushSecret, corev1.SecretTypeDockerConfigJson, push.Data))
		testenv.Eventually(t, "the credentials are, and no more", secretIs(ns, install.IndexSecret, corev1.SecretTypeBasicAuth, map[string][]byte{"username": []byte("u"), "password": []byte("p")}))
	}
	configIs(t, "all is well", counted(2, 0, 0))
	isQuiet(t, requests)

	ca.Data["ca.crt"] = two
	login.Data["password"] = []byte("new")
	for _, obj := range []client.Object{ca, login} {
		if err := env.Client.Update(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	for _, ns := range []string{first, second} {
		testenv.Eventually(t, "a change reaches the copies", caIs(ns, map[string]string{"registry.crt": two, "index.crt": two + one, "git.crt": two}))
		testenv.Eventually(t, "of secrets too", secretIs(ns, install.IndexSecret, corev1.SecretTypeBasicAuth, map[string][]byte{"username": []byte("u"), "password": []byte("new")}))
	}
	testenv.Steady(t, "with one write each", quiet, writes(requests, 4))

	copied := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: first, Name: install.PushSecret}}
	if err := env.Client.Patch(t.Context(), copied, client.RawPatch(types.MergePatchType, []byte(`{"data":{".dockerconfigjson":"e30="}}`))); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "a changed copy is put right", secretIs(first, install.PushSecret, corev1.SecretTypeDockerConfigJson, push.Data))

	isQuiet(t, requests)
	stop()
	requests, _ = start(t, setting{own: own})
	testenv.Steady(t, "a restart writes nothing", quiet, nothingWritten(requests))

	if err := env.Client.Delete(t.Context(), push); err != nil {
		t.Fatal(err)
	}
	c := configIs(t, "what is missing is told", condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSourceMissing))
	if want := fmt.Sprintf("Secret %q in namespace %q, which spec.registry.pushSecret names, does not exist", "push", own); readyMessage(c) != want {
		t.Errorf("want %q, got %q", want, readyMessage(c))
	}
	testenv.Steady(t, "the copies stay", quiet/2, secretIs(second, install.PushSecret, corev1.SecretTypeDockerConfigJson, map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)}))

	editConfig(t, func(c *v1alpha1.CNBiConfig) {
		c.Spec.Registry.PushSecret = &v1alpha1.SharedSecretReference{Name: "push", Source: v1alpha1.SecretFromNamespace}
		c.Spec.PackageIndex, c.Spec.Network = v1alpha1.PackageIndexSpec{}, v1alpha1.NetworkSpec{}
	})
	for _, ns := range []string{first, second} {
		testenv.Eventually(t, "what is no longer copied goes", installed(ns))
	}
	configIs(t, "all is well", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
}

func readyMessage(c *v1alpha1.CNBiConfig) string {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady {
			return condition.Message
		}
	}
	return ""
}

func TestWrongSources(t *testing.T) {
	cases := map[string]struct {
		reason, want string
		source       func(own string) client.Object
		edit         func(*v1alpha1.CNBiConfig)
	}{
		"NoKey": {
			reason: "the key is named", want: `ConfigMap "ca" in namespace "OWN", which spec.registry.ca names, has no key "b.crt"`,
			source: func(own string) client.Object {
				return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "ca"}, Data: map[string]string{"a.crt": "x"}}
			},
			edit: func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.CA = caRef("ca", "b.crt") },
		},
		"NoCertificate": {
			reason: "what is no certificate is told", want: `Key "a.crt" of ConfigMap "ca" in namespace "OWN", which spec.network.trustedCA names, holds no certificate in PEM`,
			source: func(own string) client.Object {
				return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "ca"}, Data: map[string]string{"a.crt": "x"}}
			},
			edit: func(c *v1alpha1.CNBiConfig) { c.Spec.Network.TrustedCA = caRef("ca", "a.crt") },
		},
		"NotJSON": {
			reason: "so are credentials that the API would refuse in every namespace",
			want:   `Key ".dockerconfigjson" of Secret "push" in namespace "OWN", which spec.registry.pushSecret names, is not JSON, as a registry's credentials are`,
			source: func(own string) client.Object {
				return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "push"}, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte("user:password")}}
			},
			edit: func(c *v1alpha1.CNBiConfig) { c.Spec.Registry.PushSecret = fromOperator("push") },
		},
		"WrongType": {
			reason: "so is a secret that cannot be one", want: `Secret "login" in namespace "OWN", which spec.packageIndex.credentials names, lacks the key "username": it should be of type kubernetes.io/basic-auth`,
			source: func(own string) client.Object {
				return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "login"}, Data: map[string][]byte{"token": []byte("t")}}
			},
			edit: func(c *v1alpha1.CNBiConfig) { c.Spec.PackageIndex.Credentials = fromOperator("login") },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fresh(t)
			own, ns := env.Namespace(t), env.Namespace(t)
			create(t, tc.source(own))
			newImage(t, ns)
			create(t, fixture.Config().Edit(tc.edit).Obj())
			start(t, setting{own: own})
			testenv.Eventually(t, "the pipelines are there all the same", installed(ns))
			testenv.Eventually(t, tc.reason, func() error {
				c := &v1alpha1.CNBiConfig{}
				if err := env.Client.Get(context.Background(), types.NamespacedName{Name: v1alpha1.CNBiConfigName}, c); err != nil {
					return err
				}
				if got := strings.ReplaceAll(readyMessage(c), own, "OWN"); got != tc.want {
					return errors.New(got)
				}
				return nil
			})
		})
	}
}
