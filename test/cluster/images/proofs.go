package images

import (
	"context"
	_ "embed" // for the proof that runs in the image
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// notebookProof runs in the image: a kernel that calculates, and a wheel that
// pip installs into the virtual environment.
//
//go:embed scripts/proof/notebook_proof.py
var notebookProof string

const (
	startUp = 60 * time.Second // generous: the machine may be busy
	api     = prefix + "/api"
)

// withTrial runs the image's command as user and ends it after f.
func withTrial(ctx context.Context, b *bench, user int, f func(*trial) error) error {
	t, err := b.start(ctx, user)
	if err != nil {
		return err
	}
	err = f(t)
	return errors.Join(err, t.stop())
}

func answers(ctx context.Context, b *bench, user int, paths ...string) error {
	return withTrial(ctx, b, user, func(t *trial) error {
		if err := t.await(ctx, paths[0]); err != nil {
			return err
		}
		b.note(fmt.Sprintf("first answer after %.2f s", time.Since(t.begin).Seconds()))
		for _, p := range paths[1:] {
			if err := expectStatus(ctx, t, p, http.StatusOK); err != nil {
				return err
			}
		}
		return nil
	})
}

func expectStatus(ctx context.Context, t *trial, path string, want int) error {
	got, err := t.get(ctx, path)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s answered %d, not %d: %s", path, got, want, t.output)
	}
	return nil
}

