package git_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/git"
	"github.com/meteor-zone/meteor-operator/internal/git/gittest"
)

// tree lists what is in a folder: content, "x:" in front of what is executable, "l:" in front of links.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			if entries, err := os.ReadDir(p); err == nil && len(entries) == 0 {
				out[name+"/"] = ""
			}
		case info.Mode()&fs.ModeSymlink != 0:
			out["l:"+name], err = os.Readlink(p)
		default:
			var data []byte
			data, err = os.ReadFile(p)
			if info.Mode()&0o100 != 0 {
				name = "x:" + name
			}
			out[name] = string(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func clone(t *testing.T, o git.Options) (*git.Result, map[string]string, error) {
	t.Helper()
	dir, scratch := t.TempDir(), t.TempDir()
	o.Scratch = scratch
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	result, err := git.Clone(t.Context(), dir, o)
	if left := tree(t, scratch); len(left) > 0 {
		t.Errorf("scratch still holds %d files", len(left))
	}
	return result, tree(t, dir), err
}

func wantFailure(t *testing.T, err error, reason failure.Reason, parts ...string) {
	t.Helper()
	var f *failure.Failure
	if !errors.As(err, &f) || f.Reason != reason {
		t.Fatalf("error is %v, want %s", err, reason)
	}
	for _, p := range parts {
		if !strings.Contains(f.Message, p) {
			t.Errorf("message is %q, want %q in it", f.Message, p)
		}
	}
	if strings.Contains(f.Message, gittest.Password) || strings.Contains(f.Message, "wr0ng") {
		t.Errorf("message %q holds a password", f.Message)
	}
}

// repository makes one with two branches, two tags and a commit that nothing points to.
func repository(t *testing.T, root, name string) map[string]string {
	t.Helper()
	r := gittest.Init(t, root, name)
	commits := map[string]string{}
	commits["v1"] = r.Commit(map[string]string{"a.ipynb": "one", "x:bin/run": "#!/bin/sh\n", "l:b.ipynb": "a.ipynb"})
	r.Git("tag", "v1")
	r.Git("checkout", "-q", "-b", "dev")
	commits["dev"] = r.Commit(map[string]string{"dev.txt": "dev"})
	r.Git("tag", "-a", "-m", "annotated", "v2")
	r.Git("checkout", "-q", "main")
	commits["middle"] = r.Commit(map[string]string{"a.ipynb": "two"})
	commits["main"] = r.Commit(map[string]string{"a.ipynb": "three"})
	commits["lost"] = r.Commit(map[string]string{"lost.txt": "lost"})
	r.Git("reset", "-q", "--hard", commits["main"])
	return commits
}

func TestReferences(t *testing.T) {
	root := t.TempDir()
	commits := repository(t, root, "open/notes.git")
	gittest.Init(t, root, "open/empty.git")
	url := gittest.HTTP(t, root)
	base := map[string]string{"x:bin/run": "#!/bin/sh\n", "l:b.ipynb": "a.ipynb"}
	with := func(files map[string]string) map[string]string {
		for k, v := range base {
			files[k] = v
		}
		return files
	}
	cases := map[string]struct {
		ref, commit, full string
		files             map[string]string
	}{
		"Default":      {"", commits["main"], "refs/heads/main", with(map[string]string{"a.ipynb": "three"})},
		"Branch":       {"dev", commits["dev"], "refs/heads/dev", with(map[string]string{"a.ipynb": "one", "dev.txt": "dev"})},
		"FullName":     {"refs/heads/dev", commits["dev"], "refs/heads/dev", with(map[string]string{"a.ipynb": "one", "dev.txt": "dev"})},
		"Tag":          {"v1", commits["v1"], "refs/tags/v1", with(map[string]string{"a.ipynb": "one"})},
		"AnnotatedTag": {"v2", commits["dev"], "refs/tags/v2", with(map[string]string{"a.ipynb": "one", "dev.txt": "dev"})},
		"TipCommit":    {commits["dev"], commits["dev"], "", with(map[string]string{"a.ipynb": "one", "dev.txt": "dev"})},
		"OldCommit":    {commits["middle"], commits["middle"], "", with(map[string]string{"a.ipynb": "two"})},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result, files, err := clone(t, git.Options{URL: url + "/open/notes.git", Ref: tc.ref})
			if err != nil {
				t.Fatal(err)
			}
			if result.Commit != tc.commit || result.Ref != tc.full || result.Files != len(files)+1 {
				t.Errorf("got %s of %q with %d files, want %s of %q", result.Commit, result.Ref, result.Files, tc.commit, tc.full)
			}
			if diff := cmp.Diff(tc.files, files); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
	t.Run("CommitByHash", func(t *testing.T) {
		for _, allow := range []string{"uploadpack.allowReachableSHA1InWant", "uploadpack.allowAnySHA1InWant"} {
			r := gittest.Open(t, root, "open/notes.git")
			r.Git("config", allow, "true")
			if result, _, err := clone(t, git.Options{URL: url + "/open/notes.git", Ref: "main", Commit: commits["middle"]}); err != nil || result.Commit != commits["middle"] {
				t.Errorf("%s: %+v, %v", allow, result, err)
			}
			r.Git("config", "--unset", allow)
		}
	})
	missing := map[string]struct {
		path, ref string
		parts     []string
	}{
		"NoBranch":  {"notes", "nope", []string{`no branch or tag "nope"`, "branches: dev, main", "tags: v1, v2"}},
		"Short":     {"notes", commits["v1"][:8], []string{"all its 40 digits"}},
		"NoCommit":  {"notes", strings.Repeat("a", 40), []string{"no commit aaaaaaaa", "branches: dev, main"}},
		"Lost":      {"notes", commits["lost"], []string{"no commit " + commits["lost"]}},
		"Empty":     {"empty", "", []string{"is empty"}},
		"EmptyMain": {"empty", "main", []string{"is empty"}},
	}
	for name, tc := range missing {
		t.Run(name, func(t *testing.T) {
			_, _, err := clone(t, git.Options{URL: url + "/open/" + tc.path + ".git", Ref: tc.ref})
			wantFailure(t, err, failure.GitRefNotFound, tc.parts...)
		})
	}
}

func TestPassword(t *testing.T) {
	root := t.TempDir()
	repository(t, root, "private/notes.git")
	url, ca := gittest.HTTPS(t, root)
	cases := map[string]struct {
		path, secret, name string
		parts              []string
	}{
		"Right":     {"private/notes.git", gittest.BasicAuth(t, gittest.User, gittest.Password+"\n"), "s", nil},
		"Wrong":     {"private/notes.git", gittest.BasicAuth(t, gittest.User, "wr0ng"), "s", []string{`refuses the username and password of Secret "s"`}},
		"None":      {"private/notes.git", "", "", []string{"does not exist, or it is private and needs a Secret for this server in spec.gitSecret"}},
		"Absent":    {"private/notes.git", "/nonexistent", "s", []string{`Secret "s" is absent`}},
		"NotThere":  {"private/other.git", gittest.BasicAuth(t, gittest.User, gittest.Password), "s", []string{"does not exist, or they do not reach that far"}},
		"Nowhere":   {"open/other.git", "", "", []string{"does not exist, or it is private"}},
		"SSHSecret": {"private/notes.git", gittest.Folder(t, map[string]string{"ssh-privatekey": "x"}), "s", []string{"use an ssh:// URL"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result, _, err := clone(t, git.Options{URL: url + "/" + tc.path, CA: ca, Secret: tc.secret, SecretName: tc.name})
			if tc.parts == nil {
				if err != nil || result.Files == 0 {
					t.Fatal(result, err)
				}
				return
			}
			wantFailure(t, err, failure.GitAuthenticationFailed, tc.parts...)
		})
	}
}

func TestSSH(t *testing.T) {
	root := t.TempDir()
	commits := repository(t, root, "team/it's notes.git")
	server := gittest.SSH(t, root)
	other := gittest.SSH(t, root)
	url := "ssh://git@" + server.Addr + "/team/it's%20notes.git"
	good := server.Secret(t)
	cases := map[string]struct {
		url    string
		secret map[string]string
		parts  []string
	}{
		"Good":        {url: url},
		"NoKey":       {url, map[string]string{}, []string{"needs an SSH key", "ssh-keyscan -p"}},
		"NoHosts":     {url, map[string]string{"ssh-privatekey": server.Key}, []string{"has no key known_hosts", "kubectl create secret generic"}},
		"BadHosts":    {url, map[string]string{"ssh-privatekey": server.Key, "known_hosts": "what?"}, []string{"known_hosts of Secret \"k\" cannot be read"}},
		"UnknownHost": {url, map[string]string{"ssh-privatekey": server.Key, "known_hosts": other.KnownHosts}, []string{"has no key of"}},
		"OtherHost":   {url, map[string]string{"ssh-privatekey": server.Key, "known_hosts": server.OtherKnownHosts(t)}, []string{"another host key", "somebody is in between"}},
		"OtherKey":    {url, map[string]string{"ssh-privatekey": other.Key, "known_hosts": server.KnownHosts}, []string{`refuses the SSH key of Secret "k" for user "git"`}},
		"NoSSHKey":    {url, map[string]string{"ssh-privatekey": "x", "known_hosts": server.KnownHosts}, []string{"is no SSH private key"}},
		"BasicAuth":   {url, map[string]string{"username": "u", "password": "p"}, []string{"kubernetes.io/ssh-auth"}},
		"NoSuchRepo":  {"ssh://" + server.Addr + "/team/none.git", map[string]string{"ssh-privatekey": server.Key, "known_hosts": server.KnownHosts}, []string{"does not exist, or the key does not reach"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			secret := good
			if tc.secret != nil {
				secret = gittest.Folder(t, tc.secret)
			}
			result, _, err := clone(t, git.Options{URL: tc.url, Secret: secret, SecretName: "k"})
			if tc.parts == nil {
				if err != nil || result.Commit != commits["main"] {
					t.Fatal(result, err)
				}
				return
			}
			wantFailure(t, err, failure.GitAuthenticationFailed, tc.parts...)
		})
	}
	t.Run("Commit", func(t *testing.T) {
		result, _, err := clone(t, git.Options{URL: url, Ref: commits["middle"], Secret: good})
		if err != nil || result.Commit != commits["middle"] {
			t.Fatal(result, err)
		}
	})
	t.Run("NotFoundCommit", func(t *testing.T) {
		_, _, err := clone(t, git.Options{URL: url, Ref: strings.Repeat("b", 40), Secret: good})
		wantFailure(t, err, failure.GitRefNotFound, "no commit bbb")
	})
}

func TestURLs(t *testing.T) {
	cases := map[string]struct {
		url    string
		reason failure.Reason
		part   string
	}{
		"Password": {"https://u:" + gittest.Password + "@host/x", failure.GitAuthenticationFailed, "gitSecret"},
		"User":     {"https://u@host/x", failure.GitAuthenticationFailed, "gitSecret"},
		"File":     {"file:///etc", failure.UnsupportedFile, "of the form"},
		"Git":      {"git://host/x", failure.UnsupportedFile, "only https"},
		"Ext":      {"ext::sh -c x", failure.UnsupportedFile, "blank"},
		"Path":     {"/etc/passwd", failure.UnsupportedFile, "of the form"},
		"Query":    {"https://host/x?y=z", failure.UnsupportedFile, "'?'"},
		"Root":     {"https://host/", failure.UnsupportedFile, "of the form"},
		"Option":   {"git@host:-oProxyCommand=x", failure.UnsupportedFile, "URL cannot be used"},
		"HTTP":     {"http://127.0.0.1:1/x", failure.GitAuthenticationFailed, "unencrypted"},
	}
	secret := gittest.BasicAuth(t, "u", gittest.Password)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := clone(t, git.Options{URL: tc.url, Secret: secret, SecretName: "s"})
			wantFailure(t, err, tc.reason, tc.part)
		})
	}
}

