package containerfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// Names are those that a Containerfile may have at the root of a repository, in the order in which they are looked for.
var Names = []string{"Containerfile", "Dockerfile"}

const (
	maxImages       = 32
	maxInstructions = 2000
	scratch         = "scratch"
	// epoch is declared in each stage. Programs that know it write files that depend on the clock no more, and whose
	// times can be changed: Python's byte code then names its source by content.
	epoch = "SOURCE_DATE_EPOCH"
)

// Image is one that the file builds on or copies from, and does not build itself.
type Image struct {
	// Name is how the file names it, with the values of its ARGs.
	Name string
	// Local is the name that the rewritten file has for it: written out in full, and with a tag.
	Local string
	// Line is where the file first names it.
	Line int
}

// File is a Containerfile that was understood.
type File struct {
	// Name is what the file is called.
	Name string
	// Images are the images that are needed, in the order in which they are first named.
	Images []Image
	// Base is the local name of the image that the last stage stands on. It is empty if that is scratch.
	Base string
	// Text is the file, with names that mean the same wherever it is read.
	Text []byte
	// Instructions are those of Text, to tell where a build failed.
	Instructions []Instruction
}

// Instruction is one instruction of the file.
type Instruction struct {
	// Line is where it begins in the file that was read.
	Line int `json:"line"`
	// Text is the instruction in one line.
	Text string `json:"text"`
}

// Parse reads a Containerfile that is to be built for a platform without arguments. What cannot be honoured is a
// *failure.Failure that names file and line.
func Parse(file string, content []byte, platform v1.Platform) (*File, error) {
	parsed, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return nil, unreadable(file, err)
	}
	if len(parsed.AST.Children) > maxInstructions {
		return nil, failure.New(failure.UnsupportedFile, "%s has more than %d instructions", file, maxInstructions)
	}
	r := &reader{
		file:  &File{Name: file},
		lines: strings.SplitAfter(string(content), "\n"),
		lex:   shell.NewLex(parsed.EscapeToken),
		args:  platformArgs(platform), platform: platform,
		stages: map[string]string{}, images: map[string]string{},
	}
	for _, node := range parsed.AST.Children {
		if err := r.instruction(node); err != nil {
			return nil, err
		}
	}
	if r.count == 0 {
		return nil, failure.New(failure.UnsupportedFile, "%s has no FROM instruction", file)
	}
	r.file.Base = r.base
	r.file.Text = []byte(strings.Join(r.lines, ""))
	return r.file, nil
}

func unreadable(file string, err error) error {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 && at.Locations[0][0].Start.Line > 0 {
		return failure.New(failure.UnsupportedFile, "%s, line %d: %s", file, at.Locations[0][0].Start.Line, text.Line(err.Error(), 300))
	}
	return failure.New(failure.UnsupportedFile, "%s cannot be read: %s", file, text.Line(err.Error(), 300))
}

func platformArgs(p v1.Platform) map[string]string {
	args := map[string]string{}
	for _, prefix := range []string{"TARGET", "BUILD"} {
		args[prefix+"PLATFORM"] = p.OS + "/" + p.Architecture
		args[prefix+"OS"], args[prefix+"ARCH"], args[prefix+"VARIANT"] = p.OS, p.Architecture, ""
	}
	return args
}

// reader goes through a file once.
type reader struct {
	file     *File
	lines    []string
	lex      *shell.Lex
	args     map[string]string
	platform v1.Platform
	// stages maps the names and numbers of stages to the image that each stands on.
	stages map[string]string
	// images maps the names that the file has to local ones.
	images map[string]string
	// count is the number of stages so far, base what the last one stands on.
	count int
	base  string
}

// Get implements shell.EnvGetter.
func (r *reader) Get(key string) (string, bool) {
	value, ok := r.args[key]
	return value, ok
}

// Keys implements shell.EnvGetter.
func (r *reader) Keys() []string {
	return slices.Collect(maps.Keys(r.args))
}

func (r *reader) refuse(node *parser.Node, format string, args ...any) error {
	return failure.New(failure.UnsupportedFile, "%s, line %d: %s", r.file.Name, node.StartLine, fmt.Sprintf(format, args...))
}

