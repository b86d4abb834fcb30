// Package auditlog reads a part of the audit log that a kube-apiserver writes.
package auditlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// Mark is a place in a log.
type Mark int64

// End is the end of a log.
func End(file string) (Mark, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, fmt.Errorf("cannot find the audit log: %w", err)
	}
	return Mark(info.Size()), nil
}

// Read has each called with every line that was written since.
func Read(file string, since Mark, each func(line []byte) error) error {
	log, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("cannot open the audit log: %w", err)
	}
	defer log.Close()
	if info, err := log.Stat(); err != nil || info.Size() < int64(since) {
		return errors.Join(errors.New("the audit log was begun anew meanwhile: measure again"), err)
	}
	if _, err := log.Seek(int64(since), io.SeekStart); err != nil {
		return fmt.Errorf("cannot read the audit log: %w", err)
	}
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line without its end is being written
		}
		if err == nil {
			err = each(line)
		}
		if err != nil {
			return fmt.Errorf("cannot read the audit log: %w", err)
		}
	}
}
