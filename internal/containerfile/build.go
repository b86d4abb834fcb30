package containerfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// outTag is the result's name in the layout that the build leaves.
const outTag = "image"

// Options say where things are for a build.
type Options struct {
	// Buildah is the program.
	Buildah string
	// Plan is the folder with the plan and the file, Bases the layout with the images, Context the repository.
	Plan, Bases, Context string
	// Work is a folder for buildah's storage, Out the one that the result is left in.
	Work, Out string
	// Output takes what the build prints.
	Output io.Writer
}

// Report is how long the parts took, in seconds.
type Report struct {
	// Driver is how buildah stored images.
	Driver string  `json:"driver"`
	Load   float64 `json:"load"`
	Build  float64 `json:"build"`
	Store  float64 `json:"store"`
}

// Build builds the file with buildah, which gets its arguments as a list and finds all images in its storage. It runs
// where the user's commands run, so that nobody can trust what it leaves. An error that is the user's is a
// *failure.Failure.
func Build(ctx context.Context, o Options) (*Report, error) {
	plan, err := ReadPlan(o.Plan)
	if err != nil {
		return nil, err
	}
	b := &builder{Options: o, plan: plan}
	report, err := b.run(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, failure.New(failure.BuildFailed, "The build was ended before it was done")
	}
	return report, err
}

type builder struct {
	Options
	plan   *Plan
	driver string
}

func (b *builder) run(ctx context.Context) (*Report, error) {
	report, began := &Report{}, time.Now()
	lap := func() float64 {
		now := time.Now()
		defer func() { began = now }()
		return now.Sub(began).Round(time.Millisecond).Seconds()
	}
	if err := b.choose(ctx); err != nil {
		return nil, err
	}
	report.Driver = b.driver
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	report.Load = lap()
	id, err := b.build(ctx)
	if err != nil {
		return nil, err
	}
	report.Build = lap()
	if err := b.leave(ctx, id); err != nil {
		return nil, err
	}
	report.Store = lap()
	return report, nil
}

// command is buildah with an environment of its own: nothing of the pod's but the proxies, which it hands on.
func (b *builder) command(ctx context.Context, args ...string) *exec.Cmd {
	global := []string{
		"--storage-driver", b.driver, "--root", filepath.Join(b.Work, b.driver), "--runroot", filepath.Join(b.Work, "run"),
	}
	cmd := exec.CommandContext(ctx, b.Buildah, append(global, args...)...)
	cmd.Dir = b.Work
	cmd.Env = append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + b.Work, "TMPDIR=" + b.Work, "XDG_RUNTIME_DIR=" + filepath.Join(b.Work, "run"), "BUILDAH_ISOLATION=chroot",
	}, proxies()...)
	return cmd
}

func proxies() []string {
	var set []string
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		if value := os.Getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	return set
}

// choose finds out which way of storing images the node allows: layers on each other, or copies.
func (b *builder) choose(ctx context.Context) error {
	said := ""
	for _, b.driver = range []string{"overlay", "vfs"} {
		out, err := b.command(ctx, "images", "--quiet").CombinedOutput()
		if err == nil || ctx.Err() != nil {
			return err
		}
		said, _, _ = strings.Cut(string(out), "\n")
		fmt.Fprintf(b.Output, "buildah cannot use %s here: %s\n", b.driver, text.Line(string(out), 500))
	}
	return failure.New(failure.BuildFailed, "%s cannot be built here: the pod may not make a user namespace, which buildah needs; docs/containerfiles.md says what the namespace and the nodes have to allow (%s)",
		b.plan.File, text.Line(said, 200))
}

// load puts the images that were fetched into the storage, under the names that the file has for them.
func (b *builder) load(ctx context.Context) error {
	for _, image := range b.plan.Images {
		cmd := b.command(ctx, "pull", "--quiet", "oci:"+b.Bases+":"+image.Tag)
		cmd.Stderr = b.Output
		id, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("cannot load image %q: %w", image.Reference, err)
		}
		cmd = b.command(ctx, "tag", strings.TrimSpace(string(id)), image.Local)
		cmd.Stdout, cmd.Stderr = b.Output, b.Output
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("cannot name image %q: %w", image.Local, err)
		}
		fmt.Fprintf(b.Output, "Loaded %s\n", image.Reference)
	}
	return nil
}

// build runs the file's instructions and returns the ID of the image.
func (b *builder) build(ctx context.Context) (string, error) {
	id, said := filepath.Join(b.Work, "id"), &lastOutput{to: b.Output}
	// Without the capability, root cannot leave the directory that it is confined to by the means of that.
	cmd := b.command(ctx, "build", "--isolation", "chroot", "--cap-drop", "CAP_SYS_CHROOT", "--pull=never", "--no-cache", "--layers=false", "--format", "oci",
		"--identity-label=false", "--timestamp", strconv.FormatInt(b.plan.Time, 10), "--build-arg", epoch+"="+strconv.FormatInt(b.plan.Time, 10),
		"--file", filepath.Join(b.Plan, textFile), "--iidfile", id, b.Context)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return "", fmt.Errorf("cannot run buildah: %w", err)
		}
		return "", b.failed(said)
	}
	read, err := readPlain(id, 1<<10)
	if err != nil {
		return "", fmt.Errorf("cannot read the image's ID: %w", err)
	}
	return strings.TrimSpace(string(read)), nil
}

// leave writes the image as an OCI layout. The layers of the images that were fetched are not written again: empty
// files in their place say that they are there.
func (b *builder) leave(ctx context.Context, id string) error {
	blobs := filepath.Join(b.Out, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return fmt.Errorf("cannot make layout: %w", err)
	}
	for _, image := range b.plan.Images {
		for _, diff := range image.DiffIDs {
			if err := os.WriteFile(filepath.Join(blobs, diff.Hex), nil, 0o644); err != nil {
				return fmt.Errorf("cannot mark layer: %w", err)
			}
		}
	}
	cmd := b.command(ctx, "push", "--quiet", "--compression-format", "gzip", "--compression-level", "1", id, "oci:"+b.Out+":"+outTag)
	cmd.Stdout, cmd.Stderr = b.Output, b.Output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot leave image: %w", err)
	}
	return nil
}
