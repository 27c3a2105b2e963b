package orchestrator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sealKeySize makes it AES-256.
const sealKeySize = 32

// loadSeal gives what encrypts secrets in the state. Its key is made once and
// kept in dir, beside the state; who loses it loses the variables.
func loadSeal(dir string) (cipher.AEAD, error) {
	path := filepath.Join(dir, "variables.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeSealKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of the variables: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(key) != sealKeySize {
		return nil, fmt.Errorf("the key in %s is damaged: bring back the file of a backup, or remove the whole folder", path)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the key of the variables: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func makeSealKey(path string) ([]byte, error) {
	key := make([]byte, sealKeySize)
	rand.Read(key)
	text := []byte(base64.StdEncoding.EncodeToString(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return text, keepSecret(path, text)
}
