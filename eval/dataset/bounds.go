package dataset

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"mergesearch"
)

// A parquet file says in many places how much it holds, and its decoder believes it:
// it makes room for what is declared before it reads. So everything declared is held
// against the size of the file first.

const (
	// maxDecoded bounds the memory that the values of one file may take, in bytes.
	maxDecoded = 4 << 30

	// leastDecoded is granted to any file, and expansion bytes more for each of its own:
	// more than compression and repeated values reach in a benchmark.
	leastDecoded = 64 << 20
	expansion    = 1000
)

func decodedLimit(size int64) int64 { return min(maxDecoded, leastDecoded+expansion*size) }

func absurd(format string, args ...any) error {
	return &mergesearch.InputError{Problem: "it declares " + fmt.Sprintf(format, args...), Hint: "the file is damaged, or no data set"}
}

// checkFooter holds the length of the footer against the file.
func checkFooter(file io.ReaderAt, size int64) error {
	const magic = 4
	if size < 3*magic {
		return &mergesearch.InputError{Problem: "not a parquet file: it is too short"}
	}
	tail := make([]byte, 2*magic)
	if _, err := file.ReadAt(tail, size-2*magic); err != nil {
		return &mergesearch.InputError{Problem: "cannot read the data file: " + cause(err), Cause: err}
	}
	if string(tail[magic:]) != "PAR1" {
		return &mergesearch.InputError{Problem: "not a parquet file: it does not end with PAR1"}
	}
	if length := int64(binary.LittleEndian.Uint32(tail)); length > size-3*magic {
		return absurd("a footer of %d bytes in a file of %d", length, size)
	}
	return nil
}

// checkSizes holds what the footer declares against the file, and then the header of
// every page against the footer.
func checkSizes(m *format.FileMetaData, file io.ReaderAt, size int64) error {
	limit := decodedLimit(size)
	rows, decoded, values := int64(0), int64(0), int64(0)
	for _, g := range m.RowGroups {
		if g.NumRows < 0 || g.NumRows > limit {
			return absurd("%d records in a file of %d bytes", g.NumRows, size)
		}
		rows += g.NumRows
		for _, c := range g.Columns {
			d := c.MetaData
			if d.TotalUncompressedSize < 0 || d.TotalUncompressedSize > limit || d.NumValues < 0 || d.NumValues > limit {
				return absurd("a column of %d bytes and %d values in a file of %d bytes", d.TotalUncompressedSize, d.NumValues, size)
			}
			decoded += d.TotalUncompressedSize
			values += d.NumValues
		}
	}
	switch {
	case rows != m.NumRows:
		return absurd("%d records, and its groups %d", m.NumRows, rows)
	case decoded > limit || values > limit/8:
		return absurd("%d bytes and %d values in a file of %d bytes", decoded, values, size)
	}
	for _, g := range m.RowGroups {
		for _, c := range g.Columns {
			if err := checkPages(&c.MetaData, file, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkPages goes through the headers of a column's pages.
func checkPages(d *format.ColumnMetaData, file io.ReaderAt, size int64) error {
	at := d.DataPageOffset
	if d.DictionaryPageOffset > 0 && d.DictionaryPageOffset < at {
		at = d.DictionaryPageOffset
	}
	if at < 0 || d.TotalCompressedSize < 0 || at > size || d.TotalCompressedSize > size-at {
		return absurd("a column outside the file")
	}
	end := at + d.TotalCompressedSize
	values := int64(0)
	for at < end && values < d.NumValues {
		section := &countingReader{r: io.NewSectionReader(file, at, end-at)}
		var protocol thrift.CompactProtocol
		var h format.PageHeader
		if err := thrift.NewDecoder(protocol.NewReader(section)).Decode(&h); err != nil {
			return &mergesearch.InputError{Problem: fmt.Sprintf("the header of the page at byte %d is damaged: %v", at, err)}
		}
		at += section.n
		n := int64(0)
		switch {
		case h.DataPageHeader.Valid:
			n = int64(h.DataPageHeader.V.NumValues)
			values += n
		case h.DataPageHeaderV2.Valid:
			n = int64(h.DataPageHeaderV2.V.NumValues)
			values += n
		case h.DictionaryPageHeader.Valid:
			n = int64(h.DictionaryPageHeader.V.NumValues)
		}
		unpacked, packed := int64(h.UncompressedPageSize), int64(h.CompressedPageSize)
		if unpacked < 0 || unpacked > d.TotalUncompressedSize || packed < 0 || packed > end-at || n < 0 || n > d.NumValues {
			return absurd("a page of %d bytes, %d packed, and %d values, in a column of %d bytes and %d values", unpacked, packed, n, d.TotalUncompressedSize, d.NumValues)
		}
		at += packed
	}
	return nil
}

// countingReader reads a byte at a time, so that it knows how much a header takes.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(c, b[:])
	return b[0], err
}
