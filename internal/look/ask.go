package look

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

const maxOutput = 1 << 20

//go:embed ask.py
var script string

// modules are looked for by import name, since a module may be there without a distribution.
var modules = []string{"jupyterlab", "notebook", "jupyter_server", "jupyterhub", "pip"}

// ask runs the script in the image's Python. It returns nil when Python gave no usable answer, and a problem
// when there was one.
func ask(ctx context.Context, python string) (*answer, string) {
	// The mark tells the script's lines from what else the image's Python prints at its start.
	mark := rand.Text()
	cmd := exec.CommandContext(ctx, python, append([]string{"-c", script, mark}, modules...)...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	stdout, stderr := &head{limit: maxOutput}, &head{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// A group of its own, so that children that Python leaves behind end with it and hold no pipe open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	a := parse(stdout.String(), mark)
	if a.python == "" {
		return nil, filepath.Base(python) + " " + whatHappened(ctx, err, stderr)
	}
	if !a.complete {
		return a, "the list of packages is incomplete: " + filepath.Base(python) + " " + whatHappened(ctx, err, stderr)
	}
	return a, ""
}

func whatHappened(ctx context.Context, err error, stderr *head) string {
	said := ""
	if last := lastLine(stderr.String()); last != "" {
		said = ": " + text.Line(last, 120)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("did not answer within %s%s", Timeout, said)
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return "gave no usable answer" + said
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		return fmt.Sprintf("was ended by signal %q%s", exit.Sys().(syscall.WaitStatus).Signal(), said)
	case errors.As(err, &exit):
		return fmt.Sprintf("exited with code %d%s", exit.ExitCode(), said)
	default:
		return "cannot be run: " + text.Line(err.Error(), 120)
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// head keeps the first bytes written to it and swallows the rest.
type head struct {
	bytes.Buffer
	limit int
}

// Write never fails, so that the writer is not told apart from one that is read to its end.
func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), h.limit-h.Len())])
	return len(p), nil
}
