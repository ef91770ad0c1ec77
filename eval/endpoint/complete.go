package endpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mergesearch"
)

// maxHeader bounds the header of a safetensors file; the format's own limit.
const maxHeader = 100 << 20

// wholeCheckpoint refuses a directory with a safetensors file that is shorter or
// longer than its header says: servers have been seen to load the part that is
// there. Only headers are read.
func wholeCheckpoint(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return &mergesearch.InputError{File: dir, Problem: "holds no safetensors file"}
	}
	for _, file := range files {
		if err := wholeFile(file); err != nil {
			return &mergesearch.InputError{File: file, Problem: err.Error(), Cause: err}
		}
	}
	return nil
}

func wholeFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want, err := safetensorsSize(f)
	if err != nil {
		return fmt.Errorf("not a whole safetensors file: %w", err)
	}
	if want != info.Size() {
		return fmt.Errorf("%d bytes, its header says %d", info.Size(), want)
	}
	return nil
}

// safetensorsSize reads a header and returns the size that the file must have.
func safetensorsSize(r io.Reader) (int64, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return 0, fmt.Errorf("a header of %d bytes", n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, err
	}
	var tensors map[string]struct {
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(header, &tensors); err != nil {
		return 0, err
	}
	end := int64(0)
	for _, t := range tensors {
		end = max(end, t.Offsets[1])
	}
	return 8 + int64(n) + end, nil
}
