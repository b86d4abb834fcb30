package git

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// address is where a repository is. It never holds a password.
type address struct {
	scheme, user, host, path string
	port                     int
	// scp says that it was written as user@host:path.
	scp bool
}

var scpForm = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*)@([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):([^-].*)$`)

var defaultPorts = map[string]int{"http": 80, "https": 443, "ssh": 22}

// errCredentials is for URLs that hold a password.
var errCredentials = errors.New("it has credentials in it: take them out and put them into a Secret that gitSecret names")

// parseURL reads the URL of a repository. Errors never quote it, since it may hold a password.
func parseURL(raw string) (*address, error) {
	if len(raw) > 1024 || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("it is too long, or has a blank, an invisible or a non-ASCII character in it")
	}
	if m := scpForm.FindStringSubmatch(raw); m != nil && !strings.Contains(raw, "://") {
		return &address{scheme: "ssh", user: m[1], host: m[2], path: m[3], port: 22, scp: true}, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") == "" {
		return nil, errors.New("it is not of the form https://host/path, ssh://user@host/path or user@host:path")
	}
	port, known := defaultPorts[u.Scheme]
	if !known {
		return nil, fmt.Errorf("its scheme is %q: only https, http and ssh are allowed", text.Line(u.Scheme, 20))
	}
	if _, has := u.User.Password(); has || u.Scheme != "ssh" && u.User != nil {
		return nil, errCredentials
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("it has a '?' or a '#' in it")
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return nil, errors.New("its port is no port")
		}
	}
	a := &address{scheme: u.Scheme, user: u.User.Username(), host: u.Hostname(), port: port, path: u.EscapedPath()}
	if a.scheme == "ssh" {
		a.path = u.Path
		if a.user == "" {
			a.user = "git"
		}
	}
	return a, nil
}

// String returns the address as it is shown. It has no password, so it may be.
func (a *address) String() string {
	if a.scp {
		return a.user + "@" + a.host + ":" + a.path
	}
	u := url.URL{Scheme: a.scheme, Host: a.hostPort(), Opaque: ""}
	if a.scheme == "ssh" {
		u.User = url.User(a.user)
	}
	return u.String() + "/" + strings.TrimPrefix(a.path, "/")
}

// hostPort leaves the scheme's own port out.
func (a *address) hostPort() string {
	host := a.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if a.port == defaultPorts[a.scheme] {
		return host
	}
	return net.JoinHostPort(a.host, strconv.Itoa(a.port))
}

// sameServer says whether credentials for one are for the other too.
func (a *address) sameServer(b *address) bool {
	return a.scheme == b.scheme && strings.EqualFold(a.host, b.host) && a.port == b.port && a.user == b.user
}

func (a *address) endpoint() *transport.Endpoint {
	e := &transport.Endpoint{Protocol: a.scheme, Host: a.host, Port: a.port, Path: a.path}
	if a.scheme == "ssh" {
		e.User = a.user
		// The other side's shell gets the path between single quotes.
		e.Path = strings.ReplaceAll(a.path, "'", `'\''`)
	} else if strings.Contains(a.host, ":") {
		e.Host = "[" + a.host + "]"
	}
	return e
}

// relative returns the address of a submodule whose URL starts with ./ or ../.
func (a *address) relative(to string) (*address, error) {
	rooted := strings.HasPrefix(a.path, "/")
	p := path.Join("/", a.path)
	for _, step := range strings.Split(to, "/") {
		switch step {
		case "", ".":
		case "..":
			if p == "/" {
				return nil, errors.New("it leads above the server's root")
			}
			p = path.Dir(p)
		default:
			p = path.Join(p, step)
		}
	}
	if p == "/" {
		return nil, errors.New("it leads to the server's root")
	}
	b := *a
	if b.path = p; !rooted {
		b.path = strings.TrimPrefix(p, "/")
	}
	return parseURL(b.String())
}
