"""Renders the probes of docs/peers/lmeval/probes.py, and more that chat templates use,
in the environment in which transformers renders chat templates.

    python docs/peers/chat/probes.py eval/jinja/testdata/probes.jsonl.gz eval/jinja/testdata/chat.jsonl.gz

Needs: pip install transformers jinja2
"""

import datetime
import gzip
import itertools
import json
import random
import sys

import jinja2
from jinja2 import nodes
import transformers
from transformers.utils import chat_template_utils as peer


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 5, 9, 3, 7)


peer.datetime = Fixed

WRITTEN = [
    "{% macro m(a, b=2, c=a) %}[{{ a }}|{{ b }}|{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=4) }}{{ m(b=3) }}{{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}",
    "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}{% for x in [5] %}{{ m() }}{% endfor %}",
    "{% macro m() %}{{ i }}{% endmacro %}{% for i in [1, 2] %}{{ m() }}{% endfor %}.",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}",
    "{% macro m() %}{% set ns.x = 3 %}{% endmacro %}{% set ns = namespace(x=1) %}{{ m() }}{{ ns.x }}",
    "{% set ns = namespace() %}{{ ns.y }}.{% set ns.y = 2 %}{{ ns.y }}", "{% set ns = namespace(a=1) %}{% for i in list %}{% set ns.a = ns.a + 1 %}{% endfor %}{{ ns.a }}",
    "{% for i in [1, 2, 3, 4] %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% else %}none{% endfor %}",
    "{% for i in [1, 2, 3, 4] %}{% if i == 3 %}{% continue %}{% endif %}{{ i }}{{ loop.last }}{% endfor %}",
    "{% for i in [1, 2] %}{% for j in [1, 2] %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j }}{% endfor %};{% endfor %}",
    "{% break %}", "{% for i in [1] %}{% generation %}{{ i }}{% set k = 2 %}{% endgeneration %}{{ k }}{% endfor %}",
    "{{ nothing }}|{{ nothing.x }}", "{{ s.nothing }}|", "{{ s.nothing.x }}", "{{ nothing + 'a' }}", "{{ 'a' ~ nothing }}", "{{ nothing|length }}",
    "{{ nothing|trim }}|{{ nothing|upper }}|{{ nothing|default('d') }}|{{ nothing|list }}|{{ nothing|join }}", "{{ nothing|tojson }}", "{{ nothing == 1 }}{{ nothing == nothing }}{{ nothing != 1 }}",
    "{{ nothing < 1 }}", "{{ 1 in nothing }}{{ nothing in [1] }}", "{{ nothing in 'a' }}", "{% for x in nothing %}x{% else %}empty{% endfor %}", "{{ nothing() }}", "{{ nothing|int }}",
    "{{ not nothing }}{{ nothing or 3 }}{{ nothing and 3 }}|", "{{ [nothing] }}{{ {'a': nothing} }}", "{{ nothing is defined }}{{ nothing is none }}{{ nothing is string }}{{ nothing is iterable }}{{ nothing is mapping }}{{ nothing is sequence }}",
    "{{ 1 if false }}|", "{{ (1 if false).x }}", "{{ list[9] }}|{{ list['x'] }}|{{ ordered['zz'] }}|{{ ordered.zz.y is defined }}", "{{ -nothing }}", "{{ nothing[1] }}", "{{ nothing[1:] }}",
    "{{ raise_exception('no: ' ~ n) }}", "{% if false %}{{ x|unknown_filter }}{% endif %}ok", "{{ x|unknown_filter }}",
    "{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %H:%M:%S %p %A %a %B %j %y %I %%') }} {{ strftime_now('%-d %-m %-H') }}", "{{ strftime_now is defined }}",
    "{{ [1, 2.5, none, true, 'é\"\\n<&\\'', {'b': 1, 'a': []}]|tojson }}", "{{ ordered|tojson(indent=2) }}", "{{ {'b': {'z': [1, {}], 'y': []}, 'a': 'x'}|tojson(indent=4, sort_keys=true) }}",
    "{{ [1, {'a': 2}]|tojson(separators=(',', ':')) }}", "{{ 'é🜁\x7f'|tojson(ensure_ascii=true) }}", "{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}", "{{ [1]|tojson(indent=0) }}", "{{ {}|tojson(indent=2) }}{{ []|tojson(indent=2) }}",
    "{{ range(3)|tojson }}", "{{ (1, 2)|tojson }}", "{{ 1e20|tojson }}{{ 1.0|tojson }}{{ 1e-7|tojson }}", "{{ 'a'|tojson|safe }}", "{{ [1]|tojson(2) }}", "{{ [1]|tojson(indent='--') }}",
    "{{ {'B': 2, 'a': 1, 'C': 0}|dictsort }}", "{{ {'B': 2, 'a': 1, 'C': 0}|dictsort(true) }}", "{{ {'B': 2, 'a': 1, 'C': 0}|dictsort(by='value', reverse=true) }}", "{% for k, v in {'b': 1, 'a': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "{{ 'a\\n\\nb\\nc'|indent }}", "{{ 'a\\n\\nb'|indent(2, true, true) }}", "{{ 'a\\nb\\n'|indent('> ') }}", "{{ ''|indent(first=true) }}", "{{ [1, 2, 3]|sum }}{{ [{'a': 1.5}]|sum(attribute='a') }}{{ []|sum(start=4) }}",
    "{{ ordered.items() | list }}", "{{ ordered|items|list }}", "{% set x %}a{% if n %}\n  b\n{% endif %}{% endset %}[{{ x }}]", "{% raw %}\n {{ x }} \n{% endraw %}\nend", "  {% raw %}  a {% endraw %}  \n b", "{% raw -%}  a  {%- endraw +%}\n b",
    "a\n", "a\n\n", "a\r\n", "{{ n }}\n", "{% if n %}a{% endif %}\n", "\n", "{# c #}\n", "x {# c #}\n y", "  {# c #}\ny", "  {#- c -#}\n y", "x  {#+ c +#}\ny",
    "  {% if n %}\n    a\n  {% endif %}\n  b", "x  {% if n %}y{% endif %}", "  {%+ if n %}a{% endif +%}\nb", "  {%- if n -%}\n  a  {%- endif -%}\n b", "\t{% if n %}\t\n{% endif %}", " \u00a0{% if n %}a{% endif %}",
    "{{ n }}  {% if n %}a{% endif %}", "{% if n %}  {% endif %}  {% if n %}b{% endif %}", "{% if n -%}\n  {% if n %}b{% endif %}{% endif %}", "{{ n -}}\n  {% if n %}b{% endif %}", "{% set a = 1 %}\n  {% set b = 2 %}\n\n  {{ a }}\n",
    "{{ list[::-1] }}{{ list[1:] }}{{ list[-1] }}", "{{ ordered.get('b', 3) }}{{ ordered.get('zz') }}{{ ordered.get('zz', 'd') }}", "{{ 'a,b'.split(',')[-1].lstrip('\\n') }}", "{{ s.split('+')|last|trim }}",
    "{{ list|map('upper')|join('-') }}", "{{ [{'r': 'a'}, {'r': 'b'}, {}]|selectattr('r', 'equalto', 'a')|list|length }}", "{{ [{'r': 'a'}, {}]|selectattr('r', 'defined')|map(attribute='r')|list }}", "{{ [{'r': 'a'}, {}]|map(attribute='r')|list }}",
    "{{ [{'r': 'a'}, {'r': 'b'}]|rejectattr('r', 'in', ['a'])|list }}", "{{ n is divisibleby 7 }}{{ n is odd }}{{ n is sameas 7 }}", "{{ loop }}", "{{ messages[0] if messages is defined and messages else 'no' }}", "{{ dict(a=1, b=2) }}{{ dict(a=1).a }}",
    "{{ lipsum() }}", "{{ joiner(', ') }}", "{{ '%s' % 3 }}", "{{ 'x' * 3 }}{{ [1] * 2 }}", "{{ n ** 2 }}", "{{ s|replace('2', 'two')|title }}", "{{ 3 // 2 }}{{ 7 % 3 }}{{ -7 // 2 }}", "{{ 'a' < 'b' }}{{ [1] < [2] }}",
    "{% macro m(x) -%}\n  {{ x }}\n{%- endmacro %}\n[{{ m('a') }}]", "{% for m in list recursive %}{{ m }}{% endfor %}", "{% with a = 1 %}{{ a }}{% endwith %}", "{% filter upper %}a{% endfilter %}", "{% call nothing() %}x{% endcall %}",
    "{% macro m() %}{{ caller }}{% endmacro %}{{ m() }}.", "{% set f = [1, 2] %}{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*f) }}", "{% do 1 %}", "{% include 'x' %}", "{% autoescape true %}{{ '<' }}{% endautoescape %}",
    "{{ s.__class__ }}", "{{ list.append(1) }}", "{{ s.format(1) }}", "{{ none.x }}", "{{ none|length }}", "{{ none|trim }}", "{{ none ~ 'a' }}", "{{ none + 'a' }}", "{{ true + 1 }}",
]


