package state

import (
	"encoding/json"
	"errors"
	"fmt"
)

// isSecret tells whether the rows of a table are encrypted on disk.
func isSecret(table string) bool {
	switch table {
	case tableVariables, tableTokens, tableKeys:
		return true
	}
	return false
}

// sealedRow is a row on disk that only the key opens.
type sealedRow struct{ Sealed []byte }

var errNoKey = errors.New("it is encrypted, and there is no key")

// sealRow binds a row to its place, so that it cannot be passed off as another.
func (d *disk) sealRow(table string, row any, text []byte) ([]byte, error) {
	if d.seal == nil || !isSecret(table) {
		return text, nil
	}
	return json.Marshal(sealedRow{d.seal.Seal(nil, nil, text, place(table, d.key(table, row)))})
}

// openRow gives the text of a row that may be sealed.
func (d *disk) openRow(table string, key, value []byte) ([]byte, error) {
	if !isSecret(table) {
		return value, nil
	}
	row := sealedRow{}
	switch err := json.Unmarshal(value, &row); {
	case err != nil:
		return nil, err
	case row.Sealed == nil:
		return value, nil
	case d.seal == nil:
		return nil, errNoKey
	}
	text, err := d.seal.Open(nil, nil, row.Sealed, place(table, key))
	if err != nil {
		return nil, fmt.Errorf("the key does not fit: %w", err)
	}
	return text, nil
}

func place(table string, key []byte) []byte { return append([]byte(table+"\x00"), key...) }
