// Package serve holds the servers that builds fetch from: a package index, and
// git over HTTPS and SSH. Both serve a directory that they never write to.
package serve
