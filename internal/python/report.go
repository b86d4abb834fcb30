package python

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// maxReport is more than a report of hundreds of packages needs, with all their descriptions.
const maxReport = 256 << 20

// report is the part of an entry of pip's installation report that matters.
type reported struct {
	Download struct {
		URL     string          `json:"url"`
		VCS     json.RawMessage `json:"vcs_info"`
		Dir     json.RawMessage `json:"dir_info"`
		Archive struct {
			Hash   string            `json:"hash"`
			Hashes map[string]string `json:"hashes"`
		} `json:"archive_info"`
	} `json:"download_info"`
	Direct    bool `json:"is_direct"`
	Yanked    bool `json:"is_yanked"`
	Requested bool `json:"requested"`
	Metadata  struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"metadata"`
}

// ParseReport makes a lock of what pip writes with --dry-run --report. One entry at a time is held in memory: an
// entry carries the package's whole description. Where a forwarder was asked, the lock says what it stands for. Of the environment, only what decides which files fit is kept.
func ParseReport(r io.Reader, index Index) (*Lock, error) {
	limited := &io.LimitedReader{R: r, N: maxReport}
	p := &reportParser{dec: json.NewDecoder(limited), lock: &Lock{}, index: index}
	err := p.object(p.top)
	if err == nil && p.version != "1" {
		err = fmt.Errorf("it has version %q, not 1", text.Line(p.version, 20))
	}
	if err == nil {
		err = p.lock.finish()
	}
	if limited.N == 0 {
		err = fmt.Errorf("it is larger than %d MiB", maxReport>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read pip's report: %w", err)
	}
	return p.lock, nil
}

type reportParser struct {
	dec     *json.Decoder
	lock    *Lock
	index   Index
	version string
}

// object reads an object and lets member read the value of each key.
func (p *reportParser) object(member func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if err := member(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

func (p *reportParser) delim(want json.Delim) error {
	token, err := p.dec.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("it is not of the right form: %q is missing", want.String())
	}
	return nil
}

func (p *reportParser) top(key string) error {
	switch key {
	case "version":
		return p.dec.Decode(&p.version)
	case "install":
		return p.install()
	case "environment":
		var env struct {
			Python   string `json:"python_full_version"`
			Platform string `json:"platform_machine"`
		}
		err := p.dec.Decode(&env)
		p.lock.Python, p.lock.Platform = env.Python, env.Platform
		return err
	}
	var other json.RawMessage
	return p.dec.Decode(&other)
}

func (p *reportParser) install() error {
	if err := p.delim('['); err != nil {
		return err
	}
	for p.dec.More() {
		var item reported
		if err := p.dec.Decode(&item); err != nil {
			return err
		}
		if len(p.lock.Packages) >= maxPackages {
			return fmt.Errorf("there are more than %d packages", maxPackages)
		}
		item.Download.URL = p.index.Original(item.Download.URL)
		if p.index.isLocal(item.Download.URL) {
			continue
		}
		locked, err := item.locked()
		if err != nil {
			return err
		}
		p.lock.Packages = append(p.lock.Packages, locked)
	}
	return p.delim(']')
}

func (r *reported) locked() (Package, error) {
	p := Package{
		Name: NormalName(r.Metadata.Name), Version: r.Metadata.Version,
		Requested: r.Requested, Direct: r.Direct, Yanked: r.Yanked,
	}
	if r.Download.VCS != nil || r.Download.Dir != nil {
		return p, unsupported("Package %q comes from %q, which is no file: it has no hash that could be locked", text.Line(p.Name, 60), Redact(text.Line(r.Download.URL, 200)))
	}
	hash, ok := strings.CutPrefix(r.Download.Archive.Hash, "sha256=")
	if h := r.Download.Archive.Hashes["sha256"]; h != "" {
		hash, ok = h, true
	}
	if !ok {
		return p, fmt.Errorf("package %q has no SHA-256 hash", text.Line(p.Name, 60))
	}
	p.SHA256 = []string{hash}
	var err error
	if p.URL, err = plainURL(r.Download.URL); err != nil {
		return p, errors.Join(unsupported("Package %q cannot be locked: it comes from %q", text.Line(p.Name, 60), Redact(text.Line(r.Download.URL, 200))), err)
	}
	return p, nil
}

// Names returns the names and versions, as the status and the tag's annotations list them.
func (l *Lock) Names() [][2]string {
	out := make([][2]string, 0, len(l.Packages))
	for _, p := range l.Packages {
		out = append(out, [2]string{p.Name, p.Version})
	}
	return slices.Clip(out)
}
