package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	anyUser = 1000720000 // as OpenShift hands them out
	prefix  = "/notebook/some-namespace/some-name"
)

// bench is where one image is tried: its layers, unpacked, and its configuration.
type bench struct {
	config  v1.Config
	trees   string // lower is relative to it
	lower   string
	script  string
	scratch string
	note    func(string)
}

// trial is a run of an image in namespaces of its own, with no network but loopback.
type trial struct {
	net    *network
	cmd    *exec.Cmd
	output *lastOutput
	done   chan struct{} // closed when the command has ended
	waited error         // how it ended, to be read after done
	begin  time.Time
}

// start runs the image's own command as a notebook platform would.
func (b *bench) start(ctx context.Context, user int) (*trial, error) {
	return b.run(ctx, user, nil, append(append([]string{}, b.config.Entrypoint...), b.config.Cmd...)...)
}

func (b *bench) run(ctx context.Context, user int, stdin io.Reader, argv ...string) (*trial, error) {
	n, err := newNetwork()
	if err != nil {
		return nil, err
	}
	args := append([]string{"--mount", "--propagation", "private", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
		"sh", b.script, b.scratch, strconv.Itoa(user), b.config.WorkingDir}, argv...)
	t := &trial{net: n, output: &lastOutput{}, done: make(chan struct{}), begin: time.Now()}
	t.cmd = exec.CommandContext(ctx, "unshare", args...)
	t.cmd.Dir = b.trees
	t.cmd.Env = append(b.environment(), "LOWER="+b.lower)
	t.cmd.Stdin, t.cmd.Stdout, t.cmd.Stderr = stdin, t.output, t.output
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	n.do(func() { err = t.cmd.Start() }) // the thread's network is inherited
	if err != nil {
		n.close()
		return nil, fmt.Errorf("cannot start %q: %w", argv, err)
	}
	go func() {
		t.waited = t.cmd.Wait()
		close(t.done)
	}()
	return t, nil
}

func (b *bench) environment() []string {
	env := []string{
		"NB_PREFIX=" + prefix,
		"NOTEBOOK_ARGS=--ServerApp.port=8888\n  --ServerApp.token=''\n  --ServerApp.password=''\n" +
			"  --ServerApp.base_url=" + prefix + "\n  --ServerApp.quit_button=False",
	}
	for _, v := range b.config.Env {
		env = append(env, v)
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			env = append(env, "IMAGE_PATH="+value)
		}
	}
	return env
}

// output runs a command in the image to its end and returns what it printed.
func (b *bench) output(ctx context.Context, stdin string, argv ...string) (string, error) {
	t, err := b.run(ctx, anyUser, strings.NewReader(stdin), argv...)
	if err != nil {
		return "", err
	}
	<-t.done
	text := strings.TrimSpace(t.output.String())
	if err := t.stop(); err != nil {
		return text, err
	}
	if t.waited != nil {
		return text, fmt.Errorf("%q failed: %w: %s", argv[0], t.waited, text)
	}
	return text, nil
}

// stop ends the command and all that it started.
func (t *trial) stop() error {
	_ = t.cmd.Process.Kill() // it may have ended already
	t.net.close()
	select {
	case <-t.done: // nobody holds its output any more
		return nil
	case <-time.After(10 * time.Second):
		return errors.New("some of its processes live on after it was killed")
	}
}

func (t *trial) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// get asks the image for a path and returns the status of the answer.
func (t *trial) get(ctx context.Context, path string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8888"+path, nil)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{DialContext: t.net.dial, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// await asks for a path until the answer is 200, the image ends or startUp is over.
func (t *trial) await(ctx context.Context, path string) error {
	deadline := time.Now().Add(startUp)
	last := errors.New("not asked")
	for time.Now().Before(deadline) {
		status, err := t.get(ctx, path)
		if err == nil && status == http.StatusOK {
			return nil
		}
		if last = err; err == nil {
			last = fmt.Errorf("status %d", status)
		}
		if t.ended() {
			return fmt.Errorf("it ended before it answered: %s", t.output)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	return fmt.Errorf("no answer under %s within %s: %w: %s", path, startUp, last, t.output)
}

// peakMemory returns the most memory that any of the trial's processes has used.
func (t *trial) peakMemory() (int64, error) {
	var peak int64
	pids := []string{strconv.Itoa(t.cmd.Process.Pid)}
	for len(pids) > 0 {
		status, err := os.ReadFile(filepath.Join("/proc", pids[0], "status"))
		if err != nil {
			return 0, err
		}
		children, err := os.ReadFile(filepath.Join("/proc", pids[0], "task", pids[0], "children"))
		if err != nil {
			return 0, err
		}
		peak = max(peak, highWater(string(status)))
		pids = append(pids[1:], strings.Fields(string(children))...)
	}
	return peak, nil
}

// highWater reads the peak resident size, in bytes, from a /proc status file.
func highWater(status string) int64 {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// network is a network namespace with loopback up. A goroutine that never
// leaves its thread lives in it; what runs through do runs there.
type network struct {
	work chan func()
}

func newNetwork() (*network, error) {
	n := &network{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			ready <- fmt.Errorf("cannot make a network namespace: %w", err)
			return
		}
		if out, err := exec.Command("busybox", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			ready <- fmt.Errorf("cannot bring loopback up: %w: %s", err, out)
			return
		}
		ready <- nil
		for f := range n.work {
			f()
		}
	}()
	return n, <-ready
}

func (n *network) do(f func()) {
	done := make(chan struct{})
	n.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

func (n *network) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	n.do(func() { conn, err = (&net.Dialer{}).DialContext(ctx, network, address) })
	return conn, err
}

func (n *network) close() { close(n.work) }

// lastOutput keeps the end of what a program prints.
type lastOutput struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *lastOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const most = 16 << 10
	o.buf.Write(b)
	if extra := o.buf.Len() - most; extra > 0 {
		o.buf.Next(extra)
	}
	return len(b), nil
}

func (o *lastOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
