package repository

import (
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	// outputDelay is how long output is waited for after a program has ended.
	outputDelay = time.Second
	maxTail     = 64 << 10
)

// tail keeps the end of what was written to it.
type tail struct{ data []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*maxTail {
		t.data = append(t.data[:0], t.data[len(t.data)-maxTail:]...)
	}
	return len(p), nil
}

// last returns the last lines as one.
func (t *tail) last(most int) string {
	var kept []string
	all := strings.Split(string(t.data), "\n")
	for i := len(all) - 1; i >= 0 && len(kept) < most; i-- {
		if line := text.Line(all[i], 160); line != "" {
			kept = append([]string{line}, kept...)
		}
	}
	return strings.Join(kept, "; ")
}
