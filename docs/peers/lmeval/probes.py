"""Templates made up from the grammar, for what the harness's own do not show.

`templates` yields hand-written ones and random ones, all for DOCUMENT; `literals` yields texts for
ast.literal_eval. `unrepeatable` tells results that hold addresses.
"""

import random
import re
import sys
import unicodedata

DOCUMENT = {
    "s": "What is 2+2?", "t": " \t pad it's \"x\" \n", "e": "", "u": "naïve ΣΊΣΥΦΟΣ ﬁß 日本 😀e\u0301", "w": "a,b,,c", "c": "hello World-foo (bar) ǆ",
    "lines": "one\r\ntwo\x0bthree\n\nfour\u2028five", "n": 7, "m": -3, "z": 0, "i": 9007199254740993, "x": 2.5, "y": -0.125, "h": 1e16,
    "b": True, "f": False, "o": None, "digits": " 42 ", "half": "12.75", "arabic": "٤٢", "bad": "12a", "exp": "1e3", "under": "1_000", "inf": "inf",
    "l": ["b", "A", "c", "a", "B"], "k": [3, 1, 2.5, True], "q": [[1, "x"], [2, "y"]], "v": [], "mix": [1, "1", None, 1.5, "it's", ["n'\""], {"k": True}],
    "d": {"text": ["three", "four"], "label": ["A", "B"], "n": 1, "a b": "space", "items": 5}, "g": {},
    "dd": [{"name": "Bo", "age": 3, "at": {"x": 1}}, {"name": "al", "age": 2, "at": {"x": 2}}, {"name": "Al", "age": 3, "at": {}}],
}

ASSIGNED = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) not in ("Cn", "Cs", "Co")]
DOCUMENT["casing"] = [c for c in ASSIGNED if len(c.upper()) > 1 or len(c.lower()) > 1 or c.title() != c.upper()]
DOCUMENT["letters"] = random.Random("letters").sample(ASSIGNED, 600)
DOCUMENT["digitals"] = [c for c in ASSIGNED if c.isdigit()]

TEXTS = ["s", "t", "e", "u", "w", "c", "lines", "digits", "half", "arabic", "bad", "exp", "under", "inf", "'A'", "'it\\'s'", '"q\\"q"', "'\\u00e9\\x41\\101\\d'", "'ab' 'cd'", "d['a b']", "dd[0].name", "l[1]"]
NUMBERS = ["n", "m", "z", "i", "x", "y", "h", "b", "f", "0", "1", "2", "3", "-1", "10", "2.0", "0.1", "1e-7", "1_000", "0x1F", "d.n", "dd[1].age", "k[0]"]
LISTS = ["l", "k", "q", "v", "mix", "d.text", "d['label']", "dd", "[1, 2, 3]", "['a', s]", "(1, 'b')", "('x',)", "()", "[]", "range(4)", "range(5, 0, -2)", "range(0)", "[[1], [1, 2]]", "[n, x, b]"]
DICTS = ["d", "g", "{'a': 1, 'b': [2]}", "{1: 'x', 2.0: 'y', True: 'z'}", "{}", "dd[0]", "dict(a=1, b=s)"]
OTHERS = ["o", "none", "missing", "d.missing", "l[9]", "True", "d.text[-3]", "s[99]", "n.foo", "x if f", "u[4]"]

