// Package python turns wishes for packages into what is installed: the lock that a resolver's report yields, the
// bill of materials that follows from it, how pip is called so that the same lock installs the same files, and what
// pip's failures mean.
//
// The resolver runs in a step that is not trusted: it may have run the code of any package. Its report, its log and
// the lock are read as anything might have written them.
package python
