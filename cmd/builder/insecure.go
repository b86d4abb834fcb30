package main

import "slices"

// insecureFlags say which registries may speak plain HTTP, or show certificates that nobody vouches for.
type insecureFlags struct {
	allowed *bool
	hosts   []string
}

// insecure declares the flags, whose names begin with the prefix.
func (e *env) insecure(prefix string) *insecureFlags {
	f := &insecureFlags{allowed: e.flags.Bool(prefix+"insecure", false, "allow plain HTTP and unverified certificates")}
	e.array(&f.hosts, prefix+"insecure-hosts", "the registries that this is allowed for; all if there are none")
	return f
}

// of tells whether the image's registry is one of them.
func (f *insecureFlags) of(image string) bool {
	return *f.allowed && (len(f.hosts) == 0 || slices.Contains(f.hosts, hostOf(image)))
}