func (r *reader) instruction(node *parser.Node) error {
	keyword := strings.ToLower(node.Value)
	if _, ok := command.Commands[keyword]; !ok {
		return r.refuse(node, "There is no instruction %q", text.Line(node.Value, 50))
	}
	if r.count == 0 && keyword != command.Arg && keyword != command.From {
		return r.refuse(node, "%s comes before the first FROM", strings.ToUpper(keyword))
	}
	if len(node.Heredocs) > 0 {
		return r.refuse(node, "buildah 1.28 does not know here-documents; put the lines into a file of the repository and copy it")
	}
	var err error
	switch keyword {
	case command.Arg:
		err = r.arg(node)
	case command.From:
		return r.from(node)
	case command.Copy:
		err = r.copy(node, "--chown", "--chmod", "--from", "--link")
	case command.Add:
		err = r.copy(node, "--chown", "--chmod", "--link")
	case command.Run:
		err = r.run(node)
	}
	if r.count > 0 {
		r.note(node.StartLine, node.Original)
	}
	return err
}

func (r *reader) note(line int, instruction string) {
	r.file.Instructions = append(r.file.Instructions, Instruction{Line: line, Text: collapse(instruction)})
}

func collapse(s string) string {
	return strings.Join(strings.Fields(s), " ")
}

// arg notes the values that the names of images can be made of. Those within stages cannot be.
func (r *reader) arg(node *parser.Node) error {
	if r.count > 0 {
		return nil
	}
	for word := node.Next; word != nil; word = word.Next {
		key, value, ok := strings.Cut(word.Value, "=")
		if !ok {
			continue
		}
		value, _, err := r.lex.ProcessWord(value, r)
		if err != nil {
			return r.refuse(node, "The value of ARG %s cannot be read: %s", text.Line(key, 50), text.Line(err.Error(), 200))
		}
		r.args[key] = value
	}
	return nil
}

func (r *reader) from(node *parser.Node) error {
	words := []string{}
	for word := node.Next; word != nil; word = word.Next {
		words = append(words, word.Value)
	}
	if len(words) != 1 && (len(words) != 3 || !strings.EqualFold(words[1], "as")) {
		return r.refuse(node, "FROM is followed by an image, and by AS and a name for the stage")
	}
	for _, flag := range node.Flags {
		if err := r.fromFlag(node, flag); err != nil {
			return err
		}
	}
	image, _, err := r.lex.ProcessWord(words[0], r)
	if err != nil {
		return r.refuse(node, "The name of the image cannot be read: %s", text.Line(err.Error(), 200))
	}
	target, err := r.stand(node, words[0], image)
	if err != nil {
		return err
	}
	line := "FROM " + target
	r.stages[strconv.Itoa(r.count)] = r.base
	if len(words) == 3 {
		r.stages[strings.ToLower(words[2])] = r.base
		line += " AS " + words[2]
	}
	r.count++
	r.note(node.StartLine, line)
	r.note(node.StartLine, "ARG "+epoch)
	for i := node.StartLine; i < node.EndLine; i++ {
		r.lines[i] = ""
	}
	r.lines[node.StartLine-1] = line + "\nARG " + epoch + "\n"
	return nil
}

func (r *reader) fromFlag(node *parser.Node, flag string) error {
	value, ok := strings.CutPrefix(flag, "--platform=")
	if !ok {
		return r.refuse(node, "FROM %s is not known to buildah 1.28", text.Line(flag, 100))
	}
	wanted, _, err := r.lex.ProcessWord(value, r)
	if here := r.platform.OS + "/" + r.platform.Architecture; err != nil || wanted != here {
		return r.refuse(node, "The platform %q is wanted, and images are built for %s alone", text.Line(wanted, 100), here)
	}
	return nil
}

// stand finds what a stage stands on, and returns what to call it.
func (r *reader) stand(node *parser.Node, written, image string) (string, error) {
	if strings.EqualFold(image, scratch) {
		r.base = ""
		return scratch, nil
	}
	if _, err := strconv.Atoi(image); err != nil {
		if base, ok := r.stages[strings.ToLower(image)]; ok {
			r.base = base
			return image, nil
		}
	}
	if image == "" {
		return "", r.refuse(node, "FROM %s names no image: give its ARG a default value above, since the build is given no arguments", text.Line(written, 100))
	}
	local, err := r.need(node, image)
	if err != nil {
		return "", err
	}
	r.base = local
	return local, nil
}

