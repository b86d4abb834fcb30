package repository_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/meteor-zone/meteor-operator/internal/repository"
)

const hash = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestWishes(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		want  repository.Wishes
	}{
		"Requirements": {
			map[string]string{
				"requirements.txt":    "# comment\nboto3>=1.24 # why not\nnumpy[x]==1 ; python_version < '4'\r\n-r more/others.txt\n--constraint limits.txt\n--pre\n--only-binary=:all:\n-i https://pypi.org/simple\n",
				"more/others.txt":     "-r deeper.txt\npandas\n",
				"more/deeper.txt":     "six\\\n  ==1.0\n",
				"limits.txt":          "six<2\n",
				"not-included.txt":    "x",
				"more/not-either.txt": "x",
			},
			repository.Wishes{
				File: "requirements.txt", Requirements: []string{"boto3>=1.24", "numpy[x]==1 ; python_version < '4'", "six   ==1.0", "pandas", "--pre", "--only-binary=:all:"},
				Constraints: []string{"six<2"}, Indexes: []repository.NamedIndex{{Where: "requirements.txt:8", URL: "https://pypi.org/simple"}},
			},
		},
		"Hashes": {
			map[string]string{"requirements.txt": "six==1.0 \\\n    --hash=" + hash + " \\\n    --hash " + hash + "\n"},
			repository.Wishes{File: "requirements.txt", Requirements: []string{"six==1.0      --hash=" + hash + "      --hash " + hash}, Hashed: true},
		},
		"Locals": {
			map[string]string{"requirements.txt": ".\n-e ./lib[dev]\n--editable=lib\nwheels/x-1-py3-none-any.whl\nhttps://h.example/y.whl\nz @ https://h.example/z.tar.gz\n", "lib/setup.py": "", "wheels/x-1-py3-none-any.whl": ""},
			repository.Wishes{File: "requirements.txt", Requirements: []string{"https://h.example/y.whl", "z @ https://h.example/z.tar.gz"}, Locals: []string{".", "lib[dev]", "lib", "wheels/x-1-py3-none-any.whl"}},
		},
		"Pipfile": {
			map[string]string{"Pipfile": "[[source]]\nurl='https://pypi.org/simple'\nname='pypi'\n[requires]\npython_version='3.8'\n[packages]\na='*'\nb='>=1'\nc='1.0'\nd={version='~=2',extras=['x','y'],markers=\"python_version<'4'\"}\ne={path='.',editable=true}\nf={version='*',sys_platform=\"== 'linux'\"}\n[dev-packages]\npytest='*'\n"},
			repository.Wishes{
				File: "Pipfile", Requirements: []string{"a", "b>=1", "c==1.0", "d[x,y]~=2 ; (python_version<'4')", "f ; sys_platform == 'linux'"}, Locals: []string{"."},
				Indexes: []repository.NamedIndex{{Where: "Pipfile", URL: "https://pypi.org/simple"}}, Ignored: []string{"Pipfile: Python 3.8, since the base image's is used"},
			},
		},
		"PipfileLock": {
			map[string]string{"Pipfile.lock": `{"_meta":{"sources":[{"url":"https://pypi.org/simple"}]},"default":{"six":{"version":"==1.0","hashes":["` + hash + `"],"markers":"python_version>'3'","index":"pypi"}},"develop":{"x":{}}}`},
			repository.Wishes{
				File: "Pipfile.lock", Hashed: true, Requirements: []string{"six==1.0 ; (python_version>'3') --hash=" + hash},
				Indexes: []repository.NamedIndex{{Where: "Pipfile.lock", URL: "https://pypi.org/simple"}},
			},
		},
		"Project":      {map[string]string{"pyproject.toml": "[build-system]\nrequires=['setuptools']\n[project]\nname='x'\ndependencies=['a']\n"}, repository.Wishes{File: "pyproject.toml", Locals: []string{"."}}},
		"Dependencies": {map[string]string{"pyproject.toml": "[project]\nname='x'\ndependencies=['a>1','b']\n"}, repository.Wishes{File: "pyproject.toml", Requirements: []string{"a>1", "b"}}},
		"Poetry":       {map[string]string{"pyproject.toml": "[tool.poetry]\nname='x'\n"}, repository.Wishes{File: "pyproject.toml", Locals: []string{"."}}},
		"Setup":        {map[string]string{"setup.py": ""}, repository.Wishes{File: "setup.py", Locals: []string{"."}}},
		"Conda":        {map[string]string{"environment.yml": "dependencies: [a]\n"}, repository.Wishes{File: "environment.yml", Conda: "environment.yml"}},
		"Nothing":      {map[string]string{}, repository.Wishes{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := look(t, tc.files)
			must(t, err)
			got, err := r.Wishes()
			must(t, err)
			if diff := cmp.Diff(&tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestWishesRefused(t *testing.T) {
	requirements := map[string][]string{
		"-f https://x":                 {"requirements.txt:1", "-f"},
		"ok\n--trusted-host x":         {"requirements.txt:2", "--trusted-host"},
		"--no-index":                   {"--no-index"},
		"-e git+https://h/x.git#egg=x": {"git+https://h/x.git", "not in the repository"},
		"x @ git+ssh://git@h/x.git":    {"no hash"},
		"git+https://h/x.git":          {"no hash"},
		"file:///etc/passwd":           {"only https URLs"},
		"x @ file:///etc/passwd":       {"only https URLs"},
		"http://h/x.whl":               {"only https URLs"},
		"https://user:s3cret@h/x.whl":  {"credentials in a URL"},
		"-e ../outside":                {"not in the repository"},
		"/etc":                         {"not in the repository"},
		"./missing":                    {"not in the repository"},
		"-r ../x.txt":                  {"includes", "not in the repository"},
		"-r https://h/x.txt":           {"includes", "not in the repository"},
		"-r requirements.txt":          {"includes more than"},
		"-c requirements.txt\n./x":     {"includes more than"},
		"six --install-option=x":       {"--install-option", "cannot be honoured"},
		"six --global-option=\"x\"":    {"--global-option"},
		"--use-feature=x":              {"--use-feature"},
		"six\x01":                      {"control character"},
		". ; python_version<'3'":       {"markers"},
		"-r link.txt":                  {"not in the repository"},
		"x @ ./y":                      {"neither a version nor a URL"},
		"-r sub/bad.txt":               {"sub/bad.txt:1", "no hash"},
		"-e git+https://u:s3cret@h/x.git#egg=x\nsix": {"not in the repository"},
	}
	for content, parts := range requirements {
		t.Run(content, func(t *testing.T) {
			r, err := look(t, map[string]string{"requirements.txt": content, "l:link.txt": "/etc/passwd", "sub/bad.txt": "git+https://h/x"})
			must(t, err)
			_, err = r.Wishes()
			wantUnsupported(t, err, parts...)
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q holds a password", err)
			}
		})
	}
	others := map[string]struct {
		files map[string]string
		part  string
	}{
		"PipfileGit":     {map[string]string{"Pipfile": "[packages]\na={git='https://h/x.git'}\n"}, "version control"},
		"PipfileURL":     {map[string]string{"Pipfile": "[packages]\na={file='https://h/x.zip'}\n"}, "from a URL"},
		"PipfileOutside": {map[string]string{"Pipfile": "[packages]\na={path='../x'}\n"}, "not in the repository"},
		"PipfileName":    {map[string]string{"Pipfile": "[packages]\n'a --index-url=x'='*'\n"}, "not written as pipenv"},
		"PipfileNewline": {map[string]string{"Pipfile": "[packages]\na=\"==1\\n--index-url=x\"\n"}, "not written as pipenv"},
		"LockNoHash":     {map[string]string{"Pipfile.lock": `{"default":{"a":{"version":"==1"}}}`}, "no hashes"},
		"ProjectGit":     {map[string]string{"pyproject.toml": "[project]\nname='x'\ndependencies=['a @ git+https://h/x']\n"}, "no hash"},
	}
	for name, tc := range others {
		t.Run(name, func(t *testing.T) {
			r, err := look(t, tc.files)
			must(t, err)
			_, err = r.Wishes()
			wantUnsupported(t, err, tc.part)
		})
	}
}

func TestCheckIndexes(t *testing.T) {
	cases := map[string]struct {
		named, setUp string
		ok           bool
	}{
		"Python's": {"https://pypi.org/simple/", "https://mirror.example/simple", true},
		"SetUp":    {"https://mirror.example/simple", "https://mirror.example/simple/", true},
		"Other":    {"https://other.example/simple", "https://mirror.example/simple", false},
		"Password": {"https://u:p@other.example/simple", "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := look(t, map[string]string{"requirements.txt": "--extra-index-url " + tc.named + "\nsix\n"})
			must(t, err)
			w, err := r.Wishes()
			must(t, err)
			if err = w.CheckIndexes(tc.setUp); tc.ok {
				must(t, err)
				return
			}
			wantUnsupported(t, err, "requirements.txt:1", `"https://other.example/simple"`, "spec.packageIndex")
		})
	}
}