// silent watches that the image runs and does not listen.
func silent(ctx context.Context, t *trial, period time.Duration) error {
	for end := time.Now().Add(period); time.Now().Before(end); {
		if status, err := t.get(ctx, api); err == nil {
			return fmt.Errorf("it answered %d", status)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.done:
			return fmt.Errorf("it ended: %s", t.output)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// fails watches that the image ends by itself, with an error, and returns what
// it said.
func fails(ctx context.Context, t *trial, within time.Duration) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(within):
		return "", fmt.Errorf("it still runs after %s: %s", within, t.output)
	case <-t.done:
	}
	if t.waited == nil {
		return "", fmt.Errorf("it ended without an error: %s", t.output)
	}
	return t.output.String(), nil
}

func expectOutput(ctx context.Context, b *bench, want string, argv ...string) error {
	got, err := b.output(ctx, "", argv...)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(got, want) {
		return fmt.Errorf("%q printed %q, not %q", argv, got, want)
	}
	return nil
}

func proveNotebook(ctx context.Context, b *bench) error {
	err := answers(ctx, b, anyUser, api, prefix+"/api/kernels", prefix+"/api/terminals", prefix+"/api/kernelspecs/python3", prefix+"/tree")
	if err != nil {
		return err
	}
	if _, err := b.output(ctx, notebookProof, "python3", "-"); err != nil {
		return err
	}
	packages, err := b.output(ctx, "", "pip", "list", "--disable-pip-version-check")
	if err != nil {
		return err
	}
	b.note(fmt.Sprintf("%d packages", strings.Count(packages, "\n")-1))
	return nil
}

func proveSlow(ctx context.Context, b *bench) error {
	return withTrial(ctx, b, anyUser, func(t *trial) error {
		if err := silent(ctx, t, 18*time.Second); err != nil {
			return err
		}
		return t.await(ctx, api)
	})
}

func proveNoPython(ctx context.Context, b *bench) error {
	found, err := b.output(ctx, "", "find", "/", "-xdev", "-name", "python*", "-o", "-xdev", "-name", "pip*")
	if err != nil {
		return err
	}
	if found != "" {
		return fmt.Errorf("it has Python: %s", found)
	}
	return answers(ctx, b, anyUser, api)
}

func proveOldPython(ctx context.Context, b *bench) error {
	const program = "import sys, platform; print(*sys.version_info[:3], platform.python_version())"
	err := errors.Join(
		expectOutput(ctx, b, "Python 3.7.17", "python3", "--version"),
		expectOutput(ctx, b, "3 7 17 3.7.17", "python3", "-c", program),
		expectOutput(ctx, b, "3 7 17 3.7.17", "python3", "-I", "-c", program),
		expectOutput(ctx, b, "3 7 17 3.7.17", "python", "-c", program),
		expectOutput(ctx, b, "pip ", "pip", "--version"),
		expectOutput(ctx, b, "pip ", "python3", "-m", "pip", "--version"),
		expectOutput(ctx, b, "True", "python3", "-c", "import importlib.util as u; print(u.find_spec('notebook') is not None)"),
	)
	if err != nil {
		return err
	}
	return answers(ctx, b, anyUser, api)
}

func proveNoJupyter(ctx context.Context, b *bench) error {
	const program = "import importlib.util as u; print([n for n in ('jupyterlab', 'notebook', 'jupyter_server', 'jupyter_core') if u.find_spec(n)])"
	err := errors.Join(
		expectOutput(ctx, b, "[]", "python3", "-c", program),
		expectOutput(ctx, b, "pip ", "pip", "--version"),
	)
	if err != nil {
		return err
	}
	return answers(ctx, b, anyUser, api)
}

func proveNeverListens(ctx context.Context, b *bench) error {
	return withTrial(ctx, b, anyUser, func(t *trial) error {
		return silent(ctx, t, 6*time.Second)
	})
}

func proveIgnoresPrefix(ctx context.Context, b *bench) error {
	return withTrial(ctx, b, anyUser, func(t *trial) error {
		if err := t.await(ctx, "/api"); err != nil {
			return err
		}
		return expectStatus(ctx, t, api, http.StatusNotFound)
	})
}

func proveNeedsRoot(ctx context.Context, b *bench) error {
	err := withTrial(ctx, b, anyUser, func(t *trial) error {
		said, err := fails(ctx, t, startUp)
		if err == nil && !strings.Contains(said, "Permission denied") {
			err = fmt.Errorf("it failed for another reason: %s", said)
		}
		return err
	})
	if err != nil {
		return err
	}
	return answers(ctx, b, 0, api)
}

func proveCrashesLater(ctx context.Context, b *bench) error {
	return withTrial(ctx, b, anyUser, func(t *trial) error {
		if err := t.await(ctx, api); err != nil {
			return err
		}
		if _, err := fails(ctx, t, startUp); err != nil {
			return err
		}
		if status, err := t.get(ctx, api); err == nil {
			return fmt.Errorf("it answered %d after its end", status)
		}
		return nil
	})
}

func proveMemoryHungry(ctx context.Context, b *bench) error {
	return withTrial(ctx, b, anyUser, func(t *trial) error {
		if err := t.await(ctx, api); err != nil {
			return err
		}
		peak, err := t.peakMemory()
		if err != nil {
			return err
		}
		if peak <= 2<<30 {
			return fmt.Errorf("it took only %d MiB", peak>>20)
		}
		return nil
	})
}

// proveS2I sees that source is put in place and that what it ends with starts.
func proveS2I(ctx context.Context, b *bench) error {
	const try = "mkdir /tmp/src && echo found > /tmp/src/file && " + scripts + "/assemble && cat " + home + "/file " + appRoot + "/assembled"
	said, err := b.output(ctx, "", "sh", "-c", try)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(said, "found\nby assemble") {
		return fmt.Errorf("it does not assemble source: %s", said)
	}
	return answers(ctx, b, anyUser, api)
}

// proveBuildah sees that it is there with all its libraries. What it may do is the pod's matter.
func proveBuildah(ctx context.Context, b *bench) error {
	return expectOutput(ctx, b, "buildah version 1.28", "buildah", "--version")
}

// proveBook sees that the tools find each other, and a kernel.
func proveBook(ctx context.Context, b *bench) error {
	return errors.Join(
		expectOutput(ctx, b, "sphinx-build 5.", "sphinx-build", "--version"),
		expectOutput(ctx, b, "pandoc 2.", "pandoc", "--version"),
		expectOutput(ctx, b, "ok", "python3", "-c", "import myst_parser, nbsphinx, nbconvert, ipykernel; print('ok')"),
		expectOutput(ctx, b, "True", "python3", "-c", "from jupyter_client import kernelspec; print('python3' in kernelspec.find_kernel_specs())"),
	)
}
