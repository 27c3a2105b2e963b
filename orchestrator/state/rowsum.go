package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"
)

// rowMark begins a row with a checksum; JSON, which older states hold bare, never
// begins with it.
const rowMark = 1

// rowHead is the length of the mark and the checksum.
const rowHead = 1 + 4

// errDamaged is what every sign of a damaged state file is.
var errDamaged = errors.New("the state file is damaged")

// sumRow binds a text to its place, so that a row that has moved is noticed, too.
func sumRow(table string, key, text []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli(), place(table, key)), castagnoli(), text)
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// withSum is a row as it stands on disk.
func withSum(table string, key, text []byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte{rowMark}, sumRow(table, key, text))
	return append(head, text...)
}

// withoutSum is the text of a row, and its checksum. One that does not fit is an
// [errDamaged].
func withoutSum(table string, key, value []byte) ([]byte, uint32, error) {
	if len(value) == 0 || value[0] != rowMark {
		return value, sumRow(table, key, value), nil
	}
	if len(value) < rowHead {
		return nil, 0, fmt.Errorf("%w: a row of %s is cut short", errDamaged, table)
	}
	text, sum := value[rowHead:], binary.BigEndian.Uint32(value[1:])
	if sumRow(table, key, text) != sum {
		return nil, 0, fmt.Errorf("%w: a row of %s does not fit its checksum", errDamaged, table)
	}
	return text, sum, nil
}

// tally is what the rows of all tables have to add up to: a row that is gone, or
// there again, is noticed by it.
type tally struct {
	writes uint64 // how many there have been
	rows   uint64
	sum    uint32 // the checksums of the rows, exclusive-or
}

// tallyBucket is no table.
const tallyBucket = "tally"

func (t tally) bytes() []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, t.writes), t.rows), t.sum)
}

// storedTally is the one that was kept; an older state has none.
func storedTally(tx *bolt.Tx) (t tally, ok bool, err error) {
	bucket := tx.Bucket([]byte(tallyBucket))
	if bucket == nil {
		return tally{}, false, nil
	}
	value := bucket.Get([]byte(tallyBucket))
	if len(value) != len(t.bytes()) {
		return tally{}, false, fmt.Errorf("%w: it does not say what it holds", errDamaged)
	}
	return tally{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:]), binary.BigEndian.Uint32(value[16:])}, true, nil
}

func putTally(tx *bolt.Tx, t tally) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(tallyBucket))
	if err != nil {
		return err
	}
	return bucket.Put([]byte(tallyBucket), t.bytes())
}

// countedTally reads every row.
func countedTally(tx *bolt.Tx) (t tally, err error) {
	err = tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
		if string(name) == tallyBucket {
			return nil
		}
		return bucket.ForEach(func(key, value []byte) error {
			_, sum, err := withoutSum(string(name), key, value)
			t.rows, t.sum = t.rows+1, t.sum^sum
			return err
		})
	})
	return t, err
}
