// Package host is what the cluster needs of the machine: its Debian packages,
// its kernel, a cgroup to itself; and a way to tell processes apart that had the
// same number.
package host
