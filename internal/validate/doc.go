// Package validate decides whether an image is fit to be a notebook. It holds what the two looks at an image say
// (Look from inside, Probe from outside), the policy that turns them into checks, and the parsers for all of it.
// What comes out of a user's image is hostile input here: sizes, counts and shapes are bounded.
package validate
