package layer

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

// Mounts returns the mount points below root in this process's mount namespace, as absolute paths seen from root.
func Mounts(root string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("cannot list mounts: %w", err)
	}
	defer f.Close()
	return parseMounts(f, root)
}

func parseMounts(r io.Reader, root string) ([]string, error) {
	const mountPoint = 4
	var out []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= mountPoint {
			return nil, fmt.Errorf("cannot list mounts: %q is no line of mountinfo", lines.Text())
		}
		if below, ok := under(root, unescape(fields[mountPoint])); ok {
			out = append(out, below)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot list mounts: %w", err)
	}
	return out, nil
}

// under returns p as seen from root, if it is below it.
func under(root, p string) (string, bool) {
	root, p = path.Clean(root), path.Clean(p)
	if root == "/" {
		return p, p != "/"
	}
	rest, ok := strings.CutPrefix(p, root+"/")
	return "/" + rest, ok
}

// unescape undoes the octal escapes of blanks and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if code, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