func TestUnreachable(t *testing.T) {
	root := t.TempDir()
	repository(t, root, "notes.git")
	tls, _ := gittest.HTTPS(t, root)
	plain := gittest.HTTP(t, root)
	status := func(code int, header ...string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		gittest.Handler(root).ServeHTTP(recorder, r)
		w.Header().Set("Content-Type", recorder.Header().Get("Content-Type"))
		body := recorder.Body.Bytes()
		if r.Method == http.MethodPost {
			body = body[:len(body)/2]
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(cut.Close)
	ssh := gittest.SSH(t, root).Secret(t)
	cases := map[string]struct {
		url    string
		reason failure.Reason
		part   string
	}{
		"Refused":    {"https://127.0.0.1:1/x", failure.GitUnreachable, "connection refused"},
		"SSHRefused": {"ssh://git@127.0.0.1:1/x", failure.GitUnreachable, "connection refused"},
		"SSHSilent":  {"ssh://git@" + silent.Addr().String() + "/x", failure.GitUnreachable, "within 2s"},
		"NoHost":     {"https://nowhere.invalid/x", failure.GitUnreachable, "nowhere.invalid"},
		"Unknown CA": {tls + "/notes.git", failure.GitUnreachable, "network.trustedCA"},
		"NoTLS":      {strings.Replace(plain, "http:", "https:", 1) + "/notes.git", failure.GitUnreachable, "does not speak HTTPS"},
		"500":        {status(503) + "/x", failure.GitUnreachable, "status 503"},
		"429":        {status(429) + "/x", failure.GitUnreachable, "status 429"},
		"410":        {status(410) + "/x", failure.GitAuthenticationFailed, "check the URL"},
		"HTML":       {status(200, "Content-Type", "text/html") + "/x", failure.GitAuthenticationFailed, "no git repository"},
		"Cut":        {cut.URL + "/notes.git", failure.GitUnreachable, "ended the connection"},
		"Downgrade":  {status(302, "Location", "ftp://else/info/refs") + "/x", failure.GitAuthenticationFailed, "elsewhere"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			secret := ""
			if strings.HasPrefix(tc.url, "ssh") {
				secret = ssh
			}
			_, _, err := clone(t, git.Options{URL: tc.url, Secret: secret, Timeout: 2 * time.Second})
			wantFailure(t, err, tc.reason, tc.part)
		})
	}
}

func TestRedirects(t *testing.T) {
	root := t.TempDir()
	repository(t, root, "notes.git")
	repository(t, root, "private/notes.git")
	elsewhere, ca := gittest.HTTPS(t, root)
	var asked []string
	here := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization"))
		http.Redirect(w, r, elsewhere+strings.TrimPrefix(r.URL.String(), "/old"), http.StatusMovedPermanently)
	}))
	t.Cleanup(here.Close)
	if _, files, err := clone(t, git.Options{URL: here.URL + "/old/notes.git", CA: ca}); err != nil || len(files) == 0 {
		t.Errorf("a repository that has moved: %v, %v", files, err)
	}
	_, _, err := clone(t, git.Options{URL: here.URL + "/old/private/notes.git", CA: ca, Secret: gittest.BasicAuth(t, gittest.User, gittest.Password), SecretName: "s"})
	wantFailure(t, err, failure.GitAuthenticationFailed, "credentials are only for")
}

