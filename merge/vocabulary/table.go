package vocabulary

import (
	"cmp"
	"slices"
	"strings"
)

// token is an entry of a vocabulary.
type token struct {
	text string
	id   int32
}

// table is a vocabulary: no text and no id comes twice. It is half the size of a
// map, which counts where a file of a hundred megabytes claims to be one.
type table struct {
	byID   []token
	byText []int32 // indices of byID
}

// newTable takes tokens over. When two of them contradict each other it returns
// them.
func newTable(tokens []token) (t table, twice []token) {
	slices.SortFunc(tokens, func(a, b token) int { return cmp.Compare(a.id, b.id) })
	for i := 1; i < len(tokens); i++ {
		if tokens[i].id == tokens[i-1].id {
			return t, tokens[i-1 : i+1]
		}
	}
	t = table{byID: tokens, byText: make([]int32, len(tokens))}
	for i := range t.byText {
		t.byText[i] = int32(i)
	}
	slices.SortFunc(t.byText, func(a, b int32) int { return strings.Compare(tokens[a].text, tokens[b].text) })
	for i := 1; i < len(tokens); i++ {
		if a, b := tokens[t.byText[i-1]], tokens[t.byText[i]]; a.text == b.text {
			return t, []token{a, b}
		}
	}
	return t, nil
}

// id returns the number of a token.
func (t table) id(text string) (int32, bool) {
	i, ok := slices.BinarySearchFunc(t.byText, text, func(i int32, text string) int {
		return strings.Compare(t.byID[i].text, text)
	})
	if !ok {
		return 0, false
	}
	return t.byID[t.byText[i]].id, true
}

// contiguous returns the first id below the number of tokens that no token has,
// or -1.
func (t table) contiguous() int {
	for i, tok := range t.byID {
		if int(tok.id) != i {
			return i
		}
	}
	return -1
}

// at returns the token of a number.
func (t table) at(id int32) (string, bool) {
	i, ok := slices.BinarySearchFunc(t.byID, id, func(a token, id int32) int { return cmp.Compare(a.id, id) })
	if !ok {
		return "", false
	}
	return t.byID[i].text, true
}
