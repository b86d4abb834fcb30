package forward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var (
	hrefRE = regexp.MustCompile(`(?i)(\bhref\s*=\s*)("[^"]*"|'[^']*')`)
	baseRE = regexp.MustCompile(`(?is)<base\b[^>]*?\bhref\s*=\s*("[^"]*"|'[^']*')`)
)

// isPage says whether an answer holds links.
func isPage(resp *http.Response) bool {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return false
	}
	return kind == "text/html" || kind == "application/json" || strings.HasPrefix(kind, "application/vnd.pypi.simple.")
}

// page reads a page of the index and leads its links to the index's host through here.
func (h *Handler) page(at *url.URL, resp *http.Response) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPage {
		return nil, fmt.Errorf("a page is larger than %d MiB", maxPage>>20)
	}
	if kind := resp.Header.Get("Content-Type"); strings.Contains(kind, "json") {
		return h.json(at, data)
	}
	return h.html(at, data), nil
}

func (h *Handler) html(at *url.URL, data []byte) []byte {
	from := at
	if m := baseRE.FindSubmatch(data); m != nil {
		if u, err := at.Parse(unquote(m[1])); err == nil {
			from = u
		}
	}
	return hrefRE.ReplaceAllFunc(data, func(match []byte) []byte {
		m := hrefRE.FindSubmatch(match)
		return fmt.Appendf(nil, `%s"%s"`, m[1], html.EscapeString(h.link(at, from, unquote(m[2]))))
	})
}

func unquote(quoted []byte) string {
	return html.UnescapeString(string(quoted[1 : len(quoted)-1]))
}

// link returns what a link on a page becomes.
func (h *Handler) link(at, from *url.URL, raw string) string {
	u, err := from.Parse(strings.TrimSpace(raw))
	if err != nil {
		return raw
	}
	u.User = nil
	return h.lead(at, u)
}

// json rewrites the files of a page in the form of PEP 691, and leaves all else as it is.
func (h *Handler) json(at *url.URL, data []byte) ([]byte, error) {
	var page map[string]json.RawMessage
	if json.Unmarshal(data, &page) != nil || page["files"] == nil {
		return data, nil //nolint:nilerr // it is no page of files, and passed on as it is
	}
	var files []map[string]json.RawMessage
	if err := json.Unmarshal(page["files"], &files); err != nil {
		return nil, fmt.Errorf("cannot read a page: %w", err)
	}
	for _, file := range files {
		var raw string
		if err := json.Unmarshal(file["url"], &raw); err != nil {
			return nil, fmt.Errorf("cannot read a page: %w", err)
		}
		link, err := json.Marshal(h.link(at, at, raw))
		if err != nil {
			return nil, fmt.Errorf("cannot write a page: %w", err)
		}
		file["url"] = link
	}
	var err error
	if page["files"], err = json.Marshal(files); err != nil {
		return nil, fmt.Errorf("cannot write a page: %w", err)
	}
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(page); err != nil {
		return nil, fmt.Errorf("cannot write a page: %w", err)
	}
	return out.Bytes(), nil
}
