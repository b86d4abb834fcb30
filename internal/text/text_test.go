package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

func TestLine(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     string
		limit  int
		want   string
	}{
		"Plain":        {reason: "Harmless text stays as it is", in: `a "quoted" $(touch x)`, limit: 40, want: `a "quoted" $(touch x)`},
		"Lines":        {reason: "Several lines become one", in: "a\n--- kind: Secret\r\n\tb", limit: 40, want: "a --- kind: Secret b"},
		"Control":      {reason: "Terminal escapes lose their power", in: "\x1b[31mred\x00", limit: 40, want: "[31mred"},
		"Invisible":    {reason: "Direction overrides are not kept", in: "a\u202eb\u2028c", limit: 40, want: "a b c"},
		"InvalidUTF8":  {reason: "Bytes that are no text are dropped", in: "a\xff\xfeb", limit: 40, want: "a b"},
		"Cut":          {reason: "Long text is cut and says so", in: "abcdefghij", limit: 8, want: "abcde…"},
		"CutAtRune":    {reason: "A character is never cut in two", in: "ääääää", limit: 8, want: "ää…"},
		"TinyLimit":    {reason: "A limit too small for the mark still holds", in: "abc", limit: 2, want: "ab"},
		"NothingAsked": {reason: "No room gives nothing", in: "abc", limit: 0, want: ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, text.Line(tc.in, tc.limit)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\nb", 3)
	f.Add("\xff\u202e", 1)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := text.Line(s, limit%5000)
		if len(got) > max(limit%5000, 0) || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x00\x1b") {
			t.Errorf("Line(%q, %d) = %q", s, limit%5000, got)
		}
	})
}
