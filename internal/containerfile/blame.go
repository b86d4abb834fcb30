package containerfile

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	keptOutput = 16 << 10
	// toldLines is how many of the last lines are told.
	toldLines = 8
)

// lastOutput hands on what is printed, and keeps the end of it and the last step that began.
type lastOutput struct {
	to   io.Writer
	kept []byte
	line []byte
	// step is the last instruction that was begun.
	step string
}

var stepLine = regexp.MustCompile(`^(?:\[\d+/\d+\] )?STEP \d+/\d+: (.+)$`)

// Write implements io.Writer.
func (l *lastOutput) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if len(l.line) < keptOutput {
			l.line = append(l.line, line...)
		}
		rest = after
		if !whole {
			break
		}
		if m := stepLine.FindSubmatch(l.line); m != nil {
			l.step, l.kept = string(m[1]), l.kept[:0]
		} else {
			l.kept = append(append(l.kept, l.line...), '\n')
		}
		if extra := len(l.kept) - keptOutput; extra > 0 {
			l.kept = append(l.kept[:0], l.kept[extra:]...)
		}
		l.line = l.line[:0]
	}
	return l.to.Write(p)
}

var (
	// atStep is how buildah says which instruction failed, and why.
	atStep = regexp.MustCompile(`^Error: (?:error )?building at STEP ".*?": (.+)$`)
	// noise is what buildah says of a failed command besides.
	noise = regexp.MustCompile(`^(?:time="|error running subprocess|subprocess exited with status|exit status )`)
	// ended is how a command ended, in buildah's words.
	ended = regexp.MustCompile(`exit status (\d+)|signal: (\w+)`)
)

// failed makes a failure of a build that ended, which says where and what was printed last.
func (b *builder) failed(said *lastOutput) error {
	where := strings.NewReplacer(strconv.Quote(b.Context), "the repository", b.Context+"/", "")
	var told []string
	how := ""
	for line := range strings.Lines(string(said.kept) + string(said.line)) {
		line = strings.TrimSpace(where.Replace(line))
		if m := atStep.FindStringSubmatch(line); m != nil {
			line = m[1]
			if m := ended.FindStringSubmatch(line); m != nil {
				how, line = ending(m[1]), ""
			}
		}
		if line != "" && !noise.MatchString(line) {
			told = append(told, text.Line(line, 300))
		}
	}
	told = told[max(0, len(told)-toldLines):]
	return failure.New(failure.BuildFailed, "%s", b.sentence(said.step, how, told))
}

func ending(status string) string {
	if status == "" || status == "137" {
		return "was killed, as it is for want of memory"
	}
	return "ended with status " + status
}

func (b *builder) sentence(step, how string, told []string) string {
	where := b.plan.File
	if line := b.plan.line(step); line > 0 {
		where += ", line " + strconv.Itoa(line)
	}
	what := "The build failed"
	if step != "" {
		what = text.Line(step, 120) + " failed"
		if how != "" {
			what = text.Line(step, 120) + " " + how
		}
	}
	message := where + ": " + what
	if len(told) > 0 {
		message += ": " + lastOf(strings.Join(told, "; "), 600)
	}
	return message
}

// line finds the line of an instruction. It is not told of one that is there several times.
func (p *Plan) line(step string) int {
	found := 0
	for _, i := range p.Instructions {
		if i.Text == collapse(step) {
			if found > 0 {
				return 0
			}
			found = i.Line
		}
	}
	return found
}

// lastOf returns the end of a text.
func lastOf(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return "…" + strings.ToValidUTF8(s[len(s)-limit:], "")
}
