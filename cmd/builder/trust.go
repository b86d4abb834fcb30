package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/registry"
)

// tokenUser is the name that goes with an account's token. OpenShift's registry looks at the token alone.
const tokenUser = "serviceaccount"

// trustFlags say whom a registry client trusts, and which registry knows the cluster's accounts.
type trustFlags struct {
	cas      []string
	token    *string
	tokenFor *string
	use      *bool
}

func (e *env) trust() *trustFlags {
	f := &trustFlags{
		token:    e.flags.String("token-file", "", "file with the token of an account of the cluster"),
		tokenFor: e.flags.String("token-for", "", "an image of the only registry that is shown the token"),
		use:      e.flags.Bool("use-token", false, "show the token to that registry"),
	}
	e.list(&f.cas, "registry-ca", "file of certificates that registries may have, besides the public ones; may be absent; can be repeated")
	return f
}

func (f *trustFlags) roots() (*x509.CertPool, error) {
	return registry.Roots(f.cas...)
}

// add adds the token to the credentials for an image, if its registry is the one that the token is for.
func (f *trustFlags) add(store *credentials.Store, image string) (*credentials.Store, error) {
	if !*f.use || *f.tokenFor == "" || hostOf(image) != hostOf(*f.tokenFor) {
		return store, nil
	}
	token, err := os.ReadFile(*f.token)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.New(failure.RegistryPushUnauthorized, "Registry %q wants the token of the pipelines' account, and there is none: Secret \"meteor-push-token\" is missing", hostOf(image))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read token: %w", err)
	}
	return store.With(hostOf(image), tokenUser, strings.TrimSpace(string(token))), nil
}

// hostOf is the registry that an image is in, empty if that cannot be told.
func hostOf(image string) string {
	ref, err := name.ParseReference(image, name.WeakValidation)
	if err != nil {
		return ""
	}
	return ref.Context().RegistryStr()
}
