package git

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// inMemory is how large an object may be that is held in memory while others are made from it.
const inMemory = 4 << 20

// deltaReader reads a difference: two sizes, then what to copy and what to insert.
type deltaReader struct{ in *bufio.Reader }

func newDeltaReader(in io.Reader) *deltaReader {
	return &deltaReader{bufio.NewReader(in)}
}

// sizes returns the size of what is made. If of is given, it has to be the size of what it is made from.
func (d *deltaReader) sizes(of *int64) (int64, error) {
	from, err := d.size()
	if err != nil {
		return 0, err
	}
	if of != nil && *of != from {
		return 0, broken("a difference is to something else")
	}
	return d.size()
}

func (d *deltaReader) size() (int64, error) {
	var n int64
	for shift := 0; ; shift += 7 {
		b, err := d.in.ReadByte()
		if err != nil {
			return 0, err
		}
		if shift > 50 {
			return 0, broken("a size is too large to be one")
		}
		if n |= int64(b&0x7f) << shift; b&0x80 == 0 {
			return n, nil
		}
	}
}

// apply writes what the difference makes of the base.
func (d *deltaReader) apply(w io.Writer, base io.ReaderAt, baseSize, size int64) error {
	for size > 0 {
		op, err := d.in.ReadByte()
		if err != nil {
			return broken("a difference ends too early")
		}
		var part io.Reader
		var n int64
		switch {
		case op&0x80 != 0:
			var at int64
			if at, n, err = d.copied(op); err != nil {
				return err
			}
			if at+n > baseSize {
				return broken("a difference reaches beyond what it is to")
			}
			part = io.NewSectionReader(base, at, n)
		case op != 0:
			n, part = int64(op), d.in
		default:
			return broken("a difference has an unknown part")
		}
		if size -= n; size < 0 {
			return broken("a difference makes more than it says")
		}
		if _, err := io.CopyN(w, part, n); err != nil {
			return fmt.Errorf("cannot unpack object: %w", err)
		}
	}
	return nil
}

// copied reads from where and how much is copied.
func (d *deltaReader) copied(op byte) (at, n int64, err error) {
	for i := range 7 {
		if op&(1<<i) == 0 {
			continue
		}
		b, err := d.in.ReadByte()
		if err != nil {
			return 0, 0, broken("a difference ends too early")
		}
		if i < 4 {
			at |= int64(b) << (8 * i)
		} else {
			n |= int64(b) << (8 * (i - 4))
		}
	}
	if n == 0 {
		n = 0x10000
	}
	return at, n, nil
}

// resolve makes the objects that were sent as differences. Each is made once, after what it is made from.
func (p *pack) resolve() error {
	byIndex, byHash := map[int32][]int32{}, map[plumbing.Hash][]int32{}
	left := 0
	for i, o := range p.objects {
		switch {
		case o.base >= 0:
			byIndex[o.base] = append(byIndex[o.base], int32(i))
		case o.kind.IsDelta():
			byHash[o.baseHash] = append(byHash[o.baseHash], int32(i))
		default:
			continue
		}
		left++
	}
	var ready []int32
	for i, o := range p.objects {
		if !o.kind.IsDelta() {
			ready = append(ready, int32(i))
		}
	}
	for len(ready) > 0 {
		base := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		hash := p.objects[base].hash
		children := slices.Concat(byIndex[base], byHash[hash])
		delete(byIndex, base)
		delete(byHash, hash)
		if err := p.makeAll(base, children); err != nil {
			return err
		}
		left -= len(children)
		ready = append(ready, children...)
	}
	if left > 0 {
		return broken("%d differences are to objects that are missing", left)
	}
	return nil
}

// makeAll makes the objects that are differences to one.
func (p *pack) makeAll(base int32, children []int32) error {
	if len(children) == 0 {
		return nil
	}
	b := &p.objects[base]
	if b.whole < 0 {
		r, err := p.open(b)
		if err != nil {
			return err
		}
		if b.whole, err = p.keep(func(w io.Writer) error {
			_, err := io.Copy(w, r)
			return err
		}); err != nil {
			return err
		}
	}
	var from io.ReaderAt = io.NewSectionReader(p.whole, b.whole, b.size)
	if b.size <= inMemory {
		data, err := io.ReadAll(io.NewSectionReader(p.whole, b.whole, b.size))
		if err != nil {
			return fmt.Errorf("cannot unpack object: %w", err)
		}
		from = bytes.NewReader(data)
	}
	for _, i := range children {
		if err := p.make(&p.objects[i], b, from); err != nil {
			return err
		}
		p.byHash[p.objects[i].hash] = i
	}
	return nil
}

func (p *pack) make(o, base *packed, from io.ReaderAt) error {
	inflate, err := p.inflate(o)
	if err != nil {
		return err
	}
	d := newDeltaReader(inflate)
	size, err := d.sizes(&base.size)
	if err != nil {
		return err
	}
	hasher := plumbing.NewHasher(base.kind, size)
	at, err := p.keep(func(w io.Writer) error {
		return d.apply(io.MultiWriter(w, hasher), from, base.size, size)
	})
	if err != nil {
		return err
	}
	o.kind, o.whole, o.hash = base.kind, at, hasher.Sum()
	return nil
}

// keep appends what is written to the file of whole objects.
func (p *pack) keep(write func(io.Writer) error) (int64, error) {
	at := p.end
	w := bufio.NewWriter(io.NewOffsetWriter(p.whole, at))
	counted := &counter{w: w}
	if err := write(counted); err != nil {
		return 0, err
	}
	if err := w.Flush(); err != nil {
		return 0, fmt.Errorf("cannot keep objects: %w", err)
	}
	p.end += counted.n
	return at, nil
}

type counter struct {
	w io.Writer
	n int64
}

// Write counts what is written.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func (p *pack) inflate(o *packed) (io.Reader, error) {
	r, err := zlib.NewReader(bufio.NewReader(io.NewSectionReader(p.file, o.at, 1<<62)))
	if err != nil {
		return nil, broken("%s", err)
	}
	return r, nil
}

// open returns an object's content.
func (p *pack) open(o *packed) (io.Reader, error) {
	if o.whole >= 0 {
		return io.NewSectionReader(p.whole, o.whole, o.size), nil
	}
	r, err := p.inflate(o)
	if err != nil {
		return nil, err
	}
	return io.LimitReader(r, o.size), nil
}

// find returns an object.
func (p *pack) find(hash plumbing.Hash, kind plumbing.ObjectType) (*packed, error) {
	i, ok := p.byHash[hash]
	if !ok {
		return nil, broken("%s %s is missing", kind, hash)
	}
	o := &p.objects[i]
	if o.kind != kind {
		return nil, broken("%s is a %s, not a %s", hash, o.kind, kind)
	}
	return o, nil
}

// maxPlain is how large objects other than files may be.
const maxPlain = 64 << 20

// object returns a small object as go-git decodes it.
func (p *pack) object(hash plumbing.Hash, kind plumbing.ObjectType) (plumbing.EncodedObject, error) {
	o, err := p.find(hash, kind)
	if err != nil {
		return nil, err
	}
	if o.size > maxPlain {
		return nil, &tooLargeError{fmt.Sprintf("%s %s has %s, more than %s", kind, hash, amount(o.size), amount(maxPlain))}
	}
	r, err := p.open(o)
	if err != nil {
		return nil, err
	}
	m := &plumbing.MemoryObject{}
	m.SetType(kind)
	if _, err := io.Copy(m, r); err != nil {
		return nil, broken("%s", err)
	}
	return m, nil
}
