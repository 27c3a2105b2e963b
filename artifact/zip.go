package artifact

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Fixed fields of each zip entry. The date is the first that DOS can express, 1980-01-01 00:00. The flags say
// that sizes follow the data, which lets us stream, and that names are UTF-8.
const (
	dosDate        = 1<<5 | 1
	flagDescriptor = 0x8
	flagUTF8       = 0x800
)

// Zip writes the tree as a zip archive. The same tree gives the same bytes on every system and with any number
// of processors. It fails when a file is not what Gather saw, and what was written so far is then not a zip.
func (t *Tree) Zip(ctx context.Context, w io.Writer) error {
	return t.zip(ctx, w, func(int64) {})
}

// SHA256 is the digest in hex of the bytes that Zip writes. It costs a whole pass of compression.
func (t *Tree) SHA256(ctx context.Context) (string, error) {
	h := sha256.New()
	if err := t.Zip(ctx, h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// zip is Zip that reports how many bytes of the files went into what it has written so far. Three stages run at
// once: one goroutine reads, one per processor compresses, and the caller's writes in order.
func (t *Tree) zip(ctx context.Context, w io.Writer, written func(source int64)) error {
	workers := runtime.GOMAXPROCS(0)
	g, ctx := errgroup.WithContext(ctx)
	jobs := make(chan *block)
	queue := make(chan *block, 2*workers)
	g.Go(func() error {
		defer close(jobs)
		defer close(queue)
		return t.readBlocks(ctx, func(b *block) error { return enqueue(ctx, b, queue, jobs) })
	})
	for range workers {
		g.Go(func() error { return compress(jobs) })
	}
	zw := zip.NewWriter(w)
	g.Go(func() error { return writeBlocks(ctx, zw, queue, written) })
	if err := g.Wait(); err != nil {
		return err
	}
	return zw.Close()
}

func enqueue(ctx context.Context, b *block, queue, jobs chan<- *block) error {
	for _, to := range []chan<- *block{queue, jobs} {
		select {
		case to <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// readBlocks gives the content of all entries in order, cut into blocks, and checks it against the hashes.
func (t *Tree) readBlocks(ctx context.Context, give func(*block) error) error {
	for i := range t.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.entries[i].readBlocks(give); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) readBlocks(give func(*block) error) error {
	if e.Mode.IsDir() {
		return give(newBlock(e, nil))
	}
	f, err := os.Open(e.path)
	if err != nil {
		return err
	}
	defer f.Close()
	hash, crc, size := sha256.New(), crc32.NewIEEE(), int64(0)
	var previous *block
	for {
		b := newBlock(e, previous)
		n, err := io.ReadFull(f, b.source())
		if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("read %s: %w", e.path, err)
		}
		b.truncate(n)
		hash.Write(b.source())
		crc.Write(b.source())
		size += int64(n)
		b.last = n < blockSize
		if b.last && (size != e.Size || [sha256.Size]byte(hash.Sum(nil)) != e.Hash) {
			return fmt.Errorf("%s changed while it was being zipped: build again, then retry", e.path)
		}
		b.crc = crc.Sum32()
		if err := give(b); err != nil || b.last {
			return err
		}
		previous = b
	}
}

// writeBlocks puts the compressed blocks into the archive in the order of the queue.
func writeBlocks(ctx context.Context, zw *zip.Writer, queue <-chan *block, written func(int64)) error {
	var h *zip.FileHeader
	var w io.Writer
	var source int64
	for b := range queue {
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if b.first {
			h = header(b.entry)
			if w, err = zw.CreateRaw(h); err != nil {
				return err
			}
		}
		if b.entry.Mode.IsDir() {
			continue
		}
		if _, err = w.Write(b.out.Bytes()); err != nil {
			return err
		}
		h.CompressedSize64 += uint64(b.out.Len())
		if b.last {
			finish(h, b)
		}
		source += int64(len(b.source()))
		written(source)
	}
	return nil
}

func header(e *Entry) *zip.FileHeader {
	h := &zip.FileHeader{Name: e.Name, Method: zip.Deflate, Flags: flagDescriptor | flagUTF8, ReaderVersion: 20}
	//lint:ignore SA1019 CreateRaw writes this field; it does not look at Modified
	h.ModifiedDate = dosDate
	if e.Mode.IsDir() {
		h.Method, h.Flags = zip.Store, flagUTF8
	}
	h.SetMode(e.Mode)
	h.CreatorVersion |= 20
	return h
}

// finish fills in what archive/zip writes behind the data and into the directory at the end.
func finish(h *zip.FileHeader, last *block) {
	h.CRC32 = last.crc
	h.UncompressedSize64 = uint64(last.entry.Size)
	//lint:ignore SA1019 CreateRaw writes these fields behind the data; it does not derive them
	h.CompressedSize, h.UncompressedSize = size32(h.CompressedSize64), size32(h.UncompressedSize64)
	if max(h.CompressedSize64, h.UncompressedSize64) >= math.MaxUint32 {
		h.ReaderVersion = 45 // the first that knows zip64
	}
}

// size32 is n, or the largest number, which says that the size stands in the zip64 fields.
func size32(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }
