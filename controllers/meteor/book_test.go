package meteor

import (
	"errors"
	"testing"
)

// What the status repeats from pass to pass neither grows nor loses the cause, whatever becomes of the older site.
func TestKeptSite(t *testing.T) {
	const stays, gone = "No book; the site that was built before stays", "No book; the site that was built before cannot be served: taken"
	taken := errors.New("taken")
	for told, cases := range map[string]map[string]error{
		"No book": {stays: nil, gone: taken},
		stays:     {stays: nil, gone: taken},
		gone:      {stays: nil, gone: taken},
	} {
		for want, unserved := range cases {
			if got := (keptSite{errors.New(told), unserved}).Error(); got != want {
				t.Errorf("%q with %v: want %q, got %q", told, unserved, want, got)
			}
		}
	}
}
