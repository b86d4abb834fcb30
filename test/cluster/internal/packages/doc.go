// Package packages makes the content of the local cluster's package indexes.
//
// The real packages are Debian's, repackaged as wheels for the Python of the test
// images; what upstream declares and Debian does not need is written down here.
// The made-up ones are each good or bad in one way. All but Debian's part is in
// this package, and the same input gives the same bytes.
package packages
