package repository_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/repository"
)

const (
	theirs  = "quay.io/theirs:1"
	ours    = "quay.io/ours:1"
	byAdmin = "quay.io/default:1"
)

// folder writes files: names that start with "x:" are executable, with "l:" links to their content.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		kind, rest, ok := strings.Cut(name, ":")
		if !ok {
			kind, rest = "", name
		}
		path := filepath.Join(dir, rest)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch kind {
		case "l":
			must(t, os.Symlink(content, path))
		case "x":
			must(t, os.WriteFile(path, []byte(content), 0o755))
		default:
			must(t, os.WriteFile(path, []byte(content), 0o644))
		}
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, files map[string]string) (*repository.Repository, error) {
	t.Helper()
	r, err := repository.Look(folder(t, files))
	if err == nil {
		t.Cleanup(func() { _ = r.Close() })
	}
	return r, err
}

func plan(t *testing.T, files map[string]string, c repository.Choice, labels map[string]string) (*repository.Plan, error) {
	t.Helper()
	r, err := look(t, files)
	if err != nil {
		return nil, err
	}
	p, err := r.Decide(c)
	if err != nil {
		return nil, err
	}
	return p, r.OnBase(p, labels)
}

func wantUnsupported(t *testing.T, err error, parts ...string) {
	t.Helper()
	var f *failure.Failure
	if !errors.As(err, &f) || f.Reason != failure.UnsupportedFile {
		t.Fatalf("error is %v, want UnsupportedFile", err)
	}
	for _, p := range parts {
		if !strings.Contains(f.Message, p) {
			t.Errorf("message is %q, want %q in it", f.Message, p)
		}
	}
}

var s2i = map[string]string{"io.openshift.s2i.scripts-url": "image:///usr/libexec/s2i"}

