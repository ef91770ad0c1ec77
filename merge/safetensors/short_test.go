package safetensors

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch/merge/jsonscan"
)

var shortTexts = map[string]bool{ // whether the short way takes it
	`{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}`:                  true,
	` { "data_offsets" : [ 8 , 20 ], "shape": [6], "dtype" : "BF16" } rest`: true,
	`{"dtype":"F32","shape":[],"data_offsets":[0,4]}`:                       true,
	"{\n\t\"dtype\": \"U8\",\r\n\"shape\": [ ], \"data_offsets\": [1,\n2]}": true,
	`{"dtype":"U8","shape":[1,1,1,1,1,1,1,1],"data_offsets":[0,1]}`:         true,
	`{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}`:       false,
	`{"d\u0074ype":"U8","shape":[1],"data_offsets":[0,1]}`:                  false,
	`{"dtype":"U\u0038","shape":[1],"data_offsets":[0,1]}`:                  false,
	`{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}`:          false,
	`{"dtype":"U8","shape":[1],"data_offsets":[0,1],"other":1}`:             false,
	`{"dtype":"U8","shape":[1],"data_offsets":[0,1],}`:                      false,
	`{"dtype":"U8","shape":[01],"data_offsets":[0,1]}`:                      false,
	`{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}`:                     false,
	`{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}`:                      false,
	`{"dtype":"U8","shape":[,1],"data_offsets":[0,1]}`:                      false,
	`{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}`:                      false,
	`{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}`:                     false,
	`{"dtype":"U8","shape":[1],"data_offsets":[1]}`:                         false,
	`{"dtype":"U8","shape":[4294967296],"data_offsets":[0,4294967296]}`:     true,
	`{"dtype":"U8","shape":[0,9999999999999],"data_offsets":[0,0]}`:         false,
	`{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775807,0]}`:     false,
	"{\"dtype\":\"U8\",\"shape\":[\x001],\"data_offsets\":[0,1]}":           false,
	"{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]":                false,
	"{\"dtype\":\"U8\",\x00\"shape\":[1],\"data_offsets\":[0,1]}":           false,
	`{"dtype":"U8","shape":[2],"data_offsets":[0,1]}`:                       false,
	`{"dtype":"U9","shape":[1],"data_offsets":[0,1]}`:                       false,
	`{}`:      false,
	`{"dtype`: false,
	`{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`: true,
	`{"shape":[1], "shape":[1],"data_offsets":[0,1]}`:  false,
	`["dtype"]`: false,
	`{"dtype":"BOOL","data_offsets":[0,5],"shape":[5]}`: true,
}

// mustAgree reads a text both ways: what the short one accepts, the other accepts too,
// with the same result. It reports whether the short one accepted it.
func mustAgree(t *testing.T, name, text string) bool {
	t.Helper()
	s := &jsonscan.Scanner{Source: text}
	var r shortReader
	got, ok := r.read(s, name)
	if !ok {
		if s.At != 0 {
			t.Errorf("%q: not taken, but read up to byte %d", text, s.At)
		}
		return false
	}
	long := &jsonscan.Scanner{Source: text}
	want, err := readInfo(long, name)
	if err != nil {
		t.Fatalf("%q: taken, but refused with %v", text, err)
	}
	if d := cmp.Diff(want, got); d != "" || s.At != long.At {
		t.Errorf("%q: up to byte %d instead of %d\n%s", text, s.At, long.At, d)
	}
	return true
}

func TestShortReaderAgrees(t *testing.T) {
	for text, want := range shortTexts {
		if got := mustAgree(t, "w", text); got != want {
			t.Errorf("%q: taken %v, want %v", text, got, want)
		}
	}
	for _, name := range []string{"", "é", "\x7f"} {
		if mustAgree(t, name, `{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}`) {
			t.Errorf("the name %q is taken", name)
		}
	}
}

func FuzzShortReader(f *testing.F) {
	for text := range shortTexts {
		f.Add("w", text)
	}
	f.Fuzz(func(t *testing.T, name, text string) { mustAgree(t, name, text) })
}