func TestLimits(t *testing.T) {
	root := t.TempDir()
	noise := make([]byte, 300<<10)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	gittest.Init(t, root, "noise.git").Commit(map[string]string{"noise": string(noise)})
	gittest.Init(t, root, "large.git").Commit(map[string]string{"large": strings.Repeat("0", 3<<20)})
	gittest.Init(t, root, "sum.git").Commit(map[string]string{"a": strings.Repeat("a", 1<<20), "b": strings.Repeat("b", 1<<20)})
	many := map[string]string{}
	for _, c := range "abcdefghijkl" {
		many[string(c)] = "same"
	}
	gittest.Init(t, root, "many.git").Commit(many)
	url := gittest.HTTP(t, root)
	cases := map[string]struct {
		limits git.Limits
		part   string
	}{
		"noise": {git.Limits{PackBytes: 100 << 10}, "larger than 100 KiB, the limit"},
		"large": {git.Limits{Bytes: 2 << 20}, "a file of 3 MiB, more than 2 MiB, the limit"},
		"sum":   {git.Limits{Bytes: 3 << 19}, "more than 1.5 MiB, the limit"},
		"many":  {git.Limits{Files: 10}, "more than 10 files and folders"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := clone(t, git.Options{URL: url + "/" + name + ".git", Limits: tc.limits})
			wantFailure(t, err, failure.UnsupportedFile, "is too large", tc.part)
		})
	}
}

