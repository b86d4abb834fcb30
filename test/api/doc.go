// Package api tests the CRDs against a real kube-apiserver: what applies, what
// is refused with which message, and what the defaults are.
package api
