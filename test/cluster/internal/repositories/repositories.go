package repositories

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/hostile"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/packages"
)

//go:embed all:files
var sources embed.FS

// bigFile is the size of the file in the repository big.
const bigFile = 2 << 30

// repository is what is made of files/…; one without commits is empty.
type repository struct {
	name    string
	commits []commit
}

// commit is a commit on a branch. Its files are those of a directory and those
// that are made.
type commit struct {
	branch string
	// from is the branch that this one leaves; without it, the commit follows
	// what the branch has.
	from string
	// tag is an annotated tag for the commit.
	tag     string
	message string
	dir     string
	made    func(known commits) ([]entry, error)
}

// commits are hashes by repository and branch or tag: "public/notebooks#main".
type commits map[string]string

// Kinds of an entry in a commit's tree.
const (
	regular    = "100644"
	executable = "100755"
	link       = "120000"
	submodule  = "160000"
)

// entry is a file of a commit; a link's content is its target and a
// submodule's is the commit.
type entry struct {
	path, mode string
	content    []byte
	// zeros is the size of a file of zeros, which is too large to hold.
	zeros int64
}

func all() []repository {
	repositories := []repository{
		{name: "public/notebooks", commits: []commit{
			{branch: "main", tag: "v1", message: "Say hello", dir: "notebooks/v1"},
			{branch: "main", message: "Take the newer package", dir: "notebooks/main"},
			{branch: "dev", from: "main", message: "Try something", dir: "notebooks/dev"},
			{branch: "feature/one", from: "main", message: "Begin a feature", dir: "notebooks/main"},
		}},
		{name: "private/private-notebooks", commits: []commit{{branch: "main", message: "Say hello to few", dir: "private-notebooks"}}},
		{name: "public/empty"},
		{name: "public/pipfile-lock", commits: []commit{{branch: "main", message: "Lock what is needed", dir: "pipfile", made: pipfileLock}}},
		{name: "public/hostile-postbuild", commits: []commit{{branch: "main", message: "Help yourself", dir: "hostile-postbuild", made: hostileProgram}}},
		{name: "public/hostile-containerfile", commits: []commit{{branch: "main", message: "Help yourself", dir: "hostile-containerfile", made: hostileProgram}}},
		{name: "public/hostile-links", commits: []commit{{branch: "main", message: "Point elsewhere", dir: "hostile-links", made: hostileLinks}}},
		{name: "public/hostile-submodules", commits: []commit{{branch: "main", message: "Include what is not yours", dir: "hostile-submodules", made: hostileSubmodules}}},
		{name: "public/submodules", commits: []commit{{branch: "main", message: "Include others", dir: "submodules", made: submodules}}},
		{name: "public/meteor-demo", commits: []commit{
			{branch: "main", message: "Show what a Meteor makes", dir: "meteor-demo"},
			{branch: "broken", from: "main", message: "Break the book", dir: "book-fails"},
		}},
		{name: "public/big", commits: []commit{{branch: "main", message: "Add the data", dir: "plain", made: big}}},
	}
	for _, name := range []string{
		"aicoe", "apt", "bad-requirements", "book-fails", "containerfile", "containerfile-fails", "dockerfile", "environment",
		"no-book", "pipfile", "plain", "postbuild", "postbuild-fails", "precedence", "pyproject", "s2i",
	} {
		repositories = append(repositories, repository{name: "public/" + name, commits: []commit{{branch: "main", message: "Begin", dir: name}}})
	}
	return repositories
}

// entries are the files of a commit.
func (c commit) entries(known commits) ([]entry, error) {
	var all []entry
	dir := path.Join("files", c.dir)
	err := fs.WalkDir(sources, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := sources.ReadFile(p)
		mode := regular
		if strings.HasPrefix(string(content), "#!") {
			mode = executable
		}
		all = append(all, entry{path: strings.TrimPrefix(p, dir+"/"), mode: mode, content: content})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the files of %s: %w", c.dir, err)
	}
	if c.made == nil {
		return all, nil
	}
	made, err := c.made(known)
	return append(all, made...), err
}

func hostileProgram(commits) ([]entry, error) {
	return []entry{{path: "hostile.py", mode: regular, content: hostile.Program}}, nil
}

func hostileLinks(commits) ([]entry, error) {
	var all []entry
	for from, to := range map[string]string{
		"requirements.txt": "../../../../../../../../var/run/secrets/kubernetes.io/serviceaccount/token",
		"postBuild":        "/etc/passwd",
		"data/out":         "../../../../../../..",
		"loop":             "loop",
	} {
		all = append(all, entry{path: from, mode: link, content: []byte(to)})
	}
	return all, nil
}

// submodules includes a repository by a path relative to its own URL and by a
// whole one.
func submodules(known commits) ([]entry, error) {
	return []entry{
		{path: "relative", mode: submodule, content: []byte(known["public/pipfile#main"])},
		{path: "absolute", mode: submodule, content: []byte(known["public/notebooks#v1"])},
	}, nil
}

func hostileSubmodules(known commits) ([]entry, error) {
	commit := []byte(known["public/notebooks#main"])
	return []entry{{path: "local", mode: submodule, content: commit}, {path: "command", mode: submodule, content: commit}}, nil
}

func big(commits) ([]entry, error) {
	return []entry{{path: "data.bin", mode: regular, zeros: bigFile}}, nil
}

// pipfileLock is what pipenv makes of the Pipfile.
func pipfileLock(commits) ([]entry, error) {
	filename, content, err := packages.Small("1.0")
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", filename, err)
	}
	type object = map[string]any
	sources := []object{{"name": "local", "url": "http://packages.local:5080/simple/", "verify_ssl": false}}
	requires := object{"python_version": "3.11"}
	said := object{
		"_meta":   object{"sources": sources, "requires": requires},
		"default": object{"meteor-small": "<2"}, "develop": object{},
	}
	pipfile, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	lock := object{
		"_meta": object{
			"hash":         object{"sha256": packages.Sum([]byte(strings.ReplaceAll(string(pipfile), `\u003c`, "<")))},
			"pipfile-spec": 6, "requires": requires, "sources": sources,
		},
		"default": object{"meteor-small": object{
			"hashes": []string{"sha256:" + packages.Sum(content)}, "index": "local", "version": "==1.0",
		}},
		"develop": object{},
	}
	out, err := json.MarshalIndent(lock, "", "    ")
	return []entry{{path: "Pipfile.lock", mode: regular, content: append(out, '\n')}}, err
}
