package jinja_test

import (
	"reflect"
	"testing"

	"mergesearch/eval/jinja"
)

func TestPlain(t *testing.T) {
	v, err := jinja.Literal(`{'a': (1, [2.5, {'b': None}]), 'c': 'x'}`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": []any{int64(1), []any{2.5, map[string]any{"b": nil}}}, "c": "x"}
	if got, ok := jinja.Plain(v); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v", got, ok)
	}
	if v, err = jinja.Literal(`[{1: 2}]`); err != nil {
		t.Fatal(err)
	}
	if _, ok := jinja.Plain(v); ok {
		t.Error("a key that is a number was taken for a text")
	}
}
