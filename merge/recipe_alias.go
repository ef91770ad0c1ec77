package merge

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

const mergeKey = "<< takes a mapping or a list of mappings into the one that it stands in"

// aliases puts what an alias stands for in its place, and what << names into its
// mapping, as mergekit's YAML reader does. Nodes are shared, not copied, but counted
// once for each place where they stand: text of a kilobyte can name a billion.
type aliases struct {
	anchors map[string]anchored
	count   int // nodes so far
	before  int // lines of the file before the document
	err     error
}

type anchored struct {
	node        ast.Node
	count, deep int
}

// withoutAliases returns the document's root with every alias resolved.
func withoutAliases(root ast.Node, before int) (ast.Node, error) {
	a := &aliases{anchors: map[string]anchored{}, before: before}
	out, _ := a.resolve(root)
	return out, a.err
}

func (a *aliases) refuse(n ast.Node, problem, hint string) {
	if a.err == nil {
		p := recipeParser{before: a.before}
		a.err = p.inputError(n, "", problem, hint)
	}
}

// resolve returns a node without anchors and aliases, and how deep it is.
func (a *aliases) resolve(n ast.Node) (out ast.Node, deep int) {
	if a.err != nil {
		return n, 0
	}
	switch v := n.(type) {
	case *ast.AnchorNode:
		begin, name := a.count, v.Name.GetToken().Value
		out, deep = a.resolve(v.Value)
		if _, twice := a.anchors[name]; twice {
			a.refuse(n, fmt.Sprintf("&%.40s comes twice", name), "choose another name")
		}
		a.anchors[name] = anchored{out, a.count - begin, deep}
		return out, deep
	case *ast.AliasNode:
		name := v.Value.GetToken().Value
		is, known := a.anchors[name]
		if !known {
			a.refuse(n, fmt.Sprintf("*%.40s stands for nothing", name), fmt.Sprintf("&%.40s marks it, before it is used and in the same document", name))
			return n, 0
		}
		a.add(n, is.count)
		return is.node, is.deep
	case *ast.MappingNode:
		v.Values, deep = a.pairs(v.Values)
		out = v
	case *ast.MappingValueNode:
		pairs, d := a.pairs([]*ast.MappingValueNode{v})
		out, deep = ast.Mapping(v.GetToken(), false, pairs...), d
		if len(pairs) == 1 {
			out = pairs[0]
		}
	case *ast.SequenceNode:
		for i, item := range v.Values {
			d := 0
			v.Values[i], d = a.resolve(item)
			deep = max(deep, d)
		}
		out = v
	default:
		out = n
	}
	a.add(n, 1)
	if deep++; deep > maxRecipeDepth {
		a.refuse(n, fmt.Sprintf("nested deeper than %d", maxRecipeDepth), shortText)
	}
	return out, deep
}

// add counts nodes.
func (a *aliases) add(n ast.Node, count int) {
	if a.count += count; a.count > maxRecipeMarks {
		a.refuse(n, fmt.Sprintf("more than %d values, with those that aliases stand for", maxRecipeMarks), shortText)
	}
}

// pairs resolves the entries of a mapping. Those that << brings come after the
// mapping's own, which stand in their way; of several mappings in a list after <<
// the first counts.
func (a *aliases) pairs(in []*ast.MappingValueNode) (out []*ast.MappingValueNode, deep int) {
	var merged []*ast.MappingValueNode
	own := map[string]bool{}
	for _, pair := range in {
		key, _ := a.resolve(pair.Key)
		value, d := a.resolve(pair.Value)
		deep = max(deep, d)
		if _, ok := pair.Key.(*ast.MergeKeyNode); ok {
			merged = a.mergedPairs(value)
			continue
		}
		k, ok := key.(ast.MapKeyNode)
		if !ok {
			a.refuse(pair.Key, "want a string", "keys are words")
			continue
		}
		own[k.GetToken().Value] = true
		pair.Key, pair.Value = k, value
		out = append(out, pair)
	}
	for _, pair := range merged {
		if text := pair.Key.GetToken().Value; !own[text] {
			own[text] = true
			out = append(out, pair)
		}
	}
	return out, deep
}

// mergedPairs returns the entries of what stands after <<: a mapping or a list of
// them.
func (a *aliases) mergedPairs(n ast.Node) []*ast.MappingValueNode {
	switch v := n.(type) {
	case *ast.MappingNode:
		return v.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}
	case *ast.SequenceNode:
		var out []*ast.MappingValueNode
		for _, item := range v.Values {
			if !isMapping(item) {
				a.refuse(item, "want a mapping", mergeKey)
				return nil
			}
			out = append(out, a.mergedPairs(item)...)
		}
		return out
	}
	a.refuse(n, "want a mapping", mergeKey)
	return nil
}
