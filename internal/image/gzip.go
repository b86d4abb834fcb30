package image

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
)

// blockSize is how much is compressed at once. What comes out depends on it and on nothing else: not on how many
// processors there are, nor on how the input was cut into writes.
const blockSize = 1 << 20

// gzipWriter compresses blocks on all processors into one gzip stream.
type gzipWriter struct {
	block []byte
	queue chan chan *bytes.Buffer
	slots chan struct{}
	done  chan struct{}
	dst   io.Writer

	mu  sync.Mutex
	err error

	sum  uint32
	size uint32
}

var (
	deflaters = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic(err)
		}
		return w
	}}
	blocks  = sync.Pool{New: func() any { return make([]byte, 0, blockSize) }}
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

func newGzipWriter(dst io.Writer) *gzipWriter {
	workers := runtime.GOMAXPROCS(0)
	w := &gzipWriter{
		dst: dst, block: takeBlock(), done: make(chan struct{}),
		queue: make(chan chan *bytes.Buffer, workers), slots: make(chan struct{}, workers),
	}
	go w.drain()
	return w
}

func takeBlock() []byte {
	block, _ := blocks.Get().([]byte)
	return block[:0]
}

// drain writes the compressed blocks in order.
func (w *gzipWriter) drain() {
	defer close(w.done)
	// Deflate, no name, no time, fastest, of an unknown system.
	w.emit([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff})
	for result := range w.queue {
		buf := <-result
		w.emit(buf.Bytes())
		buffers.Put(buf)
	}
}

func (w *gzipWriter) emit(p []byte) {
	if w.failed() != nil {
		return
	}
	if _, err := w.dst.Write(p); err != nil {
		w.mu.Lock()
		w.err = err
		w.mu.Unlock()
	}
}

func (w *gzipWriter) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Write implements io.Writer.
func (w *gzipWriter) Write(p []byte) (int, error) {
	if err := w.failed(); err != nil {
		return 0, err
	}
	w.sum = crc32.Update(w.sum, crc32.IEEETable, p)
	w.size += uint32(len(p)) //nolint:gosec // modulo 2^32 is what gzip counts in
	for rest := p; len(rest) > 0; {
		n := min(len(rest), blockSize-len(w.block))
		w.block = append(w.block, rest[:n]...)
		rest = rest[n:]
		if len(w.block) == blockSize {
			w.dispatch()
		}
	}
	return len(p), nil
}

// dispatch has the block compressed and begins another.
func (w *gzipWriter) dispatch() {
	block, result := w.block, make(chan *bytes.Buffer, 1)
	w.block = takeBlock()
	w.slots <- struct{}{}
	w.queue <- result
	go func() {
		defer func() { <-w.slots }()
		buf, _ := buffers.Get().(*bytes.Buffer)
		buf.Reset()
		deflater, _ := deflaters.Get().(*flate.Writer)
		deflater.Reset(buf)
		// A buffer takes all that is written to it. Flushing ends the block on a byte's border.
		_, _ = deflater.Write(block)
		_ = deflater.Flush()
		deflaters.Put(deflater)
		blocks.Put(block) //nolint:staticcheck // one small allocation for each megabyte
		result <- buf
	}()
}

// Close writes what is left and the end of the stream. It does not close what it writes to.
func (w *gzipWriter) Close() error {
	if len(w.block) > 0 {
		w.dispatch()
	}
	close(w.queue)
	<-w.done
	// An empty last block, the checksum and the size.
	end := binary.LittleEndian.AppendUint32([]byte{3, 0}, w.sum)
	w.emit(binary.LittleEndian.AppendUint32(end, w.size))
	return w.failed()
}
