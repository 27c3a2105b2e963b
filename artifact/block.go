package artifact

import (
	"bytes"

	"github.com/klauspost/compress/flate"
)

const (
	blockSize  = 1 << 20  // compressed on its own; part of the format, since it decides the bytes
	windowSize = 32 << 10 // how far back deflate may point
	level      = 8        // part of the format too; the fastest that stays within 2 % of Info-ZIP's size: see bench
)

// block is a piece of a file that is compressed on its own. It begins with the end of the block before, to which
// deflate may point back, so that cutting costs next to nothing in size.
type block struct {
	entry       *Entry
	first, last bool
	crc         uint32 // of the file up to this block's end
	data        []byte // window, then source
	window      int    // bytes of data that belong to the block before
	out         bytes.Buffer
	done        chan struct{} // closed once out is complete
}

func newBlock(e *Entry, previous *block) *block {
	b := &block{entry: e, first: previous == nil, done: make(chan struct{})}
	if e.Mode.IsDir() {
		return b
	}
	var window []byte
	if previous != nil {
		window = previous.data[len(previous.data)-windowSize:]
	}
	// One byte more than the rest of a small file, so that its end shows in the first read.
	want := blockSize
	if previous == nil {
		want = int(min(blockSize, e.Size+1))
	}
	b.window = len(window)
	b.data = make([]byte, len(window)+want)
	copy(b.data, window)
	return b
}

func (b *block) source() []byte { return b.data[b.window:] }

func (b *block) truncate(n int) { b.data = b.data[:b.window+n] }

// compress fills the out of each job. All but a file's last end at a byte's boundary with an empty stored
// block, so that joined they are one deflate stream.
func compress(jobs <-chan *block) error {
	fw, err := flate.NewWriter(nil, level)
	if err != nil {
		return err
	}
	for b := range jobs {
		if err := b.deflate(fw); err != nil {
			return err
		}
		close(b.done)
	}
	return nil
}

func (b *block) deflate(fw *flate.Writer) error {
	if b.entry.Mode.IsDir() {
		return nil
	}
	fw.ResetDict(&b.out, b.data[:b.window])
	if _, err := fw.Write(b.source()); err != nil {
		return err
	}
	if b.last {
		return fw.Close()
	}
	return fw.Flush()
}
