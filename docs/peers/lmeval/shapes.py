"""Makes documents for a template: which fields it reads, what it takes them for, values for them.

`documents` infers from the syntax tree what each field is (text, list, mapping, whole number)
and draws six documents, from tame to wild. Errors are welcome, as long as most documents render.
"""

import random

from jinja2 import nodes

PLAIN = ["The cat sat on the mat.", "Paris", "What is 2+2?", "A", "B", "C", "blue", "42", "an answer", "yes", "No"]
QUOTES = ["it's", 'say "hi"', "it's \"both\"", "back\\slash", "new\nline", "{{ braces }}", "{% if x %}", "{# no #}",
          "tab\there", "'", '"', "\\'", "a\r\nb", "[1, 'two']", "</s>", "50%", "\\n", "''"]
UNICODE = ["naïve café", "日本語のテスト文", "𝔘𝔫𝔦 😀 ok", "e\u0301a\u0308", "ﬁn ß", "ΣΊΣΥΦΟΣ", "שלום", "\u200bzero", "\u00a0wide\u2003",
           "İstanbul", "\x85next\x1cone", "ÀÉÎ", "ǆ", "\U0001d7d8\u0663", "\ufeffbom", "a\u2028b", "\x07bell\x7f", "￿"]
SPACES = ["", " ", "  lead", "trail  ", "\n\nlines\n", "\t tab \t", "in  side", "A ", " B"]
POOLS = [PLAIN, QUOTES, UNICODE, SPACES, PLAIN + QUOTES + UNICODE + SPACES, PLAIN + QUOTES + UNICODE + SPACES]
SCALARS = [None, True, False, 0, 1, 2, 3, -1, 7, 10**15, 0.5, 1.0, -0.0, 1e16, 1e-5, 3.14159, 1 / 3, 100.0]

TEXT_METHODS = {"strip", "lstrip", "rstrip", "split", "replace", "capitalize", "lower", "upper", "title", "startswith",
                "endswith", "join"}
TEXT_FILTERS = {"trim", "replace", "lower", "upper", "capitalize", "title"}
LIST_FILTERS = {"join", "map", "list", "first", "last", "sort"}


class Shape:
    """What a template takes a value for."""

    def __init__(self):
        self.kinds, self.keys, self.constants, self.separators = set(), {}, [], []
        self.none = self.optional = False
        self._element = None

    @property
    def element(self):
        if self._element is None:
            self._element = Shape()
        return self._element

    def key(self, name):
        self.kinds.add("dict")
        return self.keys.setdefault(name, Shape())


class Reader:
    """Walks a syntax tree; fields are the shapes of its free names."""

    def __init__(self, tree):
        self.fields, self.bound, self.links = {}, {}, []
        self.visit(tree)

    def shape(self, node):
        """The shape of an expression that names a part of the document, or None."""
        if isinstance(node, nodes.Name):
            if node.name in self.bound:
                return self.bound[node.name]
            if node.name in ("range", "loop", "namespace", "dict"):
                return None
            return self.fields.setdefault(node.name, Shape())
        if isinstance(node, nodes.Getattr):
            base = self.shape(node.node)
            return base and base.key(node.attr)
        if isinstance(node, nodes.Getitem):
            base = self.shape(node.node)
            if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
                return base and base.key(node.arg.value)
            if base:
                base.kinds.add("sequence")
            if isinstance(node.arg, nodes.Slice):
                for bound in (node.arg.start, node.arg.stop, node.arg.step):
                    self.whole(bound)
                return base
            if not isinstance(node.arg, nodes.Const):
                self.whole(node.arg)
                if base:
                    self.links.append((node.arg, node.node, "index"))
            return base and base.element
        if isinstance(node, nodes.Filter) and node.node is not None:
            return self.shape(node.node)
        return None

    def whole(self, node):
        shape = node is not None and self.shape(node)
        if shape:
            shape.kinds.add("int")

    def take(self, node, kind):
        shape = self.shape(node)
        if shape:
            shape.kinds.add(kind)
        return shape

    def visit(self, node):
        if isinstance(node, nodes.For):
            over = self.take(node.iter, "list")
            names = [node.target] if isinstance(node.target, nodes.Name) else node.target.items
            before = dict(self.bound)
            for name in names:
                self.bound[name.name] = over.element if over and len(names) == 1 else None
            for child in [node.iter, node.test, *node.body, *node.else_]:
                if child is not None:
                    self.visit(child)
            self.bound = before
            return
        if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
            self.visit(node.node)
            self.bound[node.target.name] = self.shape(node.node)
            return
        if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
            self.shape(node)
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            self.method(node)
            for child in [node.node.node, *node.args]:
                self.visit(child)
            return
        elif isinstance(node, nodes.Filter):
            if node.name in TEXT_FILTERS:
                self.take(node.node, "text")
            elif node.name in LIST_FILTERS:
                self.take(node.node, "list")
            elif node.name == "length":
                self.take(node.node, "sequence")
        elif isinstance(node, (nodes.Add, nodes.Concat)):
            parts = [node.left, node.right] if isinstance(node, nodes.Add) else node.nodes
            number = any(isinstance(p, nodes.Const) and isinstance(p.value, int) for p in parts)
            for part in parts:
                if not isinstance(part, (nodes.Const, nodes.Add)):
                    self.take(part, "int" if number else "text")
        elif isinstance(node, (nodes.Sub, nodes.Neg)):
            for part in node.iter_child_nodes():
                self.whole(part)
        elif isinstance(node, nodes.Compare):
            self.comparison(node)
        elif isinstance(node, nodes.Test):
            shape = self.shape(node.node)
            if shape:
                shape.none |= node.name == "none"
                shape.optional |= node.name in ("defined", "undefined")
        for child in node.iter_child_nodes():
            self.visit(child)

    def method(self, node):
        name, subject = node.node.attr, node.node.node
        if name == "index":
            self.take(subject, "sequence")
            if node.args:
                self.links.append((node.args[0], subject, "value"))
        elif name in TEXT_METHODS:
            shape = self.take(subject, "text")
            if shape:
                shape.separators += [a.value for a in node.args if isinstance(a, nodes.Const) and isinstance(a.value, str)]
            if name == "join" and node.args:
                self.take(node.args[0], "list")

    def comparison(self, node):
        for left, right in ((node.expr, o.expr) for o in node.ops):
            for x, y in ((left, right), (right, left)):
                shape = self.shape(x)
                if shape and isinstance(y, nodes.Const):
                    shape.constants.append(y.value)
                elif shape and isinstance(y, (nodes.List, nodes.Tuple)):
                    shape.constants += [i.value for i in y.items if isinstance(i, nodes.Const)]
                if isinstance(x, nodes.Filter) and x.name == "length" and (shape := self.shape(x.node)):
                    shape.kinds.add("sequence")


def text(rng, shape, pool):
    if shape.separators and rng.random() < 0.7:
        separator = rng.choice(shape.separators)
        return separator.join(rng.choice(pool) for _ in range(rng.randint(1, 4)))
    return rng.choice(pool)


def anything(rng, pool, depth=0):
    """Any value at all."""
    draw = rng.random()
    if draw < 0.5 or depth > 1:
        return rng.choice(pool)
    if draw < 0.7:
        return rng.choice(SCALARS)
    if draw < 0.88:
        return [anything(rng, pool, depth + 1) for _ in range(rng.choice([0, 1, 3, 4]))]
    return {k: anything(rng, pool, depth + 1) for k in rng.sample(["text", "label", "a'b", "ключ", "items"], rng.randint(0, 3))}


def value(rng, shape, wild):
    """A value of the shape; wild is the number of the document, the last of which ignores shapes."""
    pool = POOLS[wild]
    if wild == 5 and rng.random() < 0.3:
        return anything(rng, pool)
    if shape.none and rng.random() < 0.4:
        return None
    if shape.constants and rng.random() < 0.6:
        return rng.choice(shape.constants)
    kinds = set(shape.kinds)
    if "sequence" in kinds and not kinds & {"text", "list"}:
        kinds.add("text" if rng.random() < 0.3 else "list")
    if "dict" in kinds and shape.keys:
        names = list(shape.keys)
        rng.shuffle(names)
        made = {n: value(rng, shape.keys[n], wild) for n in names}
        return made | ({"more": rng.choice(pool)} if wild >= 3 else {})
    if "list" in kinds and not ("text" in kinds and rng.random() < 0.5):
        return [value(rng, shape.element, wild) for _ in range(rng.choice([4, 5, 6] if wild < 3 else [0, 1, 3, 4, 5]))]
    if "text" in kinds:
        return text(rng, shape, pool)
    if "int" in kinds:
        return rng.choice([0, 1, 2, 3] if wild < 4 else [0, 1, 2, -1, 9, True])
    if wild == 4:
        return anything(rng, pool)
    if wild < 3 or rng.random() < 0.7:
        return rng.choice(pool)
    return rng.choice(SCALARS)


def place(document, node):
    """Where a Name or a chain of attributes of it lies in the document: (container, key), or None."""
    if isinstance(node, nodes.Name):
        return (document, node.name) if node.name in document else None
    if isinstance(node, nodes.Getattr):
        key = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        key = node.arg.value
    else:
        return None
    base = place(document, node.node)
    inner = base and base[0][base[1]]
    return (inner, key) if isinstance(inner, dict) and key in inner else None


def link(rng, document, links):
    """Make most indices fall into their lists and most searched values stand in them."""
    for which, where, how in links:
        target, source = place(document, which), place(document, where)
        if isinstance(where, nodes.List):
            found = [i.value for i in where.items if isinstance(i, nodes.Const)]
        elif isinstance(where, nodes.Const):
            found = where.value
        else:
            found = source and source[0][source[1]]
        if not target or not isinstance(found, (list, str)) or not found or rng.random() < 0.1:
            continue
        target[0][target[1]] = rng.randrange(len(found)) if how == "index" else rng.choice(found)


def documents(template, tree):
    """Six documents for a template, the same ones in every run."""
    reader = Reader(tree)
    out = []
    for wild in range(6):
        rng = random.Random(f"{wild} {template}")
        document = {name: value(rng, shape, wild) for name, shape in sorted(reader.fields.items())
                    if not (shape.optional and rng.random() < 0.5) and not (wild == 5 and rng.random() < 0.05)}
        link(rng, document, reader.links)
        out.append(document)
    return out
