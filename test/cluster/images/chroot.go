package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// runRecipe runs a layer's script in namespaces of its own and returns the
// directory that holds what it changed.
func (b *builder) runRecipe(ctx context.Context, name string) (string, error) {
	dir := filepath.Join(b.work, "build-"+name)
	for _, d := range []string{"upper", "overlay", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	script, below := "outside.sh", layerRecipes()[name].on
	if below != "" {
		script = "inside.sh"
		if err := b.unpack(below); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "--pid", "--ipc", "--fork", "--kill-child",
		"sh", filepath.Join(b.work, "scripts", "build", script), dir, filepath.Join(b.work, "recipes", name))
	cmd.Dir = filepath.Join(b.work, "trees")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	release := b.machine.sources[0]
	cmd.Env = append(os.Environ(),
		"LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
		"LOWER="+b.lower(below), "MIRROR="+release.uri, "SUITE="+release.suite, "KEYRING="+debianKeys,
		"SOURCES="+b.sourceLines(), "EPOCH="+strconv.FormatInt(b.machine.epoch, 10))
	runtime.LockOSThread() // Pdeathsig is about the thread
	defer runtime.UnlockOSThread()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("recipe failed: %w: %s", err, tail(string(out), 2000)), os.RemoveAll(dir))
	}
	return filepath.Join(dir, "upper"), nil
}

func (b *builder) sourceLines() string {
	var lines strings.Builder
	for _, s := range b.machine.sources {
		fmt.Fprintln(&lines, s)
	}
	return lines.String()
}
