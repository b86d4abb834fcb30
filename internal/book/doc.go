// Package book makes a static site of a repository's notebooks and texts, with what the image has that it runs in, and
// serves such a site.
package book
