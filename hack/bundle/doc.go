// Package bundle makes what the operator is installed from: the bundle and the file-based catalogue for OLM, and the one
// file for kubectl. Everything comes from the kustomize folders under config and from the CRDs' own descriptions, so
// that a field, a right or an image is written down once.
package bundle