def composed(seed, count):
    """White space around tags: where most differences between engines lie."""
    random.seed(seed)
    space = ["", " ", "\n", "  \n", "\n  ", "\t", "\n\n", "x", "x ", " x", "\nx", "x\n"]
    for _ in range(count):
        parts = []
        for _ in range(random.randint(1, 5)):
            o, c = random.choice(["{%", "{%-", "{%+"]), random.choice(["%}", "-%}", "+%}"])
            o2, c2 = random.choice(["{%", "{%-", "{%+"]), random.choice(["%}", "-%}", "+%}"])
            kind = random.randrange(6)
            body = random.choice(space)
            if kind == 0:
                parts.append(f"{o} if n {c}{body}{o2} endif {c2}")
            elif kind == 1:
                parts.append(f"{o} for i in [1, 2] {c}{body}{{{{ i }}}}{random.choice(space)}{o2} endfor {c2}")
            elif kind == 2:
                parts.append(random.choice(["{{ n }}", "{{- n }}", "{{ n -}}", "{{- n -}}"]))
            elif kind == 3:
                parts.append(random.choice(["{#", "{#-", "{#+"]) + body + "c " + random.choice(["#}", "-#}", "+#}"]))
            elif kind == 4:
                parts.append(f"{o} set a = 1 {c}")
            else:
                parts.append(f"{o} raw {random.choice(['%}', '-%}'])}{body}{{{{{random.choice(space)}{o2} endraw {c2}")
        yield "".join(p for pair in itertools.zip_longest([random.choice(space) for _ in range(len(parts) + 1)], parts, fillvalue="") for p in pair)