// A file that is larger than memory should be neither held there nor be fetched.
func TestHugeFile(t *testing.T) {
	root := t.TempDir()
	r := gittest.Init(t, root, "big.git")
	f, err := os.Create(filepath.Join(r.Dir, "zeros"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(300<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	r.Git("-c", "core.bigFileThreshold=1m", "add", "-A")
	r.Git("commit", "-q", "-m", "big")
	url := gittest.HTTP(t, root)
	_, _, err = clone(t, git.Options{URL: url + "/big.git", Limits: git.Limits{Bytes: 100 << 20}})
	wantFailure(t, err, failure.UnsupportedFile, "a file of 300 MiB, more than 100 MiB")

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	dir := t.TempDir()
	if _, err := git.Clone(t.Context(), dir, git.Options{URL: url + "/big.git", Scratch: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MiB were allocated for a file of 300 MiB", grown>>20)
	}
	if info, err := os.Stat(filepath.Join(dir, "zeros")); err != nil || info.Size() != 300<<20 {
		t.Error(info, err)
	}
}

// Objects that are sent as differences, also of large files, come out whole.
func TestDifferences(t *testing.T) {
	root := t.TempDir()
	r := gittest.Init(t, root, "delta.git")
	var line bytes.Buffer
	for i := range 400_000 {
		line.WriteString(strings.Repeat(string(rune('a'+i*7%26)), i%23+1))
	}
	want := map[string]string{}
	for i, name := range []string{"one", "two", "three", "four", "small", "smaller"} {
		content := line.String()
		if i > 3 {
			content = content[:100_000]
		}
		want[name] = name + content[:len(content)/2] + name + content[len(content)/2:]
	}
	r.Commit(want)
	r.Git("repack", "-q", "-a", "-d", "-f")
	url := gittest.HTTP(t, root)
	_, files, err := clone(t, git.Options{URL: url + "/delta.git"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range want {
		if files[name] != content {
			t.Errorf("%s has %d bytes and other content, want %d", name, len(files[name]), len(content))
		}
	}
	if packed := r.Git("verify-pack", "-v", filepath.Join(".git/objects/pack", filepath.Base(first(t, filepath.Join(r.Dir, ".git/objects/pack/*.idx"))))); !strings.Contains(packed, "chain length = 1") {
		t.Error("the repository has no differences, nothing was tested")
	}
}

func first(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	return found[0]
}

func TestHostileTrees(t *testing.T) {
	root := t.TempDir()
	cases := map[string]struct {
		files map[string]string
		part  string
	}{
		"absolute": {map[string]string{"l:a": "/etc/passwd"}, `"a" is a symbolic link to "/etc/passwd", outside of the repository`},
		"parent":   {map[string]string{"l:x/a": "../../b"}, "outside of the repository"},
		"itself":   {map[string]string{"l:a": ".."}, "outside of the repository"},
		// Each looks as if it stayed inside.
		"through": {map[string]string{"l:deep/er/up": "../..", "l:out": "deep/er/up/../x"}, "outside of the repository"},
		"inside":  {map[string]string{"l:d/up": "..", "l:loop": "loop", "l:gone": "nothing/here", "a": "1"}, ""},
	}
	for name := range cases {
		gittest.Init(t, root, name+".git").Commit(cases[name].files)
	}
	url := gittest.HTTP(t, root)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, files, err := clone(t, git.Options{URL: url + "/" + name + ".git"})
			if tc.part != "" {
				wantFailure(t, err, failure.UnsupportedFile, tc.part)
				return
			}
			if diff := cmp.Diff(tc.files, files); err != nil || diff != "" {
				t.Errorf("%v; -want, +got:\n%s", err, diff)
			}
		})
	}
}

// Trees that git itself would not make, but a server can send.
func TestForgedTrees(t *testing.T) {
	root := t.TempDir()
	cases := map[string]struct {
		names []string
		part  string
	}{
		"dotgit": {[]string{".GIT"}, "which no file may have"},
		"dots":   {[]string{".."}, "which no file may have"},
		"slash":  {[]string{"a/../../b"}, "which no file may have"},
		"twice":  {[]string{"a", "a"}, "more than one file with the name"},
	}
	for name, tc := range cases {
		r := gittest.Init(t, root, name+".git")
		r.Write(map[string]string{"blob": "x"})
		blob := r.Git("hash-object", "-w", "blob")
		var raw bytes.Buffer
		for _, n := range tc.names {
			raw.WriteString("100644 " + n + "\x00")
			for i := 0; i < 40; i += 2 {
				raw.WriteByte(unhex(blob[i])<<4 | unhex(blob[i+1]))
			}
		}
		r.Write(map[string]string{"tree": raw.String()})
		tree := r.Git("hash-object", "-w", "-t", "tree", "--literally", "tree")
		r.Git("update-ref", "refs/heads/main", r.Git("commit-tree", "-m", "forged", tree))
	}
	url := gittest.HTTP(t, root)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := clone(t, git.Options{URL: url + "/" + name + ".git"})
			wantFailure(t, err, failure.UnsupportedFile, tc.part)
		})
	}
}