TEXT_METHODS = [
    "strip()", "lstrip()", "rstrip()", "strip('?W ')", "lstrip('Wa')", "rstrip(none)", "lower()", "upper()", "capitalize()", "title()", "split()",
    "split(',')", "split(' ')", "split(none, 1)", "split(maxsplit=1)", "split('a', 1)", "rsplit(none, 1)", "rsplit(',', 1)", "rsplit(',', 2)", "rsplit()", "split('')", "splitlines()",
    "splitlines(true)", "replace('a', 'bb')", "replace('', '-')", "replace('', '-', 2)", "replace('a', '', 1)", "index('a')", "index('a', 2)", "find('a')", "find('i', -3)",
    "find('', 99)", "rfind('a', 0, -1)", "rindex('a')", "count('a')", "count('')", "startswith('W')", "startswith(('a', 'W'))", "endswith('?')", "endswith('', 3)",
    "startswith('a', 1)", "isdigit()", "isalpha()", "isalnum()", "isspace()", "islower()", "isupper()", "isdecimal()", "zfill(5)", "zfill(30)", "partition('a')", "rpartition(' ')",
    "removeprefix('Wh')", "removesuffix('?')", "join(l)", "join(k)", "join('xyz')", "join(d)", "split(1)", "strip(1)", "foo",
]
LIST_METHODS = ["index('A')", "index(1)", "index(2.5)", "count(1)", "count('b')", "index('a', 1)", "index(1, 1, -1)", "index(none)"]
DICT_METHODS = ["get('a')", "get('text')", "get('zz', 'default')", "get('zz')", "keys()", "values()", "items()", "text", "n", "a", "items", "get([])", "get(1)"]
FILTERS = [
    "length", "count", "string", "int", "float", "int(5)", "int(default='x')", "float('z')", "list", "join", "join(', ')", "join(1)", "join(d='/')", "join('-', attribute='name')", "join(attribute=0)", "trim",
    "trim('?W')", "lower", "upper", "capitalize", "title", "replace('a', 'b')", "replace('a', 'b', 1)", "replace(1, 2)", "replace('', '.')", "first", "last", "sort", "sort(reverse=true)", "sort(true)",
    "sort(case_sensitive=true)", "sort(attribute='name')", "sort(attribute='age')", "unique|list", "unique(true)|list", "unique(attribute='age')|list", "reverse", "reverse|list", "round", "round(1)",
    "round(2)", "round(1, 'floor')", "round(0, 'ceil')", "round(method='floor')", "round|int", "abs", "default('D')", "default('D', true)", "d('D', boolean=true)", "default", "default(missing)", "min", "max",
    "min(attribute='age')", "map('upper')|list", "map('string')|join('+')", "map(attribute='name')|join(',')", "map(attribute='at.x')|list", "map(attribute='at.x', default=0)|list", "map('int')|list", "map('default', 'z')|list",
    "map('replace', 'a', 'b')|list", "select|list", "reject|list", "select('string')|list", "select('>', 1)|list", "reject('none')|list", "selectattr('age', '==', 3)|map(attribute='name')|list",
    "selectattr('at')|list|length", "rejectattr('age', 'odd')|list|length", "items|list", "first|upper", "list|length", "list|first", "list|last", "string|length", "join|length", "reverse|join", "regex_replace('[aeiou]', '*')",
    "regex_replace('(\\\\w+) (\\\\w+)', '\\\\2 \\\\1')", "regex_replace('\\\\s+', ' ')", "regex_replace('^.', 'X', 1)", "regex_replace('a|b', '')", "regex_replace('x*', '-')", "regex_replace('\\\\b', '|')",
]
TESTS = [
    "defined", "undefined", "none", "not none", "not defined", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "sequence", "iterable", "odd", "even", "divisibleby 3",
    "divisibleby(2)", "lower", "upper", "in l", "in [1, none]", "in 'What is'", "eq 1", "== 'A'", "ne(2)", "lt 3", "gt(1)", "ge 1", "le 2.5", "sameas none", "sameas(true)", "not in v", "equalto(7)",
]
OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
SLICES = ["[0]", "[-1]", "[1:]", "[:2]", "[1:3]", "[::2]", "[::-1]", "[-2:]", "[:-1]", "[5:1]", "[4:1:-1]", "[-99:99]", "[::-3]", "[b]", "[n]", "[none:2]", "[1.0]", "['text']", "[:]", "[0:0]", "[x:]", "[::0]", "[99]", "[1:2][0]"]

