package images

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseSources(t *testing.T) {
	cases := map[string]struct {
		reason  string
		targets string
		want    []source
	}{
		"Debian's own": {
			reason: "the release comes first, other publishers and sections are left out",
			targets: "Debian|http://mirror.example/debian-security/|bookworm-security|main\n" +
				"Debian|http://mirror.example/debian/|bookworm|main\n" +
				"Debian|http://mirror.example/debian/|bookworm|contrib\n" +
				"Some Company|https://packages.example/|bookworm|main\n",
			want: []source{
				{"http://mirror.example/debian/", "bookworm", "main"},
				{"http://mirror.example/debian-security/", "bookworm-security", "main"},
			},
		},
		"named twice": {
			reason:  "apt warns of this and goes on, so do we",
			targets: "Debian|http://m/|trixie|main\nDebian|http://m/|trixie|main\n",
			want:    []source{{"http://m/", "trixie", "main"}},
		},
		"updates only": {
			reason:  "nothing can be bootstrapped from updates",
			targets: "Debian|http://m/|bookworm-updates|main\n",
		},
		"nothing": {reason: "apt's lists may have been removed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parseSources(tc.targets), cmp.AllowUnexported(source{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestReleaseDate(t *testing.T) {
	cases := map[string]struct {
		reason  string
		content string
		want    time.Time
	}{
		"Debian": {
			reason:  "the date is read out of a signed file",
			content: "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nSuite: stable\nDate: Sat, 11 Jul 2026 10:16:37 UTC\n",
			want:    time.Date(2026, 7, 11, 10, 16, 37, 0, time.UTC),
		},
		"another publisher": {
			reason:  "its packages are not in the images",
			content: "Origin: Some Company\nDate: Sat, 11 Jul 2026 10:16:37 UTC\n",
		},
		"no date": {reason: "an index file also ends in Release", content: "Origin: Debian\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := releaseDate([]byte(tc.content)); !got.Equal(tc.want) {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestTail(t *testing.T) {
	for _, tc := range []struct{ in, want string }{{"", ""}, {" short\n", "short"}, {"0123456789", "…56789"}} {
		if got := tail(tc.in, 5); got != tc.want {
			t.Errorf("tail(%q) is %q, want %q", tc.in, got, tc.want)
		}
	}
}
