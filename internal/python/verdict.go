package python

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

func (c *classifier) verdict() *failure.Failure {
	switch {
	case c.missing != nil:
		return c.notFound()
	case c.conflict != nil:
		return c.conflicting()
	case c.built:
		return c.notBuilt()
	case c.mismatch != nil:
		return failure.New(failure.PackageNotFound, "The package index no longer has the files that were locked: it has others for %s", strings.Join(c.mismatch, ", "))
	case c.other != nil:
		return c.other
	case c.last != "":
		return failure.New(failure.BuildFailed, "pip failed: %s", c.last)
	}
	return failure.New(failure.BuildFailed, "pip failed and did not say why")
}

// notFound tells a package that is not there from an index that could not say.
func (c *classifier) notFound() *failure.Failure {
	m := c.missing
	name := NormalName(m.requirement[:len(m.requirement)-len(strings.TrimLeft(m.requirement, nameChars))])
	for _, project := range []string{name, ""} {
		if why, ok := c.fetches[project]; ok {
			return failure.New(failure.PackageIndexUnavailable, "The package index cannot be asked for %s: %s", m.requirement, why)
		}
	}
	message := "No matching distribution found for " + m.requirement
	if m.by != "" && !strings.HasPrefix(m.by, "-r ") {
		message += ", which " + m.by + " asks for"
	}
	var details []string
	if versions := m.versions; versions != "" && versions != "none" {
		details = append(details, "the index has "+newest(versions))
	}
	for _, ignored := range c.ignored {
		what, versions, _ := strings.Cut(ignored, ": ")
		switch {
		case strings.Contains(what, "different python"):
			details = append(details, "left out for this Python: "+newest(strings.ReplaceAll(versions, "; ", ", ")))
		case strings.Contains(what, "yanked"):
			details = append(details, "withdrawn by its authors: "+newest(versions))
		}
	}
	if len(details) == 0 {
		details = []string{"the index has no such package, or nothing for this Python and platform"}
	}
	return failure.New(failure.PackageNotFound, "%s: %s", message, strings.Join(details, "; "))
}

// exhausted says whether a line tells of a process or thread that could not be started.
func exhausted(line string) bool {
	return strings.Contains(line, "Resource temporarily unavailable") || strings.Contains(line, "can't start new thread") ||
		strings.Contains(line, "Cannot fork")
}

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// newest shortens a list of versions, of which the newest come last.
func newest(list string) string {
	versions := strings.Split(list, ", ")
	if len(versions) <= mostShown {
		return text.Line(list, keptLine)
	}
	return text.Line("…, "+strings.Join(versions[len(versions)-mostShown:], ", "), keptLine)
}

func (c *classifier) conflicting() *failure.Failure {
	var causes []string
	for _, cause := range c.conflict.causes {
		if asked, ok := strings.CutPrefix(cause, "The user requested "); ok {
			cause = asked + " is asked for"
		}
		causes = append(causes, cause)
	}
	if len(causes) == 0 {
		return failure.New(failure.PackageConflict, "Cannot install %s together", c.conflict.packages)
	}
	return failure.New(failure.PackageConflict, "Cannot install %s together: %s", c.conflict.packages, strings.Join(causes, "; "))
}

func (c *classifier) notBuilt() *failure.Failure {
	const room = 600
	if c.unreached != "" && strings.HasPrefix(c.step, "pip subprocess to install build dependencies") {
		return failure.New(failure.PackageIndexUnavailable, "The package index cannot be asked for what building %q needs: %s", c.build, plain(c.unreached))
	}
	first, used := len(c.outputs), 0
	for first > 0 && (used == 0 || used+len(c.outputs[first-1]) < room) {
		first--
		used += len(c.outputs[first]) + len(" | ")
	}
	said := c.outputs[first:]
	name := "A package"
	if c.build != "" {
		name = fmt.Sprintf("Package %q", c.build)
	}
	if slices.ContainsFunc(said, exhausted) {
		name += " wants more processes than a build may have and"
	}
	if len(said) == 0 {
		return failure.New(failure.PackageBuildFailed, "%s could not be built from source: %s failed", name, c.step)
	}
	return failure.New(failure.PackageBuildFailed, "%s could not be built from source: %s", name, strings.Join(said, " | "))
}
