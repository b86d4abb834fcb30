// Package forward stands between a package index that wants credentials and an installer that must not see them: a
// small HTTP server beside the installer, which asks the index in its place. It gives the credentials to the
// first index, and to the others when they ask by TLS that can be verified, and passes on nothing that it was not asked
// for.
package forward
