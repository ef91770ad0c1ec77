"""What CPython 3.11 itself says, for the tests of eval/python.

    python docs/peers/lmeval/golden_python.py eval/python/testdata

needs CPython 3.11 with lm_eval 0.4.12 (for the patterns of its tasks' filters), and writes
random.json (the random module), text.json (str methods) and regex.json.gz (the re module).
"""

import glob
import gzip
import json
import os
import random
import re
import signal
import sys
import warnings

import yaml

warnings.simplefilter("ignore")
assert sys.version_info[:2] == (3, 11), sys.version


def write(path, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if path.endswith(".gz"):
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
            f.write(text.encode())
    else:
        with open(path, "w") as f:
            f.write(text + "\n")
    print(path, os.path.getsize(path), "bytes")


def randoms():
    out = []
    for seed in [0, 1, -1, 42, 1234, 2**31, 2**32 - 1, 2**32, 2**40 + 5, -(2**40) - 5, 2**63 - 1]:
        rnd = random.Random(seed)
        case = {"seed": seed}
        case["bits"] = [str(rnd.getrandbits(k)) for k in (1, 5, 31, 32, 33, 53, 63, 64)]
        case["random"] = [rnd.random().hex() for _ in range(5)]
        case["below"] = [[n, rnd._randbelow(n)] for n in (1, 2, 3, 10, 1000, 2**20, 2**33 + 7, 2**62)]
        case["sample"] = [
            [n, k, rnd.sample(range(n), k)]
            for n, k in [(5, 0), (5, 5), (21, 5), (22, 5), (85, 6), (86, 6), (100, 21), (277, 22), (278, 22), (7473, 8), (100000, 30)]
        ]
        # An odd number of words is drawn before, so that pairs do not start at even places.
        rnd.getrandbits(8)
        case["choices"] = [[n, rnd.choices(range(n), k=400)[-3:]] for n in (1, 10, 1319, 10**6)]
        x = list(range(40))
        rnd.shuffle(x)
        case["shuffle"] = x
        case["last"] = rnd.random().hex()
        out.append(case)
    return out


def texts():
    cased = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    out = {
        # Characters, by code, whose mapping is not one that a simple table would give.
        "lower": {c: c.lower() for c in cased if c.lower() != c and len(c.lower()) > 1},
        "upper": {c: c.upper() for c in cased if len(c.upper()) > 1},
        "capital": {c: c.capitalize() for c in cased if c.capitalize() != c.upper()},
        "count": {name: sum(f(c) for c in cased) for name, f in {
            "lower": lambda c: c.lower() != c, "upper": lambda c: c.upper() != c, "space": str.isspace}.items()},
        "space": [c for c in cased if c.isspace()],
        "words": sum(c.isalnum() or c == "_" for c in cased),
    }
    strings = ["", " ", "ΑΣ", "ΑΣ.", "ΑΣ Β", "Σ", "ΣΑ", "Α'Σ", "ΑΣ'Α", "ΑΣΑΣ", "ΣΣ", "İstanbul", "ǅ", "ǆabc", "ßeta", "ﬁN", "ŉA",
               "hELLO wORLD", "ΌΣΟΣ ΌΣΟΣ", "\u0345Σ", "Α\u0301Σ", "Α\u00adΣ", "1Σ", "ᾳx", "Ⅷ ⅷ", "ⓐⒶ", "İ", "I\u0307", "ᲐᲑ", "აბ",
               "ﬃX", "  a b\t c\x1c d\x1d\x1e\x1f e\x85f\xa0g\u2003h\u200bi\u3000j\u2028k\n"]
    out["strings"] = [[s, s.lower(), s.upper(), s.capitalize(), s.strip(), s.split()] for s in strings]
    floats = ["1", " 1.5 ", "1e5", "1E-3", ".5", "5.", "1_000.5", "1__0", "_1", "1_", "1_.5", "inf", "-Infinity", "nan", "+nan", "infin",
              "0x10", "1e400", "-1e400", "1e-400", "", " ", "+-1", "--1", "1,000", "١٢٣", "𝟗.𝟖", "1 2", "\u20031\x1f", "1e", "e5", ".", "0x1p3", "1e1_0", "²"]
    ints = ["1", " 12 ", "-3", "+4", "1_0", "1__0", "_1", "1_", "", "-", "0x10", "010", "١٢٣", "𝟗𝟖", "𝟬𝟭𝟵", "1.0", "1e3", "²", "9" * 30, "--1", "+-1"]

    def parse(f, s):
        try:
            v = f(s)
        except ValueError:
            return None
        return v.hex() if isinstance(v, float) else str(v)

    out["floats"] = [[s, parse(float, s)] for s in floats]
    out["ints"] = [[s, parse(int, s)] for s in ints]
    return out


def harness_patterns():
    """Patterns of regex filters and of regexes_to_ignore in the harness's task files."""
    import lm_eval

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    found = {}

    def walk(x):
        if isinstance(x, dict):
            for k, v in x.items():
                if k == "regex_pattern" and isinstance(v, str):
                    found.setdefault(v, 0)
                if k == "regexes_to_ignore" and isinstance(v, list):
                    for p in v:
                        found.setdefault(p, 0)
                walk(v)
        elif isinstance(x, list):
            for v in x:
                walk(v)

    root = os.path.join(os.path.dirname(lm_eval.__file__), "tasks")
    for path in sorted(glob.glob(root + "/**/*", recursive=True)):
        if not os.path.isfile(path) or not (path.endswith((".yaml", ".yml", "_yaml"))):
            continue
        try:
            walk(yaml.load(open(path), Loader))
        except Exception as e:
            print("skipped", path, e, file=sys.stderr)
    return sorted(found)


HAND = [
    r"", r"a*", r"|a", r"a|", r"x*?", r"(a*)*", r"(a*)+", r"(a|b?)*", r"(?:a|(b))+", r"((a)|b)*", r"(a)?b\1?", r"(?:(a)|b)*\1",
    r"\b", r"\B", r"\b\w+\b", r"\w", r"\W+", r"\d+", r"\D+", r"\s+", r"\S+", r"[\w]", r"[^\w]", r"[^\W\d_]+", r"[\W\d]", r"[\s\S]", r"[\D\S]",
    r"[^\D\S]", r"(?a)\w+", r"(?a)\b", r"(?a:\d)\d", r"(?ai)[k]", r"(?i)[k-s]+", r"(?i)straße", r"(?i)σ", r"(?i)[^a-z]", r"(?i)İ", r"(?i)ı", r"(?i)ΐ",
    r"(?i)ﬅ", r"(?i)(a)\1", r"(?i:A)b", r"(?i)a(?-i:B)c", r"^", r"$", r"(?m)^", r"(?m)$", r"\A", r"\Z", r"a$", r"(?m)^a$", r"\.$", r"^\s+", r"\s+$", r".", r"(?s).",
    r".*", r"(?s).*", r".*$", r"a{2}", r"a{,2}", r"a{1,}", r"a{2,1", r"a{", r"a{}", r"a{,}", r"x{1}", r"a{1}?", r"a{2}+a", r"a*+a", r"a?+a", r"a++b",
    r"(?>a+)b", r"(?>a|ab)c", r"(?P<x>a)(?P=x)", r"(?P<x>a)|(?P<y>b)", r"(a)(?P<n>b)(c)", r"(?<=a)b", r"(?<!a)b", r"(?<=ab|cd)x", r"(?=a)", r"(?!a).", r"(a)?(?(1)b|c)",
    r"(?P<q>')?x(?(q)'|)", r"(?#comment)a", r"(?x) a b # c", "(?x)a\\ b[ ]c", r"\101", r"\x41", r"\u0041", r"\U0001F600", r"\0", r"\08", r"[\101-\103]", r"[\b]", r"[]a]+", r"[^]a]+",
    r"[a-]+", r"[-a]+", r"[a\-z]+", r"[\]]", r"[[]", r"[a[b]", r"[a&&b]", r"[+--b]", r"\(", r"\#", r"\ ", r"[0-9.,]+", r"[😀-😂]", r"😀", r"p", r"(\d+)(?!.*\d)",
    r"(-?[$0-9.,]{2,})|(-?[0-9]+)", r"(?i)the answer is \(?([A-D])\)?", r"(?:)", r"(?:)*", r"()*", r"(?=a)*a", r"(?:^)*a", r"(^a|b)*", r"(\w+) \1", r"(.)(.)(.)\3\2\1",
    r"(?<=(a))b", r"(?<=a(?=b))b", r"(?<=\ba)b", r"(?<=^)a", r"(?<!\w)\d", r"(ab|a)(c|bcd)(d*)", r"(a|b)*?c", r"(?:a?){3}", r"(a?){3}", r"(a?)*?b", r"((?:a|b)*)(b)",
    r"\w+(?=\.)", r"\$", r"(?s).*#### ", r"(?u)\w", r"é", r"e\u0301", r"[\u0300-\u036f]", r"(?m)^(.*)$", r"(?:(?:a)(?:b))", r"a|b|[cd]|\d", r"(a|ab)(?:c|bcd)*+d?",
]

BROKEN = [
    r"(", r")", r"a)", r"[", r"[a", r"[]", r"[^]", r"*", r"+a", r"?", r"a**", r"a*+*", r"a{2}{3}", r"^*", r"\b+", r"$?", r"(?", r"(?P", r"(?P<", r"(?P<>a)", r"(?P<1>a)", r"(?P<a", r"(?P<a>x)(?P<a>y)",
    r"(?P=a)", r"(?P<a>(?P=a))", r"(?Px)", r"(?<a>x)", r"(?<", r"(?<=a*)b", r"(?<=a|bc)", r"(?<!a{1,2})", r"\1", r"(a)\2", r"(\1)", r"(?(1)a|b)", r"(a)(?(1)b|c|d)", r"(?(x)a)", r"(?(0)a)", r"(?(1a)b)",
    r"(?z)", r"(?i", r"(?i-", r"(?-i)", r"(?i-i:a)", r"(?-:a)", r"(?au)a", r"(?au:a)", r"(?-a:b)", r"(?L)a", r"a(?i)b", r"|(?i)a", r"((?i)a)", r"(?#", r"(?'a')", r"\q", r"\Q", r"[\q]", r"[\A]", r"\x1", r"\u12", r"\U00110000",
    r"\400", r"[\400]", r"[z-a]", r"[\w-a]", r"[a-\w]", r"\8", r"[\8]", "a\\", "[a\\", r"a{5,2}", r"a{99999999999}", r"(?=", r"(?:a", r"(?>a", r"(?(", r"(a)(?(1", r"(?<=(a)\1)b", r"\p{L}", r"\z", r"\N{}", r"(?i)(?a)(?u)",
]


def corpus(rnd):
    strings = ["", " ", "\n", "a", "b", "ab", "aab", "aaa", "baac", "abcd", "abab", "aXbA", "a\n", "\na\n", "a\nb\n\n", "a\r\nb", "x'", "'x'", "A(B)", "[a]-&z", "a b", "a  b c", "cab abc",
               "#### 1,018", "#### -3.50.", "The answer is $1,018.", "total 1018...", "1018 eggs, 3 left", "Answer: (B)", "the answer is B.", "The best answer is [C]", "ANSWER: D\n", "So the answer is 42.\n#### 42",
               "①②", "Ⅷ abc Ⅷ", "naïve café", "straße STRASSE", "ſKs\u212a", "İıiI", "σΣς", "e\u0301", "٣٤", "一二三", "😀😁😂", "a\u00a0b\u2028c\x1cd\x85e\u200bf", "_x_1", "don't stop", "1.2.3", "ΐ\u1fd3", "ﬅﬆ",
               "('dog', 'NOUN') ('runs', 'VERB')", "\\boxed{12}", "**B**", "correct answer is A) yes", "A.", "Q: 1\nA: 2\nQ:", "<answer>7</answer>", "a" * 40, "ab" * 20, "1" * 30 + "."]
    pieces = ["a", "b", "A", "B", "C", "D", " ", "  ", "\n", ".", ",", "(", ")", "$", "#### ", "-", "1", "23", "4,567", "8.9", "answer", "Answer", "The answer is", "final", ":", "é", "①", "Ⅷ", "\u00a0", "\u2028", "'", '"',
              "[", "]", "{", "}", "yes", "no", "**", "\\boxed{", "x", "=", "%", "…", "。", "答案", "是", "إجابة", "ответ", "正确", "\t", "\x1c", "K", "ſ", "_"]
    while len(strings) < 190:
        strings.append("".join(rnd.choice(pieces) for _ in range(rnd.randint(1, 14))))
    return strings


def grow(rnd, depth, groups):
    """A random pattern; groups counts those that are closed."""
    kind = rnd.randrange(22) if depth > 0 else rnd.randrange(8)
    if kind < 4:
        return rnd.choice("aabbc1 ") if kind else rnd.choice(["A", "é", "_", "\n", "K", "Ⅷ"])
    if kind == 4:
        return rnd.choice([".", r"\w", r"\W", r"\d", r"\s", r"\S"])
    if kind == 5:
        return rnd.choice(["[ab]", "[^a]", r"[\w-]", "[a-c]", r"[^\s]", r"[^\Wa]", r"[\d\s]", "[A-Z]", "[^b-z]"])
    if kind == 6:
        return rnd.choice(["^", "$", r"\b", r"\B", r"\A", r"\Z", ""])
    if kind == 7:
        return rf"\{rnd.randint(1, groups[0])}" + "(?:)" if groups[0] else "c"
    if kind < 13:
        return "".join(grow(rnd, depth - 1, groups) for _ in range(rnd.randint(1, 3)))
    if kind < 15:
        return "(?:" + "|".join(grow(rnd, depth - 1, groups) for _ in range(rnd.randint(2, 3))) + ")"
    if kind < 18:
        body = grow(rnd, depth - 1, groups)
        quantifier = rnd.choice(["*", "+", "?", "{2}", "{,2}", "{1,3}"]) + rnd.choice(["", "", "?"])  # CPython 3.11.7 loses matches of nested possessive ones
        return "(?:" + body + ")" + quantifier
    if kind < 20:
        body = grow(rnd, depth - 1, groups)
        groups[0] += 1
        return "(" + body + ")" + rnd.choice(["", "", "*", "?", "+"])
    if kind == 20:
        return rnd.choice(["(?=", "(?!", "(?<=", "(?<!"]) + grow(rnd, depth - 1, groups) + ")"
    return rnd.choice(["(?i:", "(?>", "(?s:", "(?m:", "(?-i:"]) + grow(rnd, depth - 1, groups) + ")"


def results(pattern, strings):
    r = re.compile(pattern)
    out = []
    for i, s in enumerate(strings):
        spans = [[list(m.span(g)) for g in range(r.groups + 1)] for m in r.finditer(s)]
        flat = [x for m in spans for g in m for x in g]
        ends = [m.end() if m else -1 for m in (r.match(s), r.fullmatch(s))]
        if flat or ends != [-1, -1]:
            out.append([i, ends, flat])
    return out


def stop(*_):
    raise TimeoutError


def regexes():
    signal.signal(signal.SIGALRM, stop)
    rnd = random.Random(7)
    strings = corpus(rnd)
    out = {"strings": strings, "patterns": []}
    # Spans are numbers, so the tests rebuild findall, split and sub from them; these
    # three are checked against Python here.
    names = harness_patterns()
    print(len(names), "patterns of the harness", flush=True)
    for pattern in names:
        out["patterns"].append([pattern, 190, results(pattern, strings)])
    for pattern in HAND:
        out["patterns"].append([pattern, 90, results(pattern, strings[:90])])
    fuzz = ["", "a", "b", "ab", "ba", "aab", "abc", "abab", "a1 b", "cab\n", "\nab\nc", "A_b", "éab a", "bbaacc", "K aⅧ 1", "a\n\nb"]
    out["fuzz"] = fuzz
    out["random"] = []
    while len(out["random"]) < 2500:
        groups = [0]
        pattern = rnd.choice(["", "", "", "(?i)", "(?m)", "(?s)"]) + grow(rnd, 4, groups)
        signal.setitimer(signal.ITIMER_REAL, 0.05)  # some never end in CPython
        try:
            found = results(pattern, fuzz)
        except (re.error, TimeoutError):
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if len(json.dumps(found)) > 1500:
            continue
        out["random"].append([pattern, found])
    out["broken"] = []
    for pattern in BROKEN:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, ValueError) as e:
            out["broken"].append([pattern, str(getattr(e, "msg", e)), getattr(e, "pos", None)])
        else:
            print("not broken:", pattern)
    out["findall"] = [[p, s, [list(x) if isinstance(x, tuple) else x for x in re.findall(p, s)]] for p in HAND[:40] + [r"(a)(b)?", r"(-?[$0-9.,]{2,})|(-?[0-9]+)"] for s in strings[5:14]]
    out["split"] = [[p, s, re.split(p, s)] for p in [r"\s+", r"a*", r"(a)|(b)", r"x*", r"\b", r"(,)", r""] for s in strings[:40]]
    templates = [r"", r"-", r"<\g<0>>", r"\1", r"[\1\g<1>]", r"\n\t\\", r"\101", r"\0", r"\g<01>", r"\.", "x", r"\g<n>"]
    out["sub"] = [[p, t, s, re.sub(p, t, s)] for p in [r"(?P<n>a)?b*", r"(?P<n>\w)+", r"(?P<n>x)*"] for t in templates for s in strings[:25]]
    out["templates"] = []
    for t in [r"\2", r"\g<2>", r"\g<", r"\g", r"\g<>", r"\g<x>", r"\q", "\\", r"\400", r"\g<-1>", r"\8", r"\99", r"\x41"]:
        try:
            re.compile("(a)").sub(t, "a")
            print("not broken:", t)
        except (re.error, IndexError) as e:
            out["templates"].append(t)
    out["escape"] = [[s, re.escape(s)] for s in strings]
    return out


if __name__ == "__main__":
    folder = sys.argv[1]
    write(os.path.join(folder, "random.json"), randoms())
    write(os.path.join(folder, "text.json"), texts())
    write(os.path.join(folder, "regex.json.gz"), regexes())
