package layer

import (
	"encoding/binary"
	"strings"
	"time"
)

// source is what byte code remembers of the file that it was compiled from.
type source struct{ mtime, size uint32 }

// restamp returns the source of a file of byte code, if that source is in this layer and gets another time there.
func restamp(c, parent, grandparent *change) *source {
	stem, ok := strings.CutSuffix(c.name, ".pyc")
	if !ok || c.stat.size < pycHeader {
		return nil
	}
	from := parent
	if parent.name == "__pycache__" {
		// The name is module.tag.pyc or module.tag.opt-1.pyc, and modules have no dots.
		stem, _, _ = strings.Cut(stem, ".")
		from = grandparent
	}
	if from == nil {
		return nil
	}
	for _, sibling := range from.children {
		if sibling.name == stem+".py" && !sibling.keepsTime() {
			return &source{mtime: uint32(sibling.stat.mtime / int64(time.Second)), size: uint32(sibling.stat.size)} //nolint:gosec // as Python cuts them
		}
	}
	return nil
}

const pycHeader = 16

// apply gives up-to-date byte code the time that its source gets. The header is a magic number, flags, of which 0
// says that time and size of the source follow, and those two.
func (s *source) apply(head []byte, epoch time.Time) {
	if s == nil || len(head) < pycHeader {
		return
	}
	le := binary.LittleEndian
	if le.Uint32(head[4:]) == 0 && le.Uint32(head[8:]) == s.mtime && le.Uint32(head[12:]) == s.size {
		le.PutUint32(head[8:], uint32(epoch.Unix())) //nolint:gosec // as Python cuts it
	}
}
