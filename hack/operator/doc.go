// Package operator puts the operator onto a cluster, and waits for things there. The end-to-end tests, the demo and
// `make deploy` share it, so that they all run what a person would run.
package operator
