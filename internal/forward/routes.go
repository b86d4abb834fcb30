package forward

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Routes say which path of the forwarder stands for which of the indexes' hosts. The forwarder and those who use it
// work them out from the same list of indexes: the first host has the path /0, the second /1, and so on.
type Routes struct {
	indexes []*url.URL
	// origins are scheme and host of the indexes, each once.
	origins []string
}

// NewRoutes reads the indexes' URLs, the most important first. Empty ones are left out.
func NewRoutes(indexes ...string) (*Routes, error) {
	r := &Routes{}
	for _, raw := range indexes {
		if raw == "" {
			continue
		}
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			// The parser's own words could quote credentials.
			return nil, fmt.Errorf("index %d of %d is no URL of the form https://host/path", len(r.indexes)+1, len(indexes))
		}
		u.User, u.Fragment, u.RawFragment = nil, "", ""
		r.indexes = append(r.indexes, u)
		if o := origin(u); !slices.Contains(r.origins, o) {
			r.origins = append(r.origins, o)
		}
	}
	return r, nil
}

// origin is what decides whether a request goes to the same server: scheme, host and port, written in one way.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	usual := scheme == "https" && port == "443" || scheme == "http" && port == "80"
	if port != "" && !usual {
		host += ":" + port
	}
	return scheme + "://" + host
}

// Via returns the URL of an index at a forwarder.
func (r *Routes) Via(base, index string) string {
	u, err := url.Parse(index)
	if err != nil {
		return index
	}
	if path, ok := r.path(u); ok {
		return strings.TrimSuffix(base, "/") + path
	}
	return index
}

// path returns the path that stands for a URL, if its host is one of the indexes'.
func (r *Routes) path(u *url.URL) (string, bool) {
	n := slices.Index(r.origins, origin(u))
	if n < 0 {
		return "", false
	}
	p := "/" + strconv.Itoa(n) + u.EscapedPath()
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		p += "#" + u.EscapedFragment()
	}
	return p, true
}

// Original puts the real URLs in the place of a forwarder's in a text.
func (r *Routes) Original(base, text string) string {
	base = strings.TrimSuffix(base, "/")
	if !strings.Contains(text, base+"/") {
		return text
	}
	for n, o := range r.origins {
		text = strings.ReplaceAll(text, base+"/"+strconv.Itoa(n)+"/", o+"/")
	}
	return text
}

// split is the reverse of path: which host a request is for, and what it asks of it.
func (r *Routes) split(u *url.URL) (n int, upstream *url.URL, ok bool) {
	number, rest, ok := strings.Cut(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if !ok {
		return 0, nil, false
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(r.origins) || strconv.Itoa(n) != number {
		return 0, nil, false
	}
	upstream, err = url.Parse(r.origins[n] + "/" + rest)
	if err != nil {
		return 0, nil, false
	}
	upstream.RawQuery = u.RawQuery
	for part := range strings.SplitSeq(upstream.Path, "/") {
		if part == ".." || part == "." {
			return 0, nil, false
		}
	}
	return n, upstream, true
}

// below says whether a URL is part of one of the indexes.
func (r *Routes) below(u *url.URL) bool {
	for _, index := range r.indexes {
		dir := strings.TrimSuffix(index.Path, "/") + "/"
		if origin(index) == origin(u) && (strings.HasPrefix(u.Path, dir) || u.Path+"/" == dir) {
			return true
		}
	}
	return false
}
