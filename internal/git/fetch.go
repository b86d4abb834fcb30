package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
)

// fetch gets one commit of one repository.
type fetch struct {
	*module
	secret  *secret
	ca      []byte
	limits  Limits
	scratch string
	timeout time.Duration

	wire *wire
	auth transport.AuthMethod
}

// fetched is what came.
type fetched struct {
	*pack
	commit *object.Commit
	ref    string
}

// refNotFoundError says that the repository has no such branch, tag or commit.
type refNotFoundError struct{ what string }

// Error returns the words for it.
func (e *refNotFoundError) Error() string { return e.what }

func (f *fetch) run(ctx context.Context) (*fetched, error) {
	var err error
	if f.auth, err = f.secret.method(f.address); err != nil {
		return nil, err
	}
	session, err := f.connect(ctx)
	if err != nil {
		return nil, err
	}
	refs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		quietly(session)
		return nil, err
	}
	t, err := f.choose(refs)
	if err != nil {
		quietly(session)
		return nil, err
	}
	if !t.hidden || allowsHidden(refs.Capabilities) {
		got, err := f.get(ctx, session, refs, t, []plumbing.Hash{t.hash})
		if err == nil || !t.hidden || !isRefusal(err) {
			return got, err
		}
		if session, err = f.again(ctx); err != nil {
			return nil, err
		}
	}
	f.limits.history = true
	return f.get(ctx, session, refs, t, tips(refs))
}

