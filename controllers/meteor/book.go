package meteor

import (
	"context"
	"errors"
	"strings"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// reconcileBook has the book built, and the one that was built last served: it is replaced by one that built, and by
// nothing else.
func (r *Reconciler) reconcileBook(ctx context.Context, s *scope, p *part) error {
	err := r.reconcileRun(ctx, s, p)
	if p.ended {
		noteBook(s, p)
	}
	if s.obj.Status.Site == nil {
		return err
	}
	url, serveErr := r.serve(ctx, s)
	if url != "" && serveErr == nil {
		p.url = url
	}
	stall, failed := outcome.AsStall(err)
	switch _, waits := outcome.AsWait(serveErr); {
	case err == nil:
		return serveErr
	case serveErr != nil && !waits:
		return errors.Join(serveErr, err)
	case failed:
		return outcome.Stall(stall.Reason, keptSite{stall.Err})
	}
	return err
}

// keptSite is why a book could not be built that an earlier one stands in for.
type keptSite struct{ error }

const keptSiteNote = "; the site that was built before stays"

// Error returns the cause, and what remains. A cause that the status has told before says so already.
func (k keptSite) Error() string {
	return strings.TrimSuffix(k.error.Error(), keptSiteNote) + keptSiteNote
}

// noteBook puts what the build has come to into the status.
func noteBook(s *scope, p *part) {
	if p.seen.commit != "" {
		s.obj.Status.GitCommit = p.seen.commit
	}
	if p.seen.failure != nil {
		return
	}
	s.obj.Status.Site = &v1alpha1.MeteorSite{
		Image:     v1alpha1.ImageReference(p.seen.image),
		BuiltWith: v1alpha1.BookTool(p.seen.book.Tool),
		GitCommit: p.seen.commit,
		Pages:     int32(p.seen.book.Pages), //nolint:gosec // bounded by ParseReport
	}
}
