package images

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io/fs"
	"runtime"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

//go:embed recipes scripts
var recipeFiles embed.FS

// How a layer is packed and how an image is proven decide what is kept as much
// as the recipes do, so the code of both is part of the keys.
//
//go:embed layer.go chroot.go
var layerCode embed.FS

//go:embed proofs.go sandbox.go
var proofCode embed.FS

const (
	appRoot    = "/opt/app-root"
	home       = appRoot + "/src"
	scripts    = "/usr/libexec/s2i"
	searchPath = appRoot + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// layerRecipe says what a layer lies on. Its files are in recipes/NAME, and
// build.sh there makes it: in a chroot of the layers below, or on the machine
// with $ROOT set for a layer that has none below.
type layerRecipe struct {
	on string
}

func layerRecipes() map[string]layerRecipe {
	return map[string]layerRecipe{
		"debian":        {},
		"python":        {on: "debian"},
		"jupyter":       {on: "python"},
		"no-jupyter":    {on: "python"},
		"old-python":    {on: "jupyter"},
		"crashes-later": {on: "jupyter"},
		"memory-hungry": {on: "jupyter"},
		"s2i":           {on: "jupyter"},
		"busybox":       {},
		"buildah":       {on: "debian"},
		"book":          {on: "python"},
	}
}

// imageRecipe is an image: a layer with all below it, a configuration, and what
// must be seen of it before it is kept.
type imageRecipe struct {
	name   string
	layer  string
	config v1.Config
	prove  func(context.Context, *bench) error
}

func imageRecipes() []imageRecipe {
	return []imageRecipe{
		{name: "jupyter", layer: "jupyter", prove: proveNotebook,
			config: notebookConfig("A Jupyter notebook", "start-notebook.sh")},
		{name: "jupyter-slow", layer: "jupyter", prove: proveSlow,
			config: notebookConfig("A Jupyter notebook that takes its time to start",
				"sh", "-c", "trap 'exit 143' TERM; sleep 20 & wait $!; trap - TERM; exec start-notebook.sh")},
		{name: "no-python", layer: "busybox", prove: proveNoPython,
			config: notebookConfig("A web server without Python", "serve")},
		{name: "old-python", layer: "old-python", prove: proveOldPython,
			config: notebookConfig("A stand-in for an image with Python 3.7", "env", "STAND_IN=off", "start-notebook.sh")},
		{name: "no-jupyter", layer: "no-jupyter", prove: proveNoJupyter,
			config: notebookConfig("A Python web server without Jupyter", "python3", appRoot+"/bin/serve.py")},
		{name: "never-listens", layer: "jupyter", prove: proveNeverListens,
			config: notebookConfig("An image that starts and never listens",
				"sh", "-c", "trap 'exit 143' TERM; sleep infinity & wait")},
		{name: "ignores-prefix", layer: "jupyter", prove: proveIgnoresPrefix,
			config: notebookConfig("A Jupyter notebook that serves under / whatever it is told",
				"env", "-u", "NB_PREFIX", "-u", "NOTEBOOK_ARGS", "start-notebook.sh")},
		{name: "needs-root", layer: "jupyter", prove: proveNeedsRoot,
			config: asRoot(notebookConfig("A Jupyter notebook that writes where only root may",
				"sh", "-c", "date > /etc/notebook-started && exec start-notebook.sh --allow-root"))},
		{name: "crashes-later", layer: "crashes-later", prove: proveCrashesLater,
			config: notebookConfig("A Jupyter notebook that ends soon after its first answer", "start-notebook.sh")},
		{name: "memory-hungry", layer: "memory-hungry", prove: proveMemoryHungry,
			config: notebookConfig("A Jupyter notebook that takes 2.5 GiB of memory to start", "start-notebook.sh")},
		{name: "s2i", layer: "s2i", prove: proveS2I,
			config: asBuilder(notebookConfig("A source-to-image builder of Jupyter notebooks", scripts+"/run"))},
		{name: "buildah", layer: "buildah", prove: proveBuildah, config: buildahConfig()},
		{name: "book", layer: "book", prove: proveBook,
			config: notebookConfig("Sphinx, MyST and nbsphinx", "sphinx-build", "--version")},
	}
}

func notebookConfig(title string, cmd ...string) v1.Config {
	return v1.Config{
		User:         "1001",
		WorkingDir:   home,
		Cmd:          cmd,
		ExposedPorts: map[string]struct{}{"8888/tcp": {}},
		Env: []string{
			"PATH=" + searchPath,
			"APP_ROOT=" + appRoot,
			"HOME=" + home,
			"VIRTUAL_ENV=" + appRoot,
			"LANG=C.UTF-8",
		},
		Labels: map[string]string{
			"io.k8s.display-name":          title,
			"io.openshift.expose-services": "8888:http",
		},
	}
}

// buildahConfig is that of images/buildah/Dockerfile.
func buildahConfig() v1.Config {
	return v1.Config{
		User:       "0",
		Cmd:        []string{"buildah", "version"},
		WorkingDir: "/",
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"HOME=/var/lib/containers",
			"BUILDAH_ISOLATION=chroot",
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":  "buildah, as the meteor operator runs it",
			"org.opencontainers.image.source": "https://github.com/meteor-zone/meteor-operator",
		},
	}
}

// asBuilder says where the scripts are that turn source into an image.
func asBuilder(c v1.Config) v1.Config {
	c.Labels["io.openshift.s2i.scripts-url"] = "image://" + scripts
	c.Labels["io.openshift.s2i.destination"] = "/tmp"
	c.Env = append(c.Env, "STI_SCRIPTS_URL=image://"+scripts, "STI_SCRIPTS_PATH="+scripts)
	return c
}

func asRoot(c v1.Config) v1.Config {
	c.User = "0"
	return c
}

// layerNames returns the recipe's layers from the lowest to the named one.
func layerNames(name string) []string {
	recipes := layerRecipes()
	var names []string
	for ; name != ""; name = recipes[name].on {
		names = append([]string{name}, names...)
	}
	return names
}

// layerKey is a hash of all that a layer is built from.
func layerKey(name string) string {
	h := sha256.New()
	hashText(h, runtime.GOARCH)
	hashFiles(h, layerCode, ".")
	hashFiles(h, recipeFiles, "scripts/build")
	for _, n := range layerNames(name) {
		hashFiles(h, recipeFiles, "recipes/"+n)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// imageKey is a hash of all that an image is built from and proven by.
func imageKey(r imageRecipe) string {
	h := sha256.New()
	config, err := json.Marshal(r.config)
	if err != nil {
		panic(err) // a struct of strings
	}
	hashText(h, r.name, layerKey(r.layer), string(config))
	hashFiles(h, proofCode, ".")
	hashFiles(h, recipeFiles, "scripts/proof")
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// hashText keeps texts apart, so that none can pass for the end of another.
func hashText(h hash.Hash, texts ...string) {
	for _, t := range texts {
		h.Write([]byte(strconv.Itoa(len(t)) + ":" + t)) // never fails
	}
}

func hashFiles(h hash.Hash, files embed.FS, dir string) {
	err := fs.WalkDir(files, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		hashText(h, name, string(content))
		return err
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
}
