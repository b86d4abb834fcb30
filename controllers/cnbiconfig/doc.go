// Package cnbiconfig keeps the cluster's one CNBiConfig and gives namespaces what builds need there.
//
// Two controllers share the work. One is keyed by the CNBiConfig: it makes the default one when the manager starts and
// finds none (one that is deleted later stays away until the next start), and writes its status. The other is keyed by
// namespace: each namespace has a queue entry of its own, so that one which refuses (a quota, a foreign object of the
// same name) is retried alone. What it found goes into a ledger, from which the first one counts.
//
// A namespace is written to only when the caches, which hold the metadata of what carries the operator's label, show
// that something is missing, of another revision, or owned by a CNBiConfig that was replaced. A changed object whose
// labels are as they were stays as it is until the next revision. Objects that lack the label are never touched.
//
// In mode OnDemand a namespace counts while it holds a CustomNBImage or a Meteor. When the last one goes, what is
// installed stays, so that it can be used by hand, but is looked after no more.
package cnbiconfig
