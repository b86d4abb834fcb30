package lifecycle

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/test/cluster"
)

func TestStale(t *testing.T) {
	const list = `REF TYPE DIGEST SIZE PLATFORMS LABELS
registry.local:5000/a:1 application/vnd.oci.image.manifest.v1+json sha256:old 1.2 MiB linux/amd64 -
registry.local:5000/a@sha256:old application/vnd.oci.image.manifest.v1+json sha256:old 1.2 MiB linux/amd64 -
registry.local:5000/b:1 application/vnd.oci.image.manifest.v1+json sha256:same 1.2 MiB linux/amd64 -
elsewhere/c:1 application/vnd.oci.image.manifest.v1+json sha256:c 1.2 MiB linux/amd64 -
`
	cases := map[string]struct {
		reason string
		list   string
		pushed map[string]string
		want   []string
	}{
		"Moved": {
			reason: "Only a tag that has moved is stale, not its old digest and not what was not pushed.",
			list:   list,
			pushed: map[string]string{"registry.local:5000/a:1": "sha256:new", "registry.local:5000/b:1": "sha256:same", "registry.local:5000/d:1": "sha256:d"},
			want:   []string{"registry.local:5000/a:1"},
		},
		"Empty": {
			reason: "A containerd without images has no stale ones.",
			list:   "REF TYPE DIGEST SIZE PLATFORMS LABELS\n",
			pushed: map[string]string{"registry.local:5000/a:1": "sha256:new"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, stale(tc.list, tc.pushed)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMountBelow(t *testing.T) {
	const mounts = `22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:5 / /cache/cluster/node/usr ro - ext4 /dev/root rw
31 22 0:5 / /cache/cluster/nodes rw - tmpfs tmpfs rw
`
	cases := map[string]struct{ reason, dir, want string }{
		"Below":   {reason: "A mount inside the directory is found.", dir: "/cache/cluster/node", want: "/cache/cluster/node/usr"},
		"At":      {reason: "A mount at the directory is found.", dir: "/cache/cluster/nodes", want: "/cache/cluster/nodes"},
		"Similar": {reason: "A name that only begins alike is another directory.", dir: "/cache/cluster/nod", want: ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := mountBelow(mounts, tc.dir); got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("METEOR_CACHE", cache)
	t.Setenv("METEOR_CLUSTER_INFO", "")
	if _, err := cluster.ReadInfo(); !errors.Is(err, cluster.ErrNotUp) {
		t.Errorf("without a cluster: got %v, want %v", err, cluster.ErrNotUp)
	}
	want := cluster.Info{Kubeconfig: "k", Registry: "r", NodePorts: nodePorts(), Images: map[string]string{"a": "r/images/a:1"}}
	c := New(cache, "", nil)
	unlock, err := c.exclusive()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := writeJSON(cluster.InfoFile(cache), want, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := cluster.ReadInfo()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is written is read: -want, +got:\n%s", diff)
	}
}

func TestCommandsWithoutCluster(t *testing.T) {
	c := New(t.TempDir(), "", io.Discard)
	cases := map[string]struct {
		reason string
		run    func() error
		want   error
	}{
		"Status": {reason: "The status of no cluster is an error.", run: func() error { return c.Status(t.Context()) }, want: cluster.ErrNotUp},
		"Start":  {reason: "Nothing can be started in no cluster.", run: func() error { return c.Start(t.Context(), "registry") }, want: cluster.ErrNotUp},
		"Stop":   {reason: "Nothing can be stopped in no cluster.", run: func() error { return c.Stop(t.Context(), "registry") }, want: cluster.ErrNotUp},
		"Remove": {reason: "Nothing can be taken away from no cluster.", run: func() error { return c.RemoveTekton(t.Context()) }, want: cluster.ErrNotUp},
		"Enter":  {reason: "No cluster can be entered.", run: func() error { _, err := c.Enter(nil); return err }, want: cluster.ErrNotUp},
		"Log":    {reason: "No cluster has logs.", run: func() error { _, err := c.Log("kubelet"); return err }, want: fs.ErrNotExist},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			if err := tc.run(); !errors.Is(err, tc.want) {
				t.Errorf("%s\ngot %v, want %v", tc.reason, err, tc.want)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s\nit took %s to say so", tc.reason, took)
			}
		})
	}
}

func TestRoutesStartAtLoopback(t *testing.T) {
	for _, route := range routes() {
		from, err := netip.ParseAddrPort(route.From)
		if err != nil || !from.Addr().IsLoopback() {
			t.Errorf("the machine reaches the cluster through loopback only, not through %s", route.From)
		}
		if _, err := netip.ParseAddrPort(route.To); err != nil {
			t.Errorf("a name would be asked for outside: %v", err)
		}
	}
}

func TestRunning(t *testing.T) {
	c := New(t.TempDir(), "", nil)
	if c.running() {
		t.Error("a cluster that never was does not run")
	}
	unlock, err := c.exclusive()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	lock, err := takeLock(c.lockFile())
	if err != nil {
		t.Fatal(err)
	}
	if !c.running() {
		t.Error("a cluster whose lock is held runs")
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if c.running() {
		t.Errorf("a cluster whose lock %s nobody holds does not run", filepath.Base(c.lockFile()))
	}
}
