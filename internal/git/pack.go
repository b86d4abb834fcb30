package git

import (
	"compress/flate"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // the checksum that packs have
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
)

// pack holds the objects of a fetch. They stay on disk: a repository may hold files that are larger than memory.
type pack struct {
	// file is the pack as it was sent; whole holds the objects that others are made from, or that are made from
	// others, as they are.
	file, whole *os.File
	end         int64
	objects     []packed
	byHash      map[plumbing.Hash]int32
}

// packed is an object of a pack.
type packed struct {
	hash plumbing.Hash
	kind plumbing.ObjectType
	// at is where its compressed data begin in the file.
	at int64
	// size is the object's own, also if it is sent as a difference.
	size int64
	// whole is where it begins in the other file, -1 if it is not there.
	whole int64
	// base is what a difference is to, -1 if it is named by its hash.
	base int32
	// baseHash is that hash.
	baseHash plumbing.Hash
}

// tooLargeError says that something is larger than the limits allow.
type tooLargeError struct{ what string }

// Error returns the words for it.
func (e *tooLargeError) Error() string { return e.what }

// errBroken is for packs that are not as they should be.
var errBroken = errors.New("the server sent objects that cannot be read")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errBroken, fmt.Sprintf(format, args...))
}

// receive reads a pack into a folder. It stops reading as soon as a limit is passed.
func receive(in io.Reader, dir string, limits Limits) (*pack, error) {
	p := &pack{byHash: map[plumbing.Hash]int32{}}
	var err error
	if p.file, err = os.CreateTemp(dir, "pack-"); err != nil {
		return nil, fmt.Errorf("cannot keep objects: %w", err)
	}
	if p.whole, err = os.CreateTemp(dir, "whole-"); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot keep objects: %w", err), p.close())
	}
	r := &packReader{pack: p, limits: limits, offsets: map[int64]int32{}, source: source{
		in: in, out: p.file, sum: sha1.New(), buf: make([]byte, 64<<10), limit: limits.PackBytes, //nolint:gosec // as above
	}}
	if err := r.run(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err := p.resolve(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// close removes the files.
func (p *pack) close() error {
	var errs []error
	for _, f := range []*os.File{p.file, p.whole} {
		if f != nil {
			errs = append(errs, f.Close(), os.Remove(filepath.Clean(f.Name())))
		}
	}
	return errors.Join(errs...)
}

// source hands out a pack's bytes while it keeps and hashes them.
type source struct {
	in               io.Reader
	out              *os.File
	sum              hash.Hash
	buf              []byte
	pos, end, hashed int
	before           int64
	limit            int64
}

func (s *source) offset() int64 { return s.before + int64(s.pos) }

// hashUp hashes what was handed out.
func (s *source) hashUp() {
	s.sum.Write(s.buf[s.hashed:s.pos])
	s.hashed = s.pos
}

func (s *source) fill() error {
	if s.pos < s.end {
		return nil
	}
	s.hashUp()
	s.before += int64(s.end)
	s.pos, s.end, s.hashed = 0, 0, 0
	n, err := s.in.Read(s.buf)
	for ; n == 0 && err == nil; n, err = s.in.Read(s.buf) {
	}
	if n == 0 {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if s.end = n; s.before+int64(n) > s.limit {
		return &tooLargeError{fmt.Sprintf("what the server sends for it is larger than %s, the limit", amount(s.limit))}
	}
	if _, err := s.out.Write(s.buf[:n]); err != nil {
		return fmt.Errorf("cannot keep objects: %w", err)
	}
	return nil
}

// ReadByte lets the decompression take no byte more than it needs.
func (s *source) ReadByte() (byte, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	b := s.buf[s.pos]
	s.pos++
	return b, nil
}

// Read reads some bytes.
func (s *source) Read(b []byte) (int, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	n := copy(b, s.buf[s.pos:s.end])
	s.pos += n
	return n, nil
}

// packReader reads a pack once, from its beginning to its end.
type packReader struct {
	*pack
	source
	limits  Limits
	offsets map[int64]int32
	total   int64
	inflate io.ReadCloser
}

func (r *packReader) run() error {
	var head [12]byte
	if _, err := io.ReadFull(&r.source, head[:]); err != nil {
		return err
	}
	count := binary.BigEndian.Uint32(head[8:])
	if version := binary.BigEndian.Uint32(head[4:]); string(head[:4]) != "PACK" || version != 2 && version != 3 {
		return broken("no pack of version 2")
	}
	if int64(count) > int64(r.limits.Objects) {
		return &tooLargeError{fmt.Sprintf("it has %d objects, more than %d, the limit", count, r.limits.Objects)}
	}
	for range count {
		if err := r.object(); err != nil {
			return err
		}
	}
	r.hashUp()
	var sum [sha1.Size]byte
	if _, err := io.ReadFull(&r.source, sum[:]); err != nil {
		return err
	}
	if [sha1.Size]byte(r.sum.Sum(nil)) != sum {
		// The sum has no part in what it is a sum of.
		return broken("their checksum is wrong")
	}
	return nil
}

// header reads an object's kind and size, and what it is a difference to.
func (r *packReader) header() (packed, error) {
	start := r.offset()
	b, err := r.ReadByte()
	if err != nil {
		return packed{}, err
	}
	o := packed{kind: plumbing.ObjectType(b >> 4 & 7), size: int64(b & 15), whole: -1, base: -1}
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = r.ReadByte(); err != nil {
			return o, err
		}
		if shift > 50 {
			return o, broken("a size is too large to be one")
		}
		o.size |= int64(b&0x7f) << shift
	}
	switch o.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.REFDeltaObject:
		if _, err := io.ReadFull(&r.source, o.baseHash[:]); err != nil {
			return o, err
		}
	case plumbing.OFSDeltaObject:
		back, err := r.distance()
		if err != nil {
			return o, err
		}
		base, ok := r.offsets[start-back]
		if !ok {
			return o, broken("a difference is to nothing")
		}
		o.base = base
	default:
		return o, broken("one is of unknown kind %d", o.kind)
	}
	r.offsets[start] = r.index()
	o.at = r.offset()
	return o, nil
}

// index is that of the next object.
func (r *packReader) index() int32 {
	return int32(len(r.objects)) //nolint:gosec // the limit for objects is far below
}

// distance reads how far back the base of a difference is.
func (r *packReader) distance() (int64, error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	d := int64(b & 0x7f)
	for b&0x80 != 0 {
		if b, err = r.ReadByte(); err != nil {
			return 0, err
		}
		if d >= 1<<48 {
			return 0, broken("a distance is too large to be one")
		}
		d = (d+1)<<7 | int64(b&0x7f)
	}
	return d, nil
}

func (r *packReader) object() error {
	o, err := r.header()
	if err != nil {
		return err
	}
	if err := r.admit(o, o.size); err != nil {
		return err
	}
	if err := r.reset(); err != nil {
		return err
	}
	if o.kind.IsDelta() {
		return r.difference(o)
	}
	hasher := plumbing.NewHasher(o.kind, o.size)
	n, err := io.Copy(hasher, io.LimitReader(r.inflate, o.size+1))
	if err != nil {
		return r.unreadable(err)
	}
	if n != o.size {
		return broken("one has not the size that it says")
	}
	r.total += o.size
	o.hash = hasher.Sum()
	r.byHash[o.hash] = r.index()
	r.objects = append(r.objects, o)
	return nil
}

// difference reads the size of what a difference makes, and skips the rest for now.
func (r *packReader) difference(o packed) error {
	d := newDeltaReader(r.inflate)
	var err error
	length := o.size
	if o.size, err = d.sizes(nil); err != nil {
		return r.unreadable(err)
	}
	if err := r.admit(o, o.size); err != nil {
		return err
	}
	r.total += o.size
	if _, err := io.Copy(io.Discard, io.LimitReader(d.in, length+1)); err != nil {
		return r.unreadable(err)
	}
	// What the reader has ahead is still the object's: decompression ends with it.
	r.objects = append(r.objects, o)
	return nil
}

// admit checks an object's size before anything is made of it.
func (r *packReader) admit(o packed, size int64) error {
	limit := r.limits.Bytes
	if o.kind == plumbing.CommitObject || o.kind == plumbing.TreeObject || o.kind == plumbing.TagObject {
		limit = maxPlain
	}
	if size > limit {
		return &tooLargeError{fmt.Sprintf("it holds a file of %s, more than %s, the limit for all its files", amount(size), amount(limit))}
	}
	if r.total+size > r.limits.objectBytes() {
		return &tooLargeError{fmt.Sprintf("its files are larger than %s, the limit for all of them", amount(r.limits.Bytes))}
	}
	return nil
}

func (r *packReader) reset() error {
	if resetter, ok := r.inflate.(zlib.Resetter); ok {
		return r.unreadable(resetter.Reset(&r.source, nil))
	}
	inflate, err := zlib.NewReader(&r.source)
	r.inflate = inflate
	return r.unreadable(err)
}

// unreadable tells what is wrong with the data from what went wrong with reading them.
func (r *packReader) unreadable(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) || errors.As(err, &corrupt) {
		return broken("%s", err)
	}
	return err
}