WRITTEN = [
    *["{% for x in " + many + " %}{{ x." + method + "() }},{% endfor %}" for many in ("casing", "letters", "digitals")
      for method in ("upper", "lower", "title", "capitalize", "isalpha", "isalnum", "isdigit", "isdecimal", "isspace", "isupper", "islower", "strip")],
    "{{ casing|join|title }}", "{{ casing|join|lower }}", "{{ letters|join(' a')|upper }}", "{{ letters|join('Σ')|lower }}", "{{ (letters|join('A')).title() }}", "{{ letters }}",
    "{{ digitals|map('int')|list }}", "{{ digitals|map('float')|list }}", "{{ letters|join.split() }}", "{{ (letters|join).split() }}", "{{ (letters|join).splitlines() }}",
    "{% for x in l %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in l %}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{% endfor %}",
    "{% for x in v %}{{ x }}{% else %}empty {{ s }}{% endfor %}",
    "{% for x in k if x > 1 %}{{ x }}@{{ loop.index }}of{{ loop.length }} {% else %}none{% endfor %}",
    "{% for a, b in q %}{{ b }}={{ a }};{% endfor %}", "{% for (a, b) in q %}{{ b }}={{ a }};{% endfor %}", "{% for a, b, c in q %}{{ a }}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}{% endfor %}", "{% for key in d %}{{ key }}:{{ d[key] }} {% endfor %}", "{% for key, value in d|items %}{{ key }}={{ value }} {% endfor %}",
    "{% for key, value in g.items() %}{{ key }}{% else %}no{% endfor %}", "{% for x in s %}<{{ x }}>{% endfor %}", "{% for x in u %}<{{ x }}>{% endfor %}",
    "{% for x in n %}{{ x }}{% endfor %}", "{% for x in missing %}{{ x }}{% endfor %}", "{% for x in o %}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% for a in l[:2] %}{% for b in k %}{{ a }}{{ b }}{{ loop.index }} {% endfor %}{{ loop.index }}|{% endfor %}",
    "{% for x in l %}{{ loop.previtem|default('-') }}{{ x }}{{ loop.nextitem|default('-') }} {% endfor %}", "{% for x in l %}{{ loop.cycle('odd', 'even') }}{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}{% endfor %}", "{{ loop.index }}", "{% for x in l %}{% endfor %}{{ x }}", "{% for n in l %}{{ n }}{% endfor %}{{ n }}",
    "{% for i in range(d.text|length) %}{{ 'ABCD'[i] }}. {{ d.text[i] }}\n{% endfor %}", "{% for x in l -%}\n  {{ x }}\n{%- endfor %}", "a  {%- if true -%}  b  {%- endif -%}  c",
    "{% for x in l %}\n{{ x }}\n{% endfor %}\n", "{% if f %}x{% elif z %}y{% elif n %}seven{% else %}no{% endif %}", "{% if missing %}x{% endif %}", "{% if missing is defined %}x{% else %}y{% endif %}",
    "{% if f %}{{ missing }}{% endif %}ok", "{% if s and n %}both{% endif %}", "{% if not v and not g and not e %}empty{% endif %}", "{% if 1, 2 %}t{% endif %}", "{%if n==7%}tight{%endif%}",
    "{% set a = 1 %}{{ a }}", "{% set a, b = 1, 'x' %}{{ a }}{{ b }}", "{% set a = l %}{{ a[0] }}", "{% set n = 1 %}{{ n }}", "{% set a = 1 %}{% for x in l %}{% set a = x %}{{ a }}{% endfor %}{{ a }}",
    "{% set a %}<{{ s }}>{% endset %}{{ a }}{{ a|length }}", "{% set a %}{% set b = 1 %}{% endset %}{{ b }}", "{% if b %}{% set a = 5 %}{% endif %}{{ a }}", "{% if f %}{% set n = 5 %}{% endif %}{{ n }}",
    "{% set ns = namespace(n=0, s='') %}{% for x in l %}{% set ns.n = ns.n + 1 %}{% set ns.s = ns.s ~ x %}{% endfor %}{{ ns.n }}{{ ns.s }}", "{% set ns = namespace() %}{{ ns.x }}", "{% set ns = namespace({'a': 1}) %}{{ ns.a }}",
    "{% set d.x = 1 %}", "{% set a = missing %}{{ a is defined }}", "{% for x in l %}{{ y2 }}{% set y2 = x %}{% endfor %}", "{# comment #}x{#- c -#}  y {#+ z #}", "a {# c -#} b", "a {#- c #} b",
    "{% raw %}{{ x }} {% if %}{% endraw %}", "a {%- raw -%}  {{ x }}  {%- endraw -%}  b", "{% raw -%} x {% endraw %}", "{{- s -}}", "  {{- s }}  {{ s -}}  x", "{{-3}}", "{{ -3 }}", "{{+3}}", "x {{+ 3 }}", "{%+ if true %}x{% endif +%} y",
    "{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}}}", "{{ 'a}}b' }}", "{{ '{{' }}", "{{ \"%}\" }}", "{{ [1, 2,] }}", "{{ (1,) }}", "{{ 1, 2 }}", "{{ (1) }}", "{{ () }}", "{{ [[]] }}", "{{ {} }}", "{{ [missing] }}", "{{ [missing]|length }}",
    "{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 3 > 2 == 2 }}", "{{ 1 if b else 2 if f else 3 }}", "{{ 'a' if f else 'b' if f else 'c' }}", "{{ ('a' if f) is defined }}", "{{ 'a' if b }}", "{{ not not n }}", "{{ not n == 7 }}", "{{ -x|abs }}", "{{ (-x)|abs }}",
    "{{ -n ~ 'a' }}", "{{ 2 + 3 * 4 - 5 // 2 % 3 }}", "{{ 'a' ~ 1 + 2 ~ 'b' }}", "{{ 1 ~ 2 * 3 }}", "{{ 2 - 1 - 1 }}", "{{ n|string + s }}", "{{ s|upper|lower ~ '!' }}", "{{ n is odd and s is string or missing }}",
    "{{ s.upper().lower().strip('?') }}", "{{ d.text.index('four') }}", "{{ d.label.index('Z') }}", "{{ d.items }}", "{{ d['items'] }}", "{{ d.items() }}", "{{ s['upper']() }}", "{{ d.text.0 }}", "{{ q[1][0] }}", "{{ q.1.1 }}",
    "{{ 'é'|length }}{{ 'e\u0301'|length }}{{ '😀'|length }}", "{{ '\\\n' }}", "{{ 'a\nb' }}", "a\r\nb\rc", "{{ '\r\n' }}", "{{ \"\\é\" }}", "{{ '\\t\\v\\0\\7\\x7f' }}", "{{ ['\\t\\v\\0\\7\\x7f\\u200b\\U0001F600'] }}",
    "{{ 10 / 4 }}{{ 10 // 4 }}{{ 10 % 4 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 7 % -3 }}{{ 7 / 7 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ 1.5 // 0 }}", "{{ 0 / -5 }}", "{{ 5.5 // -2 }}{{ 5.5 % -2 }}{{ -5.5 % 2 }}", "{{ i + 0.0 }}{{ i / 3 }}{{ i == i + 0.0 }}",
    "{{ 'ab' * 3 }}{{ 3 * 'ab' }}{{ 'ab' * -1 }}{{ [1] * 2 }}{{ 'a' * b }}", "{{ 'a' + 1 }}", "{{ 1 + 'a' }}", "{{ l + v }}", "{{ l + (1,) }}", "{{ o + 1 }}", "{{ true + true }}", "{{ [1, 2] < [1, 3] }}{{ [1] < [1, 0] }}{{ (1, 2) == (1, 2) }}",
    "{{ [1] == (1,) }}", "{{ 1 == 1.0 }}{{ 1 == true }}{{ '1' == 1 }}{{ none == false }}{{ 0.1 + 0.2 == 0.3 }}", "{{ 'a' < 1 }}", "{{ none < 1 }}", "{{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1.0} }}", "{{ 1 in 'abc' }}", "{{ [] in [[]] }}",
    "{{ 1 in {1.0: 2} }}{{ 'k' in {'k': 1} }}{{ [1] in {1: 1} }}", "{{ {[1]: 2} }}", "{{ {(1, 'a'): 2}[(1, 'a')] }}", "{{ {1: 'a'}[1.0] }}{{ {1: 'a'}[true] }}", "{{ range(3) }}{{ range(1, 9, 2) }}{{ range(3)|list }}{{ range(5)[-1] }}{{ 2 in range(3) }}",
    "{{ range(0) is sequence }}", "{{ range('a') }}", "{{ range(1, 5, 0) }}", "{{ d.keys() }}{{ d.values() }}", "{{ d.keys()|list }}{{ d|list }}{{ d|length }}{{ d|first }}{{ d|last }}", "{{ d.keys()[0] }}", "{{ (l|map('upper'))|list }}", "{{ l|map('upper')|first }}",
    "{% set g2 = l|map('lower') %}{{ g2|list }}{{ g2|list }}", "{{ l|join(missing) }}", "{{ missing|default(missing)|default('x') }}", "{{ missing.foo }}", "{{ d.missing.foo }}", "{{ missing is none }}{{ missing is string }}", "{{ missing == 1 }}", "{{ missing ~ '' }}",
    "{{ missing in [] }}", "{{ 1 in missing }}", "{{ missing and 1 }}", "{{ 0 and missing }}{{ 1 or missing }}", "{{ not missing }}", "{{ l[missing] is defined }}", "{{ d[missing] is defined }}", "{{ missing|list }}", "{{ missing|items|list }}", "{{ missing|length }}",
    "{{ True }}{{ true }}{{ none }}{{ None }}{{ False }}", "{{ 1e400 }}{{ -1e400 }}", "{{ 1e22 }}{{ 1e15 }}{{ 123456789012345680.0 }}{{ 0.0001 }}{{ 0.00001 }}{{ 1.0e-10 }}", "{{ 0b101 + 0o17 + 0xfF }}", "{{ 1__0 }}", "{{ 012 }}", "{{ 1.e5 }}", "{{ .5 }}", "{{ 5. }}",
    "{{ s[1:3] }}{{ u[-3:] }}{{ l[1:][0] }}{{ 'abc'[::-1] }}", "{{ d[1:] }}", "{{ n[0] }}", "{{ n[1:] }}", "{{ s.foo }}", "{{ s.foo() }}", "{{ 'a'.b.c }}", "{{ (1).real }}", "{{ d.get('text')[0] }}", "{{ d.get('x').y }}", "{{ x is divisibleby 0 }}", "{{ 3 is in k }}",
    "{{ 'a' is not in ['b'] }}", "{{ 5 is sameas 5 }}", "{{ n is number is string }}", "{{ n is foo }}", "{{ n|foo }}", "{{ foo(1) }}", "{{ n(1) }}", "{{ l.append(1) }}", "{{ }}", "{{ 1 2 }}", "{{ a. }}", "{{ [1 }}", "{{ (1] }}", "{{ } }}", "{% if %}{% endif %}",
    "{% if a %}", "{% endif %}", "{% for x y %}{% endfor %}", "{% for 1 in l %}{% endfor %}", "{% set 1 = 2 %}", "{% foo %}", "{% if true: %}colon{% endif %}", "{% for x in l: %}{{ x }}{% endfor %}", "{{ 'open }}", "{# open", "{% raw %}", "{{ s", "{{ s %}", "{{ s } }", "}}", "%}", "#}", "{ {",
    "{% if if is defined %}x{% endif %}", "{% for x, in l %}{% endfor %}", "{% set x, = l %}", "{% for (x,) in l %}{{ x }}{% endfor %}", "{{ in }}", "{{ 1 if b else 2 if  else// 3 }}", "a{#", "a{% raw %}", "a{% raw %}b",
    "{{ l|sort|join }}{{ l|sort(case_sensitive=true)|join }}{{ k|sort }}{{ mix|sort }}", "{{ dd|map(attribute='name')|sort|join(',') }}", "{{ dd|sort(attribute='at.x')|length }}", "{{ 'a-b c(d'|title }}{{ \"it's o'neil\".title() }}{{ \"ǆa ﬁx\".title() }}", "{{ 'ΑΣ ΑΣΑ Σ'|lower }}{{ 'ΑΣ'.capitalize() }}",
    "{{ 'İI'|lower|length }}{{ 'ßﬁŉ'|upper }}{{ 'ßx'.capitalize() }}{{ 'ﬁx'|capitalize }}", "{{ 2.5|round }}{{ 3.5|round }}{{ 0.5|round }}{{ -0.4|round }}{{ 2.675|round(2) }}{{ 1e300|round(3) }}{{ 7|round }}{{ 7|round(method='ceil') }}", "{{ '  12 '|int }}{{ '1_0'|int }}{{ '1__0'|int }}{{ '+5'|int }}{{ '- 5'|int }}{{ '٣'|int }}{{ '0x10'|int }}{{ '12.9'|int }}{{ 'nan'|int }}{{ 'inf'|int }}{{ none|int }}{{ [1]|int }}",
    "{{ '1e3'|float }}{{ ' 1.5 '|float }}{{ 'nan'|float }}{{ '-inf'|float }}{{ 'Infinity'|float }}{{ '0x1p3'|float }}{{ '1_0.5'|float }}{{ '.5'|float }}{{ '5.'|float }}{{ 'x'|float }}{{ '+nan'|float }}{{ true|float }}{{ '1e'|float }}{{ '1_e5'|float }}",
]


