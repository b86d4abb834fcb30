package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

const (
	olmModule = "github.com/operator-framework/operator-lifecycle-manager"
	opmModule = "github.com/operator-framework/operator-registry"
	apiModule = "github.com/operator-framework/api"
	// The versions are not in go.mod: nothing here imports them, and their dependencies are many.
	olmVersion = "v0.38.0"
	opmVersion = "v1.65.0"
	// olmTags leave out what needs C libraries.
	olmTags = "json1,containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper"
)

// OLM is a build of the Operator Lifecycle Manager and of the tool that serves
// its catalogues.
type OLM struct {
	// Version is OLM's.
	Version string
	// Dir holds the programs, in bin, and the CRDs.
	Dir string
}

// Program is the file of a program: olm, catalog, copy-content, cpb, opm or
// grpc_health_probe.
func (o OLM) Program(name string) string { return filepath.Join(o.Dir, "bin", name) }

// CRDs are OLM's own.
func (o OLM) CRDs() ([]byte, error) { return os.ReadFile(filepath.Join(o.Dir, "crds.yaml")) }

// OLM builds OLM and opm inside their modules' own directories of the module
// cache: there their go.mod is the main one and its replacements hold.
func (b *Builder) OLM(ctx context.Context) (OLM, error) {
	flags := smaller + " -X " + olmModule + "/pkg/version.OLMVersion=" + olmVersion[1:]
	k, err := key(filepath.Join(b.Checkout, "test/cluster/cmd/grpc-health"), olmVersion, opmVersion, flags, olmTags)
	if err != nil {
		return OLM{}, err
	}
	dir, err := b.once("olm", k, func(dir string) error {
		source, err := download(ctx, olmModule+"@"+olmVersion)
		if err != nil {
			return err
		}
		bin := filepath.Join(dir, "bin")
		if err := os.Mkdir(bin, 0o755); err != nil {
			return err
		}
		if err := b.olmCRDs(ctx, source, dir); err != nil {
			return err
		}
		if err := b.compile(ctx, source, "-tags", olmTags, "-ldflags", flags, "-o", bin+"/",
			"./cmd/olm", "./cmd/catalog", "./cmd/copy-content", "./util/cpb"); err != nil {
			return fmt.Errorf("cannot compile OLM: %w", err)
		}
		if source, err = download(ctx, opmModule+"@"+opmVersion); err != nil {
			return err
		}
		if err := b.compile(ctx, source, "-tags", olmTags, "-ldflags", smaller, "-o", filepath.Join(bin, "opm"), "./cmd/opm"); err != nil {
			return fmt.Errorf("cannot compile opm: %w", err)
		}
		return b.compile(ctx, b.Checkout, "-ldflags", smaller, "-o", filepath.Join(bin, "grpc_health_probe"), "./test/cluster/cmd/grpc-health")
	})
	return OLM{Version: olmVersion, Dir: dir}, err
}

// olmCRDs takes the CRDs from the module that OLM has them from: those in its
// own manifests are older than its code.
func (b *Builder) olmCRDs(ctx context.Context, source, dir string) error {
	version, err := required(filepath.Join(source, "go.mod"), apiModule)
	if err != nil {
		return err
	}
	api, err := download(ctx, apiModule+"@"+version)
	if err != nil {
		return err
	}
	return concatenate(api, []string{"crds/*.yaml"}, filepath.Join(dir, "crds.yaml"))
}
