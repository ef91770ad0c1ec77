package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"regexp"
	"slices"

	"mergesearch"
	"mergesearch/merge/jsonscan"
)

// IndexFile is the name of the file that maps tensors to shards.
const IndexFile = "model.safetensors.index.json"

// MaxIndexBytes is the largest index that is read.
const MaxIndexBytes = 64 << 20

// Index says which shard holds which tensor.
type Index struct {
	Shard     map[string]string // tensor name to file name
	TotalSize uint64            // bytes of all tensors, as the file claims; 0 when it does not
}

// shardName admits base names alone, so an index cannot point elsewhere.
var shardName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}\.safetensors$`)

// ParseIndex reads an index. Errors are *mergesearch.InputError without a file.
func ParseIndex(text []byte) (Index, error) {
	x := Index{Shard: map[string]string{}}
	s := &jsonscan.Scanner{Source: string(text)}
	err := s.Object(s.Once(func(key string) error {
		switch key {
		case "metadata":
			return x.readMetadata(s)
		case "weight_map":
			return x.readMap(s)
		}
		return mergesearch.UnknownWord("key", key, []string{"metadata", "weight_map"})
	}))
	if err == nil {
		err = s.End()
	}
	if err == nil && len(x.Shard) == 0 {
		err = fieldError("weight_map", "missing or empty")
	}
	var in *mergesearch.InputError
	if err != nil && !errors.As(err, &in) {
		err = fieldError("index", "%v", err)
	}
	return x, err
}

// readMetadata takes total_size and skips what else tools write there.
func (x *Index) readMetadata(s *jsonscan.Scanner) error {
	return s.Object(s.Once(func(key string) error {
		value, err := s.Skip()
		if err == nil && key == "total_size" {
			// Some tools write it as a float; it is informative only.
			_ = json.Unmarshal([]byte(value.Of(s.Source)), &x.TotalSize)
		}
		return err
	}))
}

func (x *Index) readMap(s *jsonscan.Scanner) error {
	return s.Object(s.Once(func(tensor string) error {
		if err := checkName(tensor); err != nil {
			return err
		}
		file, err := s.Text()
		if err != nil {
			return err
		}
		if !shardName.MatchString(file) {
			return &mergesearch.InputError{
				Field: "weight_map." + shown(tensor), Problem: "shard name " + string(quoteJSON(shown(file))) + " is refused",
				Hint: "a shard is a file beside the index whose name has letters, digits, '.', '_' or '-' and ends in .safetensors",
			}
		}
		if len(x.Shard) >= MaxTensors {
			return s.Fail("more than %d tensors", MaxTensors)
		}
		x.Shard[tensor] = file
		return nil
	}))
}

// Shards returns the file names, sorted.
func (x Index) Shards() []string {
	var names []string
	seen := map[string]bool{}
	for _, f := range x.Shard {
		if !seen[f] {
			seen[f] = true
			names = append(names, f)
		}
	}
	slices.Sort(names)
	return names
}

// Marshal returns the index as JSON, with tensors sorted by shard and name.
func (x Index) Marshal() []byte {
	type pair struct{ tensor, shard string }
	var pairs []pair
	for t, f := range x.Shard {
		pairs = append(pairs, pair{t, f})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.tensor, b.tensor))
	})
	var b bytes.Buffer
	b.WriteString("{\n  \"metadata\": {\"total_size\": ")
	b.Write(quoteJSON(x.TotalSize))
	b.WriteString("},\n  \"weight_map\": {")
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(quoteJSON(p.tensor))
		b.WriteString(": ")
		b.Write(quoteJSON(p.shard))
	}
	b.WriteString("\n  }\n}\n")
	return b.Bytes()
}
