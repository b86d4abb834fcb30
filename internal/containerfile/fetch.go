package containerfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/image"
)

const (
	planFile = "plan.json"
	textFile = "Containerfile"
	maxPlan  = 8 << 20

	nameAnnotation = "org.opencontainers.image.ref.name"
)

// Plan is what the trusted step that prepares a build tells the others. No step that runs users' commands can write it.
type Plan struct {
	// File is what the Containerfile is called in the repository.
	File string `json:"file"`
	// Platform is what is built for.
	Platform v1.Platform `json:"platform"`
	// Time is what all that is built is dated, in seconds of Unix.
	Time int64 `json:"time"`
	// Base is the local name of what the result stands on; empty for scratch.
	Base string `json:"base,omitempty"`
	// Images are those that were fetched.
	Images []Fetched `json:"images"`
	// Instructions are those of the file.
	Instructions []Instruction `json:"instructions"`
}

// Fetched is an image in the OCI layout.
type Fetched struct {
	// Local is the name that it gets.
	Local string `json:"local"`
	// Reference is where it is from, by the digest of the image for this platform.
	Reference string `json:"reference"`
	// Tag is its name in the layout.
	Tag string `json:"tag"`
	// Digest is that of its manifest.
	Digest v1.Hash `json:"digest"`
	// DiffIDs are its layers.
	DiffIDs []v1.Hash `json:"diffIDs"`
}

// Fetch fetches what the file needs into an OCI layout in the folder bases, and writes the plan and the file to be
// built into the folder dir. Side says where an image is and how to get it. An error that is about an image is a
// *failure.Failure which names the line.
func Fetch(ctx context.Context, f *File, platform v1.Platform, bases, dir string, side func(image string) image.Side) (*Plan, error) {
	store, err := layout.Write(bases, empty.Index)
	if err != nil {
		return nil, fmt.Errorf("cannot start layout: %w", err)
	}
	plan := &Plan{File: f.Name, Platform: platform, Base: f.Base, Images: []Fetched{}, Instructions: f.Instructions}
	for i, needed := range f.Images {
		pulled, err := fetch(ctx, store, needed, side(needed.Name), platform, "base-"+strconv.Itoa(i))
		if err != nil {
			return nil, f.at(needed.Line, err)
		}
		plan.Images = append(plan.Images, pulled.Fetched)
		// Not the clock's time, and not before what it was made from.
		plan.Time = max(plan.Time, pulled.created)
	}
	data, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("cannot encode plan: %w", err)
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, planFile), data, 0o644),
		os.WriteFile(filepath.Join(dir, textFile), f.Text, 0o644))
	if err != nil {
		return nil, fmt.Errorf("cannot write plan: %w", err)
	}
	return plan, nil
}

// at says which line a failure is about.
func (f *File) at(line int, err error) error {
	var told *failure.Failure
	if !errors.As(err, &told) {
		return err
	}
	return failure.New(told.Reason, "%s, line %d: %s", f.Name, line, told.Message)
}

type fetched struct {
	Fetched
	created int64
}

func fetch(ctx context.Context, store layout.Path, needed Image, side image.Side, platform v1.Platform, tag string) (*fetched, error) {
	pulled, err := image.Pull(ctx, side, platform)
	if err != nil {
		return nil, err
	}
	digest, err := pulled.Digest()
	if err != nil {
		return nil, fmt.Errorf("cannot compute digest: %w", err)
	}
	config, err := pulled.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration: %w", err)
	}
	err = pulled.Fetch(ctx, func(img v1.Image) error {
		return store.AppendImage(img, layout.WithAnnotations(map[string]string{nameAnnotation: tag}))
	})
	if err != nil {
		return nil, err
	}
	return &fetched{
		Fetched: Fetched{
			Local: needed.Local, Reference: pulled.Reference.Name(), Tag: tag, Digest: digest, DiffIDs: config.RootFS.DiffIDs,
		},
		created: max(0, config.Created.Unix()),
	}, nil
}

// ReadPlan reads the plan in a folder.
func ReadPlan(dir string) (*Plan, error) {
	data, err := readPlain(filepath.Join(dir, planFile), maxPlan)
	if err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	plan := &Plan{}
	if err := json.Unmarshal(data, plan); err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	return plan, nil
}

// Find reads the Containerfile of a repository: the one that is named, or the first that there is.
func Find(root *os.Root, file string) (name string, content []byte, err error) {
	names := Names
	if file != "" {
		names = []string{file}
	}
	for _, name := range names {
		content, err := readIn(root, name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, failure.New(failure.UnsupportedFile, "%s cannot be read: %s", name, err)
		}
		return name, content, nil
	}
	return "", nil, failure.New(failure.UnsupportedFile, "The repository has no %s", names[0])
}
