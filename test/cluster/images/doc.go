// Package images builds the container images that the local cluster is tested
// with: one real Jupyter image, shaped like those of Open Data Hub, and others
// that are each broken in one way.
//
// They are made from Debian's packages, with the mirror and the keyring that the
// machine's own apt uses, and without a container engine: a recipe is a shell
// script that runs in a chroot on an overlay, and what it changed becomes a layer.
// An image is kept only once it has been seen to behave as its name says, so a
// caller never gets a broken image that works or a good one that does not.
//
// Building needs root on a Debian machine. Everything is mounted in namespaces
// that end with the build, so the machine's own mounts stay as they are. What is
// built is cached outside the checkout and reused while its recipe is the same.
package images