// need notes that an image is needed, and returns its local name.
func (r *reader) need(node *parser.Node, image string) (string, error) {
	if local, ok := r.images[image]; ok {
		return local, nil
	}
	ref, err := name.ParseReference(image, name.WeakValidation)
	if err != nil {
		return "", r.refuse(node, "%q is not the name of an image", text.Line(image, 200))
	}
	if len(r.file.Images) == maxImages {
		return "", r.refuse(node, "More than %d images are needed", maxImages)
	}
	local := localName(ref)
	r.images[image] = local
	r.file.Images = append(r.file.Images, Image{Name: image, Local: local, Line: node.StartLine})
	return local, nil
}

// localName is a name that buildah finds without looking anything up.
func localName(ref name.Reference) string {
	repository := ref.Context().Name()
	if rest, ok := strings.CutPrefix(repository, name.DefaultRegistry+"/"); ok {
		repository = "docker.io/" + rest
	}
	tag := ref.Identifier()
	if _, hash, ok := strings.Cut(tag, ":"); ok {
		tag = "sha256-" + hash
	}
	return repository + ":" + tag
}

// copy reads a COPY or ADD with the flags that it may have.
func (r *reader) copy(node *parser.Node, allowed ...string) error {
	for _, flag := range node.Flags {
		key, value, _ := strings.Cut(flag, "=")
		switch {
		case !slices.Contains(allowed, key):
			return r.refuse(node, "%s %s is not known to buildah 1.28", strings.ToUpper(node.Value), text.Line(key, 100))
		case key == "--link":
			// It says how a layer may be cached, which is not done here.
			if err := r.replace(node, flag, ""); err != nil {
				return err
			}
		case key == "--from":
			local, err := r.source(node, value)
			if err != nil {
				return err
			}
			if err := r.replace(node, flag, key+"="+local); err != nil {
				return err
			}
		}
	}
	return nil
}

// source finds what --from means: an earlier stage, or an image.
func (r *reader) source(node *parser.Node, from string) (string, error) {
	if strings.ContainsRune(from, '$') {
		return "", r.refuse(node, "The name of a stage or an image after --from cannot be made of variables")
	}
	if _, ok := r.stages[strings.ToLower(from)]; ok {
		return from, nil
	}
	return r.need(node, from)
}

// run reads the flags of a RUN.
func (r *reader) run(node *parser.Node) error {
	for _, flag := range node.Flags {
		mount, ok := strings.CutPrefix(flag, "--mount=")
		if !ok {
			return r.refuse(node, "RUN %s cannot be honoured", text.Line(flag, 100))
		}
		if err := r.mount(node, flag, mount); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) mount(node *parser.Node, flag, mount string) error {
	fields := strings.Split(mount, ",")
	for i, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		switch {
		case key == "type" && !slices.Contains([]string{"bind", "cache", "tmpfs"}, value):
			return r.refuse(node, "RUN --mount=type=%s cannot be honoured: the build is given no secrets", text.Line(value, 50))
		case key == "from":
			local, err := r.source(node, value)
			if err != nil {
				return err
			}
			fields[i] = key + "=" + local
		}
	}
	return r.replace(node, flag, "--mount="+strings.Join(fields, ","))
}

// replace exchanges a flag in an instruction, in the lines that it takes up.
func (r *reader) replace(node *parser.Node, old, flag string) error {
	if old == flag {
		return nil
	}
	block := strings.Join(r.lines[node.StartLine-1:node.EndLine], "")
	if !strings.Contains(block, old) || !strings.Contains(node.Original, old) {
		return r.refuse(node, "The flag %s has to be in one line, without quotation marks", text.Line(old, 100))
	}
	r.lines[node.StartLine-1] = strings.Replace(block, old, flag, 1)
	for i := node.StartLine; i < node.EndLine; i++ {
		r.lines[i] = ""
	}
	node.Original = strings.Replace(node.Original, old, flag, 1)
	return nil
}
