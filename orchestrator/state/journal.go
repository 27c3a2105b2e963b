package state

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// An entry is one write, as the journal keeps it.
type entry struct {
	Number uint64 // of the write, without a gap
	Rows   []entryRow
}

// entryRow is a row that was put, or, without a text, one that was deleted.
type entryRow struct {
	Table string
	Key   []byte
	Text  json.RawMessage `json:",omitempty"`
}

// journal keeps every write since the last copy of the state file, a line each
// with a checksum. Together they are what the state file is made of again when it
// is damaged. It is not synced: the state file is, and both are not lost at once.
type journal struct {
	file *os.File
	size int64
	last uint64 // the number of its last entry, 0 where it is empty
}

// openJournal takes up a journal after its last whole entry.
func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	j := &journal{file: file}
	j.size, err = readEntries(file, func(e *entry) error {
		j.last = e.Number
		return nil
	})
	if err == nil {
		err = file.Truncate(j.size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the journal: %w", err), file.Close())
	}
	return j, nil
}

// append adds a write. What was written in part is taken back.
func (j *journal) append(e *entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line := append(strconv.AppendUint(nil, uint64(crc32.Checksum(text, castagnoli())), 16), ' ')
	line = append(append(line, text...), '\n')
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size, j.last = j.size+int64(len(line)), e.Number
	return nil
}

// clear empties it, after a copy of the state file.
func (j *journal) clear() error {
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	j.size, j.last = 0, 0
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// readEntries gives the entries up to the first that is not whole, and the length
// of what it has given.
func readEntries(from io.Reader, take func(*entry) error) (int64, error) {
	var size int64
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil // A last line without an end was cut.
			}
			return size, err
		}
		e, ok := readEntry(bytes.TrimSuffix(line, []byte("\n")))
		if !ok {
			return size, nil
		}
		if err := take(e); err != nil {
			return size, err
		}
		size += int64(len(line))
	}
}

func readEntry(line []byte) (*entry, bool) {
	given, text, _ := bytes.Cut(line, []byte(" "))
	sum, err := strconv.ParseUint(string(given), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(text, castagnoli()) {
		return nil, false
	}
	e := &entry{}
	return e, json.Unmarshal(text, e) == nil
}

// readJournal gives the entries of a file that may not be there.
func readJournal(path string, take func(*entry) error) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = readEntries(file, take)
	return err
}
