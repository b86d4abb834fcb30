package repositories

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	commitsFile = "commits.json"
	author      = "Meteor Tests <tests@meteor.example>"
	// began is when the first commit of each repository was made; each later one
	// is a minute younger.
	began = 1700000000
)

// Make writes the repositories into a directory: public and private.
func Make(ctx context.Context, dir string) error {
	known := commits{}
	for _, r := range inOrder(all()) {
		if err := r.create(ctx, dir, known); err != nil {
			return fmt.Errorf("cannot make repository %s: %w", r.name, err)
		}
	}
	content, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, commitsFile), content, 0o644)
}

// Commits are the commits that Make made, by repository and branch or tag:
// "public/notebooks#main".
func Commits(dir string) (map[string]string, error) {
	content, err := os.ReadFile(filepath.Join(dir, commitsFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read which commits the repositories have: %w", err)
	}
	var known commits
	return known, json.Unmarshal(content, &known)
}

// inOrder puts those last that include others.
func inOrder(all []repository) []repository {
	last := func(r repository) int { return strings.Count(r.name, "submodules") }
	return slices.SortedStableFunc(slices.Values(all), func(a, b repository) int { return cmp.Compare(last(a), last(b)) })
}

func (r repository) create(ctx context.Context, dir string, known commits) error {
	where := filepath.Join(dir, r.name+".git")
	if _, err := git(ctx, nil, "init", "--quiet", "--bare", "--initial-branch=main", where); err != nil {
		return err
	}
	read, write := io.Pipe()
	go func() {
		buffered := bufio.NewWriterSize(write, 1<<20)
		err := errors.Join(r.stream(buffered, known), buffered.Flush())
		// A nil error ends the stream well; closing a pipe does not fail.
		_ = write.CloseWithError(err)
	}()
	if _, err := git(ctx, read, "-C", where, "-c", "core.compression=1", "fast-import", "--quiet", "--done"); err != nil {
		// Whatever it has not read, nobody will.
		_ = read.CloseWithError(err)
		return err
	}
	refs, err := git(ctx, nil, "-C", where, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname) %(*objectname)")
	if err != nil {
		return err
	}
	for line := range strings.Lines(refs) {
		fields := strings.Fields(line)
		// A tag's last field is the commit.
		known[r.name+"#"+fields[0]] = fields[len(fields)-1]
	}
	return nil
}

// stream writes the repository in the format of git's fast-import.
func (r repository) stream(w io.Writer, known commits) error {
	for i, c := range r.commits {
		if err := c.stream(w, i, known); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "done")
	return err
}

func (c commit) stream(w io.Writer, number int, known commits) error {
	when := began + 60*number
	var head bytes.Buffer
	fmt.Fprintf(&head, "commit refs/heads/%s\nauthor %[2]s %[3]d +0000\ncommitter %[2]s %[3]d +0000\n", c.branch, author, when)
	fmt.Fprintf(&head, "data %d\n%s\n", len(c.message)+1, c.message+"\n")
	if c.from != "" {
		fmt.Fprintf(&head, "from refs/heads/%s\n", c.from)
	}
	head.WriteString("deleteall\n")
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	entries, err := c.entries(known)
	if err != nil {
		return err
	}
	for _, e := range slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return strings.Compare(a.path, b.path) }) {
		if err := e.stream(w); err != nil {
			return err
		}
	}
	if c.tag != "" {
		_, err = fmt.Fprintf(w, "tag %s\nfrom refs/heads/%s\ntagger %s %d +0000\ndata 0\n", c.tag, c.branch, author, when)
	}
	return err
}

func (e entry) stream(w io.Writer) error {
	if e.mode == submodule {
		_, err := fmt.Fprintf(w, "M %s %s %s\n", e.mode, e.content, e.path)
		return err
	}
	size := max(e.zeros, int64(len(e.content)))
	if _, err := fmt.Fprintf(w, "M %s inline %s\ndata %d\n", e.mode, e.path, size); err != nil {
		return err
	}
	var content io.Reader = bytes.NewReader(e.content)
	if e.zeros > 0 {
		content = io.LimitReader(zeros{}, e.zeros)
	}
	if _, err := io.Copy(w, content); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

type zeros struct{}

// Read fills a buffer with zeros.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// git runs git without what the machine's user has set.
func git(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C.UTF-8"}
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}