func unhex(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

func TestSubmodules(t *testing.T) {
	root := t.TempDir()
	url, ca := gittest.HTTPS(t, root)
	commits := repository(t, root, "private/notes.git")
	module := func(name, path, at, sub string) {
		r := gittest.Init(t, root, name)
		r.Write(map[string]string{".gitmodules": "[submodule \"m\"]\n\tpath = " + path + "\n\turl = " + at + "\n"})
		r.Git("add", "-A")
		r.Git("update-index", "--add", "--cacheinfo", "160000,"+sub+","+path)
		r.Git("commit", "-q", "-m", "test")
	}
	module("private/parent.git", "libs/notes", "../notes.git", commits["middle"])
	module("private/grand.git", "parent", "./../parent.git", gittest.Open(t, root, "private/parent.git").Git("rev-parse", "HEAD"))
	module("private/file.git", "m", "file:///etc", commits["main"])
	module("private/above.git", "m", "../../../../x.git", commits["main"])
	module("private/plain.git", "m", "http://127.0.0.1:1/x.git", commits["main"])
	module("private/outside.git", "m", "https://127.0.0.1:1/x.git", commits["main"])
	module("private/missing.git", "m", "../notes.git", strings.Repeat("c", 40))
	lonely := gittest.Init(t, root, "private/lonely.git")
	lonely.Git("update-index", "--add", "--cacheinfo", "160000,"+commits["main"]+",m")
	lonely.Git("commit", "-q", "-m", "test")

	get := func(name string, limits git.Limits) (*git.Result, map[string]string, error) {
		return clone(t, git.Options{URL: url + "/private/" + name + ".git", CA: ca, Secret: gittest.BasicAuth(t, gittest.User, gittest.Password), SecretName: "s", Limits: limits})
	}
	result, files, err := get("grand", git.Limits{})
	if err != nil || files["parent/libs/notes/a.ipynb"] != "two" {
		t.Errorf("%v; got %v", err, files)
	}
	if diff := cmp.Diff([]string{"parent", "parent/libs/notes"}, result.Submodules); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if result, files, err = get("lonely", git.Limits{}); err != nil || len(result.Ignored) != 1 || !cmp.Equal(files, map[string]string{"m/": ""}) {
		t.Errorf("%+v, %v, %v", result, files, err)
	}
	failures := map[string]struct {
		name   string
		limits git.Limits
		reason failure.Reason
		part   string
	}{
		"File":    {"file", git.Limits{}, failure.UnsupportedFile, `Submodule "m"`},
		"Above":   {"above", git.Limits{}, failure.UnsupportedFile, "above the server's root"},
		"Plain":   {"plain", git.Limits{}, failure.UnsupportedFile, "not encrypted"},
		"Outside": {"outside", git.Limits{}, failure.GitUnreachable, `submodule "m"`},
		"Missing": {"missing", git.Limits{}, failure.GitRefNotFound, `Submodule "m"`},
		"Depth":   {"grand", git.Limits{Depth: 1}, failure.UnsupportedFile, "nested deeper than 1"},
		"Count":   {"grand", git.Limits{Submodules: 1}, failure.UnsupportedFile, "more than 1 submodules"},
		"Bytes":   {"grand", git.Limits{Bytes: 90}, failure.UnsupportedFile, "too large"},
	}
	for name, tc := range failures {
		t.Run(name, func(t *testing.T) {
			_, _, err := get(tc.name, tc.limits)
			wantFailure(t, err, tc.reason, tc.part)
		})
	}
}

func TestLFSPointersAreTold(t *testing.T) {
	root := t.TempDir()
	gittest.Init(t, root, "lfs.git").Commit(map[string]string{"data.csv": "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1\n", "b": "2"})
	result, files, err := clone(t, git.Options{URL: gittest.HTTP(t, root) + "/lfs.git"})
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	if diff := cmp.Diff([]string{"data.csv: its content is in Git LFS, which is not fetched"}, result.Ignored); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestSHA256(t *testing.T) {
	root := t.TempDir()
	r := gittest.Open(t, root, "new.git")
	if err := os.MkdirAll(filepath.Join(root, "new.git"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.Git("init", "-q", "-b", "main", "--object-format=sha256")
	r.Commit(map[string]string{"a": "1"})
	_, _, err := clone(t, git.Options{URL: gittest.HTTP(t, root) + "/new.git"})
	wantFailure(t, err, failure.UnsupportedFile, "SHA-256")
}
