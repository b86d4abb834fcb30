//go:build e2e

package olm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/hack/bundle"
	"github.com/meteor-zone/meteor-operator/hack/operator"
	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

const (
	// patience is how long anything may take that a test waits for.
	patience = 4 * time.Minute
	// before and now are the versions that are installed: the same code, and another image.
	before = "0.2.9"
	now    = "0.3.0"
)

var (
	on *operator.Cluster
	// k8s is an admin's client that knows OLM's kinds.
	k8s client.WithWatch
	// source is what the bundles are made from.
	source *bundle.Source
	// catalogues are images: with the version before, and with both.
	catalogueBefore, catalogueNow string
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "olm:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare(ctx context.Context) error {
	var err error
	if on, err = operator.Connect(ctx, os.Stderr); err != nil {
		return err
	}
	if on.Local == nil {
		return errors.New("these tests are for the local cluster")
	}
	scheme := operator.Scheme()
	for _, add := range []func() error{
		func() error { return operatorsv1.AddToScheme(scheme) },
		func() error { return operatorsv1alpha1.AddToScheme(scheme) },
		func() error { return operatorsv2.AddToScheme(scheme) },
	} {
		if err := add(); err != nil {
			return fmt.Errorf("cannot use OLM's kinds: %w", err)
		}
	}
	if k8s, err = client.NewWithWatch(on.Config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("cannot talk to the cluster: %w", err)
	}
	if err := on.LocalCommand(ctx, "olm"); err != nil {
		return err
	}
	if err := removeDefault(ctx); err != nil {
		return err
	}
	return publish(ctx)
}

// publish makes the operator's images, bundles and catalogues of both versions.
func publish(ctx context.Context) error {
	root := filepath.Join("..", "..", "..")
	var err error
	if source, err = bundle.Read(root); err != nil {
		return err
	}
	var entries []map[string]any
	for _, version := range []string{before, now} {
		image, err := operatorImage(ctx, root, version)
		if err != nil {
			return err
		}
		o := bundle.Options{Version: version, Replaces: "none", Images: map[string]string{"OPERATOR_IMAGE": image}}
		if version == now {
			o.Replaces = before
		}
		files, csv, err := source.Bundle(o)
		if err != nil {
			return err
		}
		packed, err := bundle.Image(files)
		if err != nil {
			return err
		}
		pushed, err := push(ctx, "olm/meteor-operator-bundle:"+version, packed)
		if err != nil {
			return err
		}
		entry, err := bundle.Entry(csv, pushed)
		if err != nil {
			return err
		}
		entries = append(entries, entry)
	}
	if catalogueBefore, err = pushCatalogue(ctx, "1", entries[:1]); err != nil {
		return err
	}
	catalogueNow, err = pushCatalogue(ctx, "2", entries)
	return err
}

// operatorImage builds the operator, and returns its image as the cluster names it.
func operatorImage(ctx context.Context, root, version string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./hack/image", "--version", version, "--push", on.Local.RegistryPush+"/olm/meteor-operator:"+version)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot build the operator's image: %w", err)
	}
	return inCluster(strings.TrimSpace(string(out))), nil
}

func pushCatalogue(ctx context.Context, tag string, entries []map[string]any) (string, error) {
	content, err := bundle.Channel(entries...)
	if err != nil {
		return "", err
	}
	return pushContent(ctx, tag, content)
}

// pushContent makes an image that serves a rendered catalogue.
func pushContent(ctx context.Context, tag string, content []byte) (string, error) {
	ref, err := name.ParseReference(on.Local.RegistryPush+"/olm/opm:1", name.Insecure)
	if err != nil {
		return "", fmt.Errorf("cannot name opm's image: %w", err)
	}
	opm, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("cannot pull opm's image: %w", err)
	}
	packed, err := bundle.Catalogue(opm, content)
	if err != nil {
		return "", err
	}
	return push(ctx, "olm/catalogue:"+tag, packed)
}

func push(ctx context.Context, to string, img v1.Image) (string, error) {
	pushed, err := pack.PushImage(ctx, on.Local.RegistryPush+"/"+to, img)
	return inCluster(pushed), err
}

// inCluster is a reference as the cluster knows it.
func inCluster(pushed string) string {
	return on.Local.Registry + strings.TrimPrefix(pushed, on.Local.RegistryPush)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
