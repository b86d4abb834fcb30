package validate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// Policy says what is asked of an image.
type Policy struct {
	// MinimumPython is the oldest Python that will do, such as "3.8"; empty asks for none.
	MinimumPython string
	// Warnings are the checks whose failing is told but does not count.
	Warnings []Check
	// Prefix is what the notebook was told to serve under.
	Prefix string
	// StartupTimeout is how long it was given to answer.
	StartupTimeout time.Duration
}

// ParseWarnings reads a comma-separated list of checks.
func ParseWarnings(list string) ([]Check, error) {
	var checks []Check
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !slices.Contains(AllChecks(), Check(name)) {
			return nil, fmt.Errorf("cannot parse warnings: there is no check %q", text.Line(name, maxName))
		}
		checks = append(checks, Check(name))
	}
	return checks, nil
}

// Inside judges the look from inside. A nil look means that none was handed over; why says the cause.
func (p Policy) Inside(look *Look, why string) []Finding {
	if look == nil {
		return []Finding{p.finding(CheckLook, "The image could not be looked into: %s", why)}
	}
	var found []Finding
	add := func(check Check, format string, args ...any) {
		found = append(found, p.finding(check, format, args...))
	}
	switch {
	case look.Python == "" && look.Problem != "":
		add(CheckPython, "Python does not work: %s", look.Problem)
	case look.Python == "":
		add(CheckPython, "Python not found")
	default:
		p.judgePython(look, add)
	}
	switch {
	case look.Home.Path == "":
		add(CheckHome, "$HOME has to be set and point to writeable directory: it is not set")
	case !look.Home.Writable:
		add(CheckHome, "$HOME has to be set and point to writeable directory: %s is not writeable for a random user of group 0", look.Home.Path)
	}
	return found
}

// judgePython looks at what only makes sense to ask when there is a Python.
func (p Policy) judgePython(look *Look, add func(Check, string, ...any)) {
	if look.Pip == "" {
		add(CheckPip, "Pip not found")
	}
	if minimum := parseVersion(p.MinimumPython); len(minimum) > 0 && slices.Compare(parseVersion(look.Python), minimum) < 0 {
		add(CheckPythonVersion, "Python version does not meet minimal required version ('%s'): found %s", dotted(minimum), look.Python)
	}
	if !look.HasJupyter() {
		add(CheckJupyter, "Missing 'jupyterlab' python package")
	}
}

// Outside judges the look from outside.
func (p Policy) Outside(probe *Probe) []Finding {
	const port = 8888
	var message string
	switch probe.Outcome {
	case OutcomeOK:
		return nil
	case OutcomeTimeout:
		message = fmt.Sprintf("The notebook did not answer on port %d within %s", port, shortly(probe.Elapsed()))
	case OutcomeNotHTTP:
		message = fmt.Sprintf("Something listens on port %d but gave no HTTP answer within %s", port, shortly(probe.Elapsed()))
	case OutcomeWrongPrefix:
		message = fmt.Sprintf("The notebook answers on port %d, but not under $NB_PREFIX: %s/api gives status %d", port, p.Prefix, probe.Status)
	case OutcomeBadStatus:
		message = fmt.Sprintf("The notebook answers %s/api with status %d instead of 200", p.Prefix, probe.Status)
	case OutcomeGone:
		message = "The notebook stopped answering after it had answered: it has crashed"
	default:
		message = "The look from outside did not say how it ended"
	}
	return []Finding{p.finding(CheckStartup, "%s", message)}
}

// Failure returns the failure that the findings amount to, nil if none of them is an error.
func Failure(findings []Finding) *failure.Failure {
	var errs []string
	for _, f := range findings {
		if f.Severity == SeverityError {
			errs = append(errs, f.Message)
		}
	}
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return failure.New(failure.ValidationFailed, "%s", errs[0])
	default:
		return failure.New(failure.ValidationFailed, "%s (and %d more)", errs[0], len(errs)-1)
	}
}

func (p Policy) finding(check Check, format string, args ...any) Finding {
	severity := SeverityError
	if slices.Contains(p.Warnings, check) {
		severity = SeverityWarning
	}
	return Finding{Check: check, Severity: severity, Message: text.Line(fmt.Sprintf(format, args...), maxMessage)}
}

// ValidVersion says whether s can be a Policy's MinimumPython.
func ValidVersion(s string) bool {
	return len(parseVersion(s)) > 0
}

// parseVersion returns the leading numbers of a version, three of them at least, nil if it has none.
func parseVersion(s string) []int {
	var numbers []int
	for part := range strings.SplitSeq(s, ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		numbers = append(numbers, n)
		if digits != part {
			break
		}
	}
	for len(numbers) > 0 && len(numbers) < 3 {
		numbers = append(numbers, 0)
	}
	return numbers
}

func dotted(numbers []int) string {
	parts := make([]string, len(numbers))
	for i, n := range numbers {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ".")
}

func shortly(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