func TestPlan(t *testing.T) {
	all := repository.Choice{Default: byAdmin, Containerfiles: true}
	named := repository.Choice{Base: ours, Default: byAdmin, Containerfiles: true}
	cases := map[string]struct {
		files  map[string]string
		choice repository.Choice
		labels map[string]string
		want   repository.Plan
	}{
		"Nothing": {
			files: map[string]string{"a.ipynb": "{}"}, choice: all,
			want: repository.Plan{Kind: repository.Layer, Files: []string{}, Base: byAdmin},
		},
		"Requirements": {
			files: map[string]string{"requirements.txt": "boto3\n"}, choice: named,
			want: repository.Plan{Kind: repository.Layer, Files: []string{"requirements.txt"}, Base: ours},
		},
		"Containerfile": {
			files:  map[string]string{"Containerfile": "FROM x", "Dockerfile": "FROM y", "requirements.txt": "a", "x:postBuild": "#!/bin/sh\n", "apt.txt": "gcc"},
			choice: named,
			want: repository.Plan{Kind: repository.Containerfile, Files: []string{"Containerfile"}, Ignored: []string{
				"Dockerfile: Containerfile is used", "builderImage quay.io/ours:1: Containerfile says what to build on",
				"requirements.txt: Containerfile is used", "postBuild: Containerfile is used",
			}},
		},
		"Dockerfile": {
			files: map[string]string{"Dockerfile": "FROM y"}, choice: all,
			want: repository.Plan{Kind: repository.Containerfile, Files: []string{"Dockerfile"}},
		},
		"AICoE": {
			files: map[string]string{".aicoe-ci.yaml": "build:\n  base-image: " + theirs + "\n", "Pipfile": "[packages]\na='*'\n"}, choice: all,
			want: repository.Plan{Kind: repository.Layer, Files: []string{".aicoe-ci.yaml", "Pipfile"}, Base: theirs},
		},
		"AICoEOverruled": {
			files: map[string]string{".aicoe-ci.yaml": "build:\n  base-image: " + theirs + "\n"}, choice: named,
			want: repository.Plan{Kind: repository.Layer, Files: []string{}, Base: ours, Ignored: []string{".aicoe-ci.yaml: base image quay.io/theirs:1, since another was chosen"}},
		},
		"AICoESource": {
			files: map[string]string{".aicoe-ci.yaml": "build:\n  base-image: " + theirs + "\n  build-stratergy: Source\n", "Dockerfile": "FROM y"}, choice: all,
			want: repository.Plan{Kind: repository.Layer, Files: []string{".aicoe-ci.yaml"}, Base: theirs, Ignored: []string{"Dockerfile: .aicoe-ci.yaml says build-stratergy: Source"}},
		},
		"AICoEDockerfilePath": {
			files: map[string]string{".aicoe-ci.yaml": "build:\n  build-stratergy: Dockerfile\n  dockerfile-path: build/Dockerfile\n", "build/Dockerfile": "FROM y"}, choice: all,
			want: repository.Plan{Kind: repository.Containerfile, Files: []string{"build/Dockerfile"}},
		},
		"AICoEOverlays": {
			files: map[string]string{
				".aicoe-ci.yaml":                "overlays_dir: overlays\noverlays:\n- name: training\n  build:\n    base-image: quay.io/training:1\n- name: experiment\n  build:\n    base-image: quay.io/custom-notebook:1\n",
				"overlays/experiment/Pipfile":   "[packages]\na='*'\n",
				"overlays/training/Pipfile":     "[packages]\nb='*'\n",
				"requirements.txt":              "c\n",
				"overlays/experiment/README.md": "x",
			},
			choice: all,
			want: repository.Plan{Kind: repository.Layer, Files: []string{".aicoe-ci.yaml", "overlays/experiment/Pipfile"}, Base: "quay.io/custom-notebook:1", Ignored: []string{
				`.aicoe-ci.yaml: of 2 overlays, "experiment" is used`, "requirements.txt: overlays/experiment/Pipfile is used",
			}},
		},
		"PostBuild": {
			files: map[string]string{"x:postBuild": "#!/bin/sh\n"}, choice: all,
			want: repository.Plan{Kind: repository.Layer, Files: []string{"postBuild"}, Base: byAdmin},
		},
		"S2I": {
			files: map[string]string{"requirements.txt": "--index-url https://elsewhere.example/simple\na\n"}, choice: all, labels: s2i,
			want: repository.Plan{Kind: repository.Layer, Files: []string{"requirements.txt"}, Base: byAdmin, S2I: true, Scripts: "/usr/libexec/s2i"},
		},
		"OnlyTools": {
			files: map[string]string{"pyproject.toml": "[tool.black]\nline-length = 100\n", "setup.py": "x"}, choice: all,
			want: repository.Plan{Kind: repository.Layer, Files: []string{"setup.py"}, Base: byAdmin},
		},
		"Notes": {
			files: map[string]string{"runtime.txt": "python-3.8", "uv.lock": "", "binder/apt.txt": "gcc"}, choice: all,
			want: repository.Plan{Kind: repository.Layer, Files: []string{}, Base: byAdmin, Ignored: []string{
				"runtime.txt: the Python is the base image's", "uv.lock: versions are resolved anew", "binder: only files at the top are looked at",
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := plan(t, tc.files, tc.choice, tc.labels)
			must(t, err)
			if diff := cmp.Diff(&tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	all := repository.Choice{Default: byAdmin, Containerfiles: true}
	cases := map[string]struct {
		files  map[string]string
		choice repository.Choice
		labels map[string]string
		parts  []string
	}{
		"NoBase":         {files: map[string]string{"a": ""}, parts: []string{"does not say what to build on", ".aicoe-ci.yaml"}},
		"ContainersOff":  {files: map[string]string{"Dockerfile": ""}, choice: repository.Choice{Base: ours}, parts: []string{`"Dockerfile"`, "spec.build.containerfiles"}},
		"NotExecutable":  {files: map[string]string{"postBuild": ""}, choice: all, parts: []string{`"postBuild" is not executable`, "chmod=+x"}},
		"S2IConda":       {files: map[string]string{"environment.yml": ""}, choice: all, labels: s2i, parts: []string{"environment.yml", "assemble"}},
		"BadAICoE":       {files: map[string]string{".aicoe-ci.yaml": "build: [\n"}, choice: all, parts: []string{".aicoe-ci.yaml"}},
		"DockerfileGone": {files: map[string]string{".aicoe-ci.yaml": "build:\n  dockerfile-path: ../x\n"}, choice: all, parts: []string{"dockerfile-path", "not in the repository"}},
		"BadPipfile":     {files: map[string]string{"Pipfile": "[packages"}, choice: all, parts: []string{`"Pipfile" is no Pipfile`}},
		"BadLock":        {files: map[string]string{"Pipfile.lock": "["}, choice: all, parts: []string{"no lock of pipenv"}},
		"BadProject":     {files: map[string]string{"pyproject.toml": "[project"}, choice: all, parts: []string{`"pyproject.toml" cannot be read`}},
		"Large":          {files: map[string]string{"requirements.txt": strings.Repeat("a\n", 3<<20)}, choice: all, parts: []string{`"requirements.txt" is no plain file of at most 4 MiB`}},
	}
	for file, why := range repository.Unsupported {
		cases[file] = struct {
			files  map[string]string
			choice repository.Choice
			labels map[string]string
			parts  []string
		}{files: map[string]string{file: "x", "requirements.txt": "a\n"}, choice: all, parts: []string{file, why}}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := plan(t, tc.files, tc.choice, tc.labels)
			wantUnsupported(t, err, tc.parts...)
		})
	}
}

// The order in which files count is written down for people.
func TestPrecedenceIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/repositories.md")
	must(t, err)
	section := func(title string) []string {
		_, rest, found := strings.Cut(string(data), "\n## "+title+"\n")
		if !found {
			t.Fatalf("there is no section %q", title)
		}
		rest, _, _ = strings.Cut(rest, "\n## ")
		var names []string
		for _, m := range regexp.MustCompile("(?m)^(?:\\d+\\.|-|\\|) ((?:`[^`]+`(?:, )?)+)").FindAllStringSubmatch(rest, -1) {
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
				names = append(names, name[1])
			}
		}
		return names
	}
	if diff := cmp.Diff(repository.ContainerfileNames, section("A whole image")); diff != "" {
		t.Errorf("Containerfiles: -code, +doc:\n%s", diff)
	}
	if diff := cmp.Diff(repository.PackageFiles, section("Packages")); diff != "" {
		t.Errorf("packages: -code, +doc:\n%s", diff)
	}
	var refused []string
	for name := range repository.Unsupported {
		refused = append(refused, name)
	}
	slices.Sort(refused)
	documented := section("What cannot be honoured")
	slices.Sort(documented)
	if diff := cmp.Diff(refused, documented); diff != "" {
		t.Errorf("refused: -code, +doc:\n%s", diff)
	}
	// Each file counts when those before it are not there.
	content := map[string]string{"Pipfile.lock": "{}", "pyproject.toml": "[build-system]\nrequires = []\n"}
	for i, name := range repository.PackageFiles {
		files := map[string]string{}
		for _, later := range repository.PackageFiles[i:] {
			files[later] = content[later]
		}
		r, err := look(t, files)
		must(t, err)
		if r.Packages != name || len(r.Ignored) != len(files)-1 {
			t.Errorf("%s is used and %d are told of, want %s", r.Packages, len(r.Ignored), name)
		}
	}
}

func TestPlanFits(t *testing.T) {
	p := &repository.Plan{Kind: repository.Layer, Files: []string{"a"}, Base: "x$(params.url)"}
	for range 40 {
		p.Ignored = append(p.Ignored, strings.Repeat("n", 100))
	}
	data := p.Encode()
	if len(data) > 1<<10 || strings.Contains(data, "$") || !strings.Contains(data, "…") {
		t.Errorf("%d bytes: %s", len(data), data)
	}
	got, err := repository.ParsePlan(data)
	if err != nil || got.Base != p.Base {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNameOf(t *testing.T) {
	for url, want := range map[string]string{
		"https://h/team/notes.git": "notes", "git@h:notes.git/": "notes", "ssh://git@h/~u/a%20b": "a-20b",
		"https://h/..": "repository", "https://h/-x-": "x", "https://h/" + strings.Repeat("a", 300): strings.Repeat("a", 100),
	} {
		if got := repository.NameOf(url); got != want {
			t.Errorf("NameOf(%q) = %q, want %q", url, got, want)
		}
	}
}