def templates():
    """Yield templates, some of them twice."""
    for t in WRITTEN:
        yield t
    for values, rests in ((TEXTS, TEXT_METHODS), (LISTS, LIST_METHODS), (DICTS, DICT_METHODS)):
        for v in values:
            for rest in rests:
                yield f"{{{{ ({v}).{rest} }}}}"
    every = TEXTS + NUMBERS + LISTS + DICTS + OTHERS
    for v in every:
        for f in FILTERS:
            yield f"{{{{ ({v})|{f} }}}}"
        for t in TESTS:
            yield f"{{{{ ({v}) is {t} }}}}"
        for s in SLICES:
            yield f"{{{{ ({v}){s} }}}}"
        yield f"<{{{{ {v} }}}}>"
        yield f"{{{{ [{v}] }}}}"
    rng = random.Random("operators")
    for op in OPERATORS:
        for _ in range(160):
            yield f"{{{{ {rng.choice(every)} {op} {rng.choice(every)} }}}}"
    for pool in (NUMBERS, LISTS, TEXTS):
        for op in OPERATORS:
            for _ in range(30):
                yield f"{{{{ {rng.choice(pool)} {op} {rng.choice(pool)} }}}}"
    for _ in range(1500):
        yield "{{ " + expression(rng, 3) + " }}"


