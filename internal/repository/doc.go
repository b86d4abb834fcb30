// Package repository recognises what a repository asks for, decides how its image is built, and builds it. What a
// repository says is somebody's who may not be trusted: files are read within bounds and never followed outside,
// and nothing of them reaches a shell or another host than the package index, except by programs that the
// repository itself brings and that run in the untrusted steps of a build.
package repository