// connect starts a conversation. go-git's SSH client takes no context, so it is left behind when time is up.
func (f *fetch) connect(ctx context.Context) (transport.UploadPackSession, error) {
	var client transport.Transport
	if f.address.scheme == "ssh" {
		client = gitssh.NewClient(nil)
	} else {
		var err error
		if f.wire, err = newWire(f.address, f.auth != nil, f.ca); err != nil {
			return nil, err
		}
		client = githttp.NewClient(&http.Client{Transport: f.wire, CheckRedirect: f.wire.redirect})
	}
	type answer struct {
		session transport.UploadPackSession
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		session, err := client.NewUploadPackSession(f.address.endpoint(), f.auth)
		answers <- answer{session, err}
	}()
	select {
	case a := <-answers:
		return a.session, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// again starts another conversation, since a refusal has ended the first.
func (f *fetch) again(ctx context.Context) (transport.UploadPackSession, error) {
	session, err := f.connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := session.AdvertisedReferencesContext(ctx); err != nil {
		quietly(session)
		return nil, err
	}
	return session, nil
}

// quietly ends a conversation of which no more is wanted.
func quietly(c io.Closer) {
	_ = c.Close()
}

// target is what is wanted.
type target struct {
	hash plumbing.Hash
	ref  string
	// hidden says that no branch or tag points to it.
	hidden bool
}

var (
	fullHash  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	shortHash = regexp.MustCompile(`^[0-9a-f]{7,39}$`)
)

// choose finds what the module's commit or reference stands for.
func (f *fetch) choose(refs *packp.AdvRefs) (*target, error) {
	if !f.commit.IsZero() {
		return hashTarget(refs, f.commit), nil
	}
	switch ref := f.ref; {
	case ref == "":
		return defaultBranch(refs)
	case fullHash.MatchString(strings.ToLower(ref)):
		return hashTarget(refs, plumbing.NewHash(ref)), nil
	default:
		for _, name := range []string{ref, "refs/heads/" + ref, "refs/tags/" + ref} {
			if hash, ok := refs.References[name]; ok && strings.HasPrefix(name, "refs/") {
				return &target{hash: hash, ref: name}, nil
			}
		}
		return nil, notFound(refs, ref)
	}
}

func hashTarget(refs *packp.AdvRefs, hash plumbing.Hash) *target {
	return &target{hash: hash, hidden: !slices.Contains(tips(refs), hash)}
}

func defaultBranch(refs *packp.AdvRefs) (*target, error) {
	t := &target{}
	for _, pair := range refs.Capabilities.Get(capability.SymRef) {
		if name, ok := strings.CutPrefix(pair, "HEAD:"); ok {
			t.ref = name
		}
	}
	if refs.Head != nil {
		t.hash = *refs.Head
		return t, nil
	}
	if hash, ok := refs.References[t.ref]; ok {
		t.hash = hash
		return t, nil
	}
	what := "it has no default branch"
	if t.ref != "" {
		what = fmt.Sprintf("its default branch %q does not exist", short(t.ref))
	}
	return nil, &refNotFoundError{what + ": name a branch, tag or commit in gitRef; " + known(refs)}
}

func notFound(refs *packp.AdvRefs, ref string) error {
	hint := ""
	if shortHash.MatchString(ref) {
		hint = "; a commit needs all its 40 digits"
	}
	return &refNotFoundError{fmt.Sprintf("it has no branch or tag %q%s; %s", ref, hint, known(refs))}
}

func short(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
}

// known lists some of the branches and tags that there are.
func known(refs *packp.AdvRefs) string {
	const most = 8
	lists := []string{}
	for _, kind := range []struct{ prefix, name string }{{"refs/heads/", "branches"}, {"refs/tags/", "tags"}} {
		var names []string
		for name := range refs.References {
			if rest, ok := strings.CutPrefix(name, kind.prefix); ok {
				names = append(names, rest)
			}
		}
		if len(names) == 0 {
			continue
		}
		slices.Sort(names)
		list := strings.Join(names[:min(len(names), most)], ", ")
		if more := len(names) - most; more > 0 {
			list += fmt.Sprintf(" and %d more", more)
		}
		lists = append(lists, kind.name+": "+list)
	}
	if len(lists) == 0 {
		return "there are no branches and tags"
	}
	return "there are " + strings.Join(lists, "; ")
}

// tips are what branches and tags point to.
func tips(refs *packp.AdvRefs) []plumbing.Hash {
	var out []plumbing.Hash
	for name, hash := range refs.References {
		if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
			out = append(out, hash)
		}
	}
	if refs.Head != nil {
		out = append(out, *refs.Head)
	}
	plumbing.HashesSort(out)
	return slices.Compact(out)
}

// allowsHidden says whether the server hands out commits that nothing points to.
func allowsHidden(c *capability.List) bool {
	return c.Supports(capability.AllowReachableSHA1InWant) || c.Supports("allow-any-sha1-in-want") ||
		c.Supports(capability.AllowTipSHA1InWant)
}

// get asks for objects and finds the commit among them.
func (f *fetch) get(ctx context.Context, session transport.UploadPackSession, refs *packp.AdvRefs, t *target, wants []plumbing.Hash) (*fetched, error) {
	request := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	request.Wants = wants
	if refs.Capabilities.Supports(capability.Shallow) && !f.limits.history {
		request.Depth = packp.DepthCommits(1)
		if err := request.Capabilities.Set(capability.Shallow); err != nil {
			quietly(session)
			return nil, fmt.Errorf("cannot ask for a shallow clone: %w", err)
		}
	}
	response, err := session.UploadPack(ctx, request)
	if err != nil {
		quietly(session)
		return nil, err
	}
	var in io.Reader = response
	switch {
	case request.Capabilities.Supports(capability.Sideband64k):
		in = sideband.NewDemuxer(sideband.Sideband64k, response)
	case request.Capabilities.Supports(capability.Sideband):
		in = sideband.NewDemuxer(sideband.Sideband, response)
	}
	p, err := receive(in, f.scratch, f.limits)
	// What there is to say was said: an error of the end of the conversation changes nothing.
	_ = response.Close()
	if err != nil {
		return nil, err
	}
	commit, err := p.peel(t.hash)
	if err != nil {
		if _, sent := p.byHash[t.hash]; !sent && t.hidden {
			err = &refNotFoundError{fmt.Sprintf("it has no commit %s; %s", t.hash, known(refs))}
		}
		return nil, errors.Join(err, p.close())
	}
	return &fetched{pack: p, commit: commit, ref: t.ref}, nil
}

// peel returns the commit that a hash stands for: itself, or what a tag is of.
func (p *pack) peel(hash plumbing.Hash) (*object.Commit, error) {
	for range 10 {
		i, ok := p.byHash[hash]
		if !ok {
			return nil, broken("%s is missing", hash)
		}
		kind := p.objects[i].kind
		o, err := p.object(hash, kind)
		if err != nil {
			return nil, err
		}
		switch kind {
		case plumbing.CommitObject:
			commit := &object.Commit{}
			if err := commit.Decode(o); err != nil {
				return nil, broken("%s", err)
			}
			return commit, nil
		case plumbing.TagObject:
			tag := &object.Tag{}
			if err := tag.Decode(o); err != nil {
				return nil, broken("%s", err)
			}
			hash = tag.Target
		default:
			return nil, &refNotFoundError{fmt.Sprintf("what was asked for is a %s and no commit", kind)}
		}
	}
	return nil, broken("tags of tags of tags")
}

// isRefusal says whether the server does not want to send what it was asked for.
func isRefusal(err error) bool {
	said := err.Error()
	return strings.Contains(said, "not our ref") || strings.Contains(said, "unadvertised object") ||
		strings.Contains(said, "ERR ") || errors.Is(err, transport.ErrEmptyUploadPackRequest)
}