def folded(source):
    """Slices of constants, which only Jinja's optimizer takes: of a name they are an error."""
    try:
        tree = jinja2.Environment().parse(source)
        return any(isinstance(n.arg, nodes.Slice) and not isinstance(n.node, nodes.Name) and not list(n.node.find_all(nodes.Name)) for n in tree.find_all(nodes.Getitem))
    except jinja2.TemplateError:
        return False


def render(source, doc):
    try:
        return peer._compile_jinja_template(source).render(**doc)
    except RecursionError:
        return {"e": "RecursionError"}
    except Exception as e:
        return {"e": type(e).__name__}


def main(probes, target):
    with gzip.open(probes, "rt", encoding="utf-8") as z:
        head = json.loads(next(z))
        lines = [json.loads(x) for x in z]
    doc = head["document"] | {"list": ["α", "β", "γ"], "ordered": {"b": 1, "a": ["it's"]}}
    lines = [x for x in lines if "t" in x and not folded(x["t"])]
    sources = WRITTEN + list(composed(7, 3000)) + [x["t"] for x in lines][::4]
    results = [(s, render(s, doc)) for s in sources]
    results = [(s, r) for s, r in results if " object at 0x" not in str(r)]
    with gzip.GzipFile(target, "wb", mtime=0) as z:
        def line(v):
            z.write((json.dumps(v, ensure_ascii=False) + "\n").encode())
        line({"peer": f"transformers {transformers.__version__}", "license": "the templates are ours", "jinja2": jinja2.__version__, "python": sys.version.split()[0],
              "command": "docs/peers/chat/probes.py", "templates": len(results), "document": doc})
        for s, r in results:
            line({"t": s, "r": r})
    print(len(results), "probes")


main(*sys.argv[1:])