def expression(rng, depth):
    """A random expression; most of them are errors at depth 4, a third at depth 3."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(rng.choice([TEXTS, NUMBERS, LISTS, TEXTS, NUMBERS, DICTS]))
    inner = lambda: expression(rng, depth - 1)
    return rng.choice([
        lambda: f"({inner()}|{rng.choice(['string', 'list', 'length', 'int', 'join', 'upper', 'default(1)', 'first', 'reverse|list', 'trim'])})",
        lambda: f"({inner()} {rng.choice(OPERATORS)} {inner()})",
        lambda: f"[{inner()}, {inner()}]",
        lambda: f"({inner()}, {inner()})",
        lambda: f"{{'k': {inner()}}}",
        lambda: f"({inner()} if {inner()} else {inner()})",
        lambda: f"({inner()} is {rng.choice(TESTS)})",
        lambda: f"({inner()}){rng.choice(SLICES)}",
        lambda: f"(not {inner()})",
        lambda: f"({inner()} ~ {inner()})",
        lambda: f"({inner()}|string).{rng.choice(TEXT_METHODS)}",
    ])()


def unrepeatable(result):
    """Whether a text holds the address of an object, as generators and methods print."""
    return isinstance(result, str) and re.search(r" at 0x[0-9a-f]+>|<built-in|<class|<Namespace|<function|LoopContext", result) is not None


SPELLED = [
    "1", "-1", "+1", "- 1", "--1", "1.5", ".5", "5.", "5.e3", "1e5", "1_000", "1__0", "012", "00", "0x1f", "0o17", "0b11", "1e400", "-0.0", "nan", "inf", "1j", "1+2j", "1+1", "'a'", '"a"', "'a' 'b'", "'''a\nb'''", '"""a"b"""', "r'\\n'", "R'\\''", "u'x'", "b'x'",
    "f'x'", "ur'x'", "'\\n\\t\\\\\\'\\\"\\x41\\u00e9\\U0001F600\\101\\0'", "'\\d\\ '", "'\\N{BULLET}'", "'a\nb'", "'a\\\nb'", "'open", "[", "]", "[]", "[ ]", "[1]", "[1,]", "[,]", "[1 2]", "[1,,2]", "[1\n,2]", "[1, # c\n2]", "()", "(1)", "(1,)", "(1, 2)", "(", "1, 2", "1,", ",", "{}",
    "{'a': 1}", "{'a': 1,}", "{1: 2, 1.0: 3, True: 4}", "{'a' 1}", "{1}", "{1, 2}", "{[1]: 2}", "{(1, 'a'): {}}", "{,}", "None", "True", "False", "none", "true", "[None, True, False]", "", " ", " 1", "\t[1]", "1 ", "1\n", "\n1", "1 # c", "1;", "a", "[a]", "a.b", "f(1)", "set()", "[[[[[]]]]]",
    "['it\\'s', \"a\"]", "[1 if 2 else 3]", "['a' + 'b']", "['é', '日本', '😀']", "['\u2028']", "['a'\n'b']", "[1]x", "[1] [2]", "[1][0]", "1 2", "-'a'", "not 1", "[-1, +2.5]", "'\\x4'", "'\\ud800'", "'\\777'", "99999999999999999999", "-9223372036854775808", "9223372036854775807", "['a','b']]", "\ufeff1",
    "[1.]", "[1.,2]", "1.e", "1e", "0_0", "0x", "0b2", "1_", "_1", "True1", "1if 1else 2", "[0xfor 1]", "'a''b'", "'a'b'c'", "''", "''''", "''''''", "'\\", "\\\n1", "[\\\n1]", "(1\n)", "{'a'\n:\n1}", "1\x0c", "1\x00", "\r\n1", "1\r\n", "[1\r\n]", "['a\rb']", "'''a\r\nb'''", "(((1)))", "[*[1]]", "{**{}}", "...", "10 ** 2", "1<2", "[ 'a' , 'b' ] ",
    "09.", "01j", "0x1", "1..5", "b'é'", "b'\\xe9'", "b'a' 'b'", "'\\Nope'", "'\\N{a.b}'", "['No, 'B', 'x']", "['it's']", "['\\x8n']", "[1+1]", "[1-2j]", "{1: 2, 3}", "{1, 2: 3}",
    "0777", "09.5", "00.5", "0e0", "1e-400", "[1e5, 1E5, 1e+5]", "'\\8'", "'\\1234'", "rb'x'", "['\t']", "[1,\t2]", "{'a':1 'b':2}", "(1,,)", "(,)", "[()]", "({})", "((),)", "[[1], [2, [3]]]", "['None']", "[None,]",
]


def literals(rendered):
    """Yield texts: spelled ones, and rendered ones with a character changed."""
    yield from SPELLED
    rng = random.Random("mutations")
    for text in rendered[:300]:
        if 0 < len(text) < 200:
            at = rng.randrange(len(text))
            yield rng.choice([text[:at] + text[at + 1:], text[:at] + rng.choice("[](){}'\",:\\ #x1.-\n") + text[at:]])
