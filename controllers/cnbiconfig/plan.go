package cnbiconfig

import (
	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// verdict is what is to be done about one object of the bundle.
type verdict int

const (
	// keep is for what is as it should be.
	keep verdict = iota
	// write is for what is missing or not as it should be.
	write
	// refuse is for what somebody else has made.
	refuse
	// postpone is for what running builds may still need as it is.
	postpone
	// await is for what is being deleted.
	await
)

// plan says what is to be done in a namespace.
type plan struct {
	verdicts []verdict
	// surplus is of ours and not in the bundle.
	surplus []install.Key
}

// situation is what a plan follows from.
type situation struct {
	config *v1alpha1.CNBiConfig
	bundle *install.Bundle
	judge  *install.Judge
	found  found
	// trusted are objects that were written a moment ago, as the caches do not show yet.
	trusted map[install.Key]bool
	// spared are objects that stay as they are, whether they are in the bundle or not.
	spared map[install.Key]bool
	// busy is true while builds run in the namespace. A running build resolves its pipeline when it starts, but each
	// task only when its turn comes.
	busy bool
}

func (s situation) plan() plan {
	p := plan{verdicts: make([]verdict, len(s.bundle.Objects))}
	wanted := map[install.Key]bool{}
	for i, o := range s.bundle.Objects {
		wanted[o.Key] = true
		p.verdicts[i] = s.judgeOne(o)
	}
	// Who finds a pipeline finds the tasks that it was written for.
	for i, o := range s.bundle.Objects {
		if p.verdicts[i] == write && s.anyNeeded(o, p, postpone) {
			p.verdicts[i] = postpone
		}
	}
	for _, key := range s.found.ours(s.config) {
		meta := s.found[key]
		// A pod of a running build may be yet to start, with the account that it was to have.
		if !wanted[key] && !s.spared[key] && !s.trusted[key] && !s.busy && meta.DeletionTimestamp.IsZero() {
			p.surplus = append(p.surplus, key)
		}
	}
	return p
}

func (s situation) judgeOne(o install.Object) verdict {
	meta, ok := s.found[o.Key]
	switch {
	case s.trusted[o.Key]:
		return keep
	case !ok:
		return write
	case !ours(meta, s.config):
		return refuse
	case !meta.DeletionTimestamp.IsZero():
		return await
	case s.judge.Current(o, meta, s.config):
		return keep
	}
	if revision := meta.Labels[v1alpha1.LabelRevision]; s.busy && o.GVK == capabilities.Task && revision != "" && revision != o.Revision {
		return postpone
	}
	return write
}

// anyNeeded tells whether something that an object needs has the given verdict.
func (s situation) anyNeeded(o install.Object, p plan, v verdict) bool {
	for i, other := range s.bundle.Objects {
		if p.verdicts[i] != v {
			continue
		}
		for _, key := range o.Needs {
			if key == other.Key {
				return true
			}
		}
	}
	return false
}
