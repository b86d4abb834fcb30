// Package text makes text from elsewhere (registries, images, people) fit to be shown: one line, valid, bounded.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Line returns s as one line of at most limit bytes: control and invisible formatting characters and invalid
// UTF-8 become spaces, runs of blanks become one, and what is cut off is marked with an ellipsis.
func Line(s string, limit int) string {
	if limit <= 0 {
		return ""
	}
	if len(s) > 4*limit+64 {
		s = s[:4*limit+64]
	}
	s = strings.ToValidUTF8(s, " ")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	return cut(strings.Join(strings.Fields(s), " "), limit)
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	mark := ellipsis
	if limit < len(mark) {
		mark = ""
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
