package meteor

import (
	"context"
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
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
	if wait := runs.AwaitCluster(r.cluster.Unanswered(capabilities.Route, capabilities.SecurityContextConstraints)); wait != nil {
		return siteStands(s, p, err, wait)
	}
	url, serveErr := r.serve(ctx, s)
	if url != "" && serveErr == nil {
		p.url = url
	}
	if err == nil {
		return serveErr
	}
	if _, waits := outcome.AsWait(serveErr); waits {
		serveErr = nil
	}
	if stall, failed := outcome.AsStall(err); failed {
		kept := keptSite{cause: stall.Err}
		if unserved, ok := outcome.AsStall(serveErr); ok {
			kept.unserved = unserved
		}
		err = outcome.Stall(stall.Reason, kept)
	}
	return errors.Join(err, serveErr)
}

// siteStands leaves a site as it is told while it cannot be known how it is to be served.
func siteStands(s *scope, p *part, err, wait error) error {
	told := meta.IsStatusConditionTrue(s.obj.Status.Conditions, v1alpha1.ConditionPipelinePrefix+p.name)
	if err != nil || told && !p.ended {
		return err
	}
	return wait
}

// keptSite is why a book could not be built that an earlier one stands in for, and why that cannot be served.
type keptSite struct{ cause, unserved error }

// Error returns the cause, and what has become of the earlier site. The status repeats a cause with what it told of that.
func (k keptSite) Error() string {
	const before = "; the site that was built before "
	cause, _, _ := strings.Cut(k.cause.Error(), before)
	if k.unserved != nil {
		return cause + before + "cannot be served: " + k.unserved.Error()
	}
	return cause + before + "stays"
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
