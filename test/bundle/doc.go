// Package bundle tests what the operator is installed from: bundle/, catalog/ and dist/install.yaml, as they are in the
// checkout. `make bundle` writes them.
package bundle
