// Package failure is how a step says why it failed: a reason from a closed set, which tells whose turn it is,
// and a message for a person. It travels as a Tekton result.
package failure

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// Reason says what kind of failure it is.
type Reason string

// The reasons that steps give.
const (
	// ImageNotFound means that the registry has no such repository, tag or digest.
	ImageNotFound Reason = "ImageNotFound"
	// ImagePullUnauthorized means that the registry wants credentials, or others than it was given.
	ImagePullUnauthorized Reason = "ImagePullUnauthorized"
	// ImagePlatformUnsupported means that the image exists, but not for this cluster's platform.
	ImagePlatformUnsupported Reason = "ImagePlatformUnsupported"
	// ImageInvalid means that the reference names something which cannot be run as an image.
	ImageInvalid Reason = "ImageInvalid"
	// InvalidReference means that the text is no image reference.
	InvalidReference Reason = "InvalidReference"
	// RegistryUnavailable means that the registry could not be asked; worth trying again.
	RegistryUnavailable Reason = "RegistryUnavailable"
	// RegistryPushUnauthorized means that the registry does not take the image from those credentials.
	RegistryPushUnauthorized Reason = "RegistryPushUnauthorized"
	// PackageNotFound means that the index has no such package, or no such version that fits.
	PackageNotFound Reason = "PackageNotFound"
	// PackageConflict means that what is asked for excludes each other.
	PackageConflict Reason = "PackageConflict"
	// PackageBuildFailed means that a package had to be built from source, and could not.
	PackageBuildFailed Reason = "PackageBuildFailed"
	// PackageIndexUnavailable means that the package index could not be asked; worth trying again.
	PackageIndexUnavailable Reason = "PackageIndexUnavailable"
	// UnsupportedFile means that a file asks for what cannot be honoured, or cannot be part of an image.
	UnsupportedFile Reason = "UnsupportedFile"
	// GitAuthenticationFailed means that the git server does not hand out the repository, or there is none.
	GitAuthenticationFailed Reason = "GitAuthenticationFailed"
	// GitRefNotFound means that the repository has no such branch, tag or commit.
	GitRefNotFound Reason = "GitRefNotFound"
	// GitUnreachable means that the git server could not be asked; worth trying again.
	GitUnreachable Reason = "GitUnreachable"
	// BuildFailed means that something of the user's own that was run for the build failed.
	BuildFailed Reason = "BuildFailed"
	// BookNotFound means that a repository holds nothing that a book could be made of.
	BookNotFound Reason = "BookNotFound"
	// ValidationFailed means that the image was run and is not fit to be a notebook.
	ValidationFailed Reason = "ValidationFailed"
	// InternalError means that the step itself could not do its work.
	InternalError Reason = "InternalError"
)

const (
	maxMessage = 900
	maxEncoded = 8 << 10
)

var reasons = []Reason{
	ImageNotFound, ImagePullUnauthorized, ImagePlatformUnsupported, ImageInvalid, InvalidReference,
	RegistryUnavailable, RegistryPushUnauthorized, PackageNotFound, PackageConflict, PackageBuildFailed,
	PackageIndexUnavailable, UnsupportedFile, GitAuthenticationFailed, GitRefNotFound, GitUnreachable, BuildFailed, BookNotFound,
	ValidationFailed, InternalError,
}

// Failure is one step's failure. It is an error.
type Failure struct {
	// Reason is one of the constants of this package.
	Reason Reason `json:"reason"`
	// Message is one line for a person.
	Message string `json:"message"`
}

// New returns a Failure whose message is formatted and made one bounded line.
func New(reason Reason, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Message: text.Line(fmt.Sprintf(format, args...), maxMessage)}
}

// Error returns the reason and the message.
func (f *Failure) Error() string {
	return string(f.Reason) + ": " + f.Message
}

// From returns the Failure in err's chain, or an InternalError with err's text.
func From(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return New(InternalError, "%s", err)
}

// Parse reads a Failure as another process wrote it. Its input is not trusted: the reason must be a known one,
// and the message is made one bounded line.
func Parse(data []byte) (*Failure, error) {
	if len(data) > maxEncoded {
		return nil, fmt.Errorf("cannot parse failure: %d bytes are more than %d", len(data), maxEncoded)
	}
	var f Failure
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("cannot parse failure: %w", err)
	}
	if !slices.Contains(reasons, f.Reason) {
		return nil, fmt.Errorf("cannot parse failure: unknown reason %q", text.Line(string(f.Reason), 64))
	}
	f.Message = text.Line(f.Message, maxMessage)
	return &f, nil
}
