package python

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	maxRequirements = 1000
	maxRequirement  = 512
)

// The grammar of PEP 508 without URLs. Quoted texts hold no blanks but plain ones, nothing that pip expands, and no
// sign that begins a comment.
const (
	nameGrammar    = `[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`
	versionGrammar = `(?:===?|~=|!=|<=?|>=?) *[A-Za-z0-9_.*+!-]+`
	operandGrammar = `(?:[a-z_]+|'[A-Za-z0-9_.*+! ()<>=,:/-]*'|"[A-Za-z0-9_.*+! ()<>=,:/-]*")`
	compareGrammar = `[ (]*` + operandGrammar + ` *(?:===?|~=|!=|<=?|>=?|in|not +in) *` + operandGrammar + `[ )]*`
)

var requirementRE = regexp.MustCompile(`^` + nameGrammar +
	` *(?:\[ *(?:` + nameGrammar + ` *(?:, *` + nameGrammar + ` *)*)?\])?` +
	` *(?:` + versionGrammar + ` *(?:, *` + versionGrammar + ` *)*|\( *` + versionGrammar + ` *(?:, *` + versionGrammar + ` *)*\))?` +
	` *(?:;` + compareGrammar + `(?:(?:and|or)\b` + compareGrammar + `)*)?$`)

// CheckRequirement refuses what is not a requirement by name and version: options, URLs, paths, and whatever an
// installer would take for something else than it seems.
func CheckRequirement(raw string) error {
	s := strings.ReplaceAll(raw, "\t", " ")
	var why string
	shown := text.Line(raw, 100)
	switch head, _, _ := strings.Cut(s, ";"); {
	case len(s) > maxRequirement:
		why = fmt.Sprintf("it is longer than %d characters", maxRequirement)
	case strings.HasPrefix(s, "-"):
		why = "options of the installer have no place here"
	case strings.ContainsAny(head, "@") || strings.Contains(head, "://"):
		why, shown = "URLs have no place here: name the package and its version", text.Line(Redact(raw), 100)
	case strings.ContainsAny(head, `/\`) || strings.HasPrefix(head, ".") || strings.HasPrefix(head, "~"):
		why = "paths have no place here: name the package and its version"
	case !requirementRE.MatchString(s) || strings.Count(s, "(") != strings.Count(s, ")"):
		why = "a name, extras, versions and a marker are all that there may be"
	default:
		return nil
	}
	return failure.New(failure.UnsupportedFile, "%q is no PEP 508 requirement that can be used: %s", shown, why)
}

// WriteRequirements checks requirements and writes them as a file that installers read.
func WriteRequirements(w io.Writer, requirements []string) error {
	if len(requirements) == 0 {
		return failure.New(failure.UnsupportedFile, "There is no package to install")
	}
	if len(requirements) > maxRequirements {
		return failure.New(failure.UnsupportedFile, "There are %d packages, and at most %d can be asked for", len(requirements), maxRequirements)
	}
	for _, r := range requirements {
		if err := CheckRequirement(r); err != nil {
			return err
		}
		if _, err := io.WriteString(w, r+"\n"); err != nil {
			return fmt.Errorf("cannot write requirements: %w", err)
		}
	}
	return nil
}
