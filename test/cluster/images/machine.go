package images

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	aptLists     = "/var/lib/apt/lists"
	debianKeys   = "/usr/share/keyrings/debian-archive-keyring.gpg"
	targetFormat = "$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)"
)

// source is a line of apt's sources: where Debian's packages come from here.
type source struct {
	uri, suite, component string
}

func (s source) String() string {
	return fmt.Sprintf("deb %s %s %s", s.uri, s.suite, s.component)
}

// machine is what a build takes from the machine it runs on.
type machine struct {
	sources []source // the release first, then its updates
	epoch   int64    // when the packages were last published
}

func readMachine(ctx context.Context, log func(string)) (*machine, error) {
	if err := installTools(ctx, log); err != nil {
		return nil, err
	}
	sources, err := debianSources(ctx)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 { // lists were removed, as small images do
		if err := aptUpdate(ctx); err != nil {
			return nil, err
		}
		if sources, err = debianSources(ctx); err != nil {
			return nil, err
		}
	}
	if len(sources) == 0 {
		return nil, errors.New("apt on this machine has no source of Debian packages")
	}
	epoch, err := latestRelease(aptLists)
	if err != nil {
		return nil, err
	}
	return &machine{sources: sources, epoch: epoch}, nil
}

func debianSources(ctx context.Context) ([]source, error) {
	out, err := command(ctx, "apt-get", "indextargets", "--format", targetFormat, "Created-By: Packages")
	if err != nil {
		return nil, fmt.Errorf("cannot read the machine's apt sources: %w", err)
	}
	return parseSources(out), nil
}

// parseSources picks Debian's own from apt's index targets. The release itself
// (the one suite whose name has no suffix) comes first.
func parseSources(targets string) []source {
	var releases, updates []source
	seen := map[source]bool{}
	for line := range strings.Lines(targets) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 4 || f[0] != "Debian" || f[3] != "main" {
			continue
		}
		s := source{uri: f[1], suite: f[2], component: f[3]}
		if seen[s] {
			continue
		}
		seen[s] = true
		if strings.Contains(s.suite, "-") {
			updates = append(updates, s)
		} else {
			releases = append(releases, s)
		}
	}
	if len(releases) == 0 {
		return nil
	}
	return append(releases, updates...)
}

// latestRelease returns the date of the newest of Debian's release files that
// apt has read. No file of a package is younger.
func latestRelease(lists string) (int64, error) {
	files, err := filepath.Glob(filepath.Join(lists, "*Release"))
	if err != nil {
		return 0, err
	}
	var latest time.Time
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		if date := releaseDate(content); date.After(latest) {
			latest = date
		}
	}
	if latest.IsZero() {
		return 0, fmt.Errorf("no dated release file of Debian in %s", lists)
	}
	return latest.Unix(), nil
}

func releaseDate(content []byte) time.Time {
	var origin, date string
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "Origin":
			origin = value
		case "Date":
			date = value
		}
	}
	t, err := time.Parse(time.RFC1123, date)
	if err != nil || origin != "Debian" {
		return time.Time{}
	}
	return t
}

// installTools installs what a build runs on the machine itself.
func installTools(ctx context.Context, log func(string)) error {
	var missing []string
	for _, pkg := range []string{"debootstrap", "debian-archive-keyring", "busybox-static"} {
		status, err := command(ctx, "dpkg-query", "--show", "--showformat", "${db:Status-Status}", pkg)
		if err != nil || status != "installed" {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	log("installing " + strings.Join(missing, ", "))
	install := append([]string{"-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"}, missing...)
	if _, err := command(ctx, "apt-get", install...); err == nil {
		return nil
	}
	if err := aptUpdate(ctx); err != nil {
		return err
	}
	if _, err := command(ctx, "apt-get", install...); err != nil {
		return fmt.Errorf("cannot install %s: %w", strings.Join(missing, ", "), err)
	}
	return nil
}

// aptUpdate tries for a while, because apt does not wait for another update.
func aptUpdate(ctx context.Context) error {
	var err error
	for range 10 {
		if _, err = command(ctx, "apt-get", "update", "-q"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(3 * time.Second):
		}
	}
	return fmt.Errorf("cannot update apt's lists: %w", err)
}

// command runs a program of the machine and returns what it prints. Its error
// ends with the last of what the program said.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, tail(stderr.String(), 600))
	}
	return stdout.String(), nil
}

func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
