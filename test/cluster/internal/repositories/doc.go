// Package repositories makes the git repositories that the local cluster's git
// server has: each shows one way in which a repository says what it needs, or
// one way in which that goes wrong. The same input gives the same commits.
package repositories
