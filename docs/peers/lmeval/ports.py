#!/usr/bin/env python3
"""Writes eval/port/testdata/golden.json.gz: what the harness's own functions return.

Made with lm_eval 0.4.12, NLTK 3.9.1 and CPython 3.11, from the root of this repository:

    python -m venv venv && venv/bin/pip install "lm_eval[ifeval]==0.4.12" nltk==3.9.1
    venv/bin/python docs/peers/lmeval/ports.py eval/port/testdata/golden.json.gz

Documents are made up, many of them hostile: text that is not ASCII, brackets, empty
texts, null, missing columns. Nothing is downloaded. What raises is recorded as the name
of the exception. NLTK 3.9.1 is the oldest that the harness takes; from 3.10 on it counts
words with another engine of regular expressions, for which combining marks and joiners
are letters and fractions are not.
"""

import copy
import gzip
import importlib.util
import json
import os
import platform
import random
import sys

import lm_eval
import nltk

TASKS = os.path.join(os.path.dirname(lm_eval.__file__), "tasks")
nltk.data.find = lambda *_: ""  # the sentence tokenizer is not asked for


class Split(list):
    """As much of a datasets.Dataset as the functions use."""

    def map(self, function):
        return Split({**row, **function(row)} for row in self)

    def filter(self, function):
        return Split(row for row in self if function(row))


def module(path):
    spec = importlib.util.spec_from_file_location("functions", os.path.join(TASKS, path + ".py"))
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


CASES = []


def record(function, call, **given):
    case = {"function": function, **copy.deepcopy(given)}
    try:
        case["want"] = call()
    except Exception as e:  # whatever it is
        case["raises"] = type(e).__name__
    CASES.append(case)


def docs(function, documents, seed=None):
    family, name = function.rsplit("/", 1)
    file, name = name.split(".")
    f = getattr(module(f"{family}/{file}"), name)
    if seed is not None:
        random.seed(seed)
    record(function, lambda: f(Split(copy.deepcopy(documents))), documents=documents)


def value(function, documents):
    family, name = function.rsplit("/", 1)
    file, name = name.split(".")
    f = getattr(module(f"{family}/{file}"), name)
    for d in documents:
        record(function, lambda: plain(f(copy.deepcopy(d))), document=d)


def plain(v):
    return v.item() if hasattr(v, "item") else v  # numpy's


def results(function, d, log_likelihoods=None, texts=None, marks=lambda r: {k: {"Value": float(v)} for k, v in r.items()}):
    family, name = function.rsplit("/", 1)
    file, name = name.split(".")
    f = getattr(module(f"{family}/{file}"), name)
    if log_likelihoods is None:
        answers, given = texts, {"Texts": texts}
    else:
        answers, given = log_likelihoods, {"LogLikelihoods": log_likelihoods}
    record(function, lambda: marks(f(copy.deepcopy(d), answers)), document=d, answers=given)


TEXTS = [
    "", " ", "plain text", "Ünïcödé ŒŸ ﬁn", "[brackets] here [title] and [x\ny] ]", " [title] Lead [step] on",
    "a  b   c    d", "ΑΣ ΟΔΟΣ Σ", "İstanbul ıİ", "ǆungla ǅ", "ßtraße ŉ", "日本語 の テスト", "emoji 👩‍👩‍👧 _ _",
    "\ttab\nnew\rline\u2028sep\x1c\x85nbsp\xa0end\u3000", "'quotes' \"double\" \\ back", "_", "e\u0301 combining",
    "𝒜𝔹 astral ①Ⅷ", "  _  .", "The cat sat on the mat.", "1,000.50", "٣ digits ３", "{{ braces }} {% x %}", "A: B",
]


def text(rnd, n=2):
    return rnd.choice(["", " "]).join(rnd.choice(TEXTS) for _ in range(rnd.randint(1, n)))


def hellaswag(rnd):
    def doc(label):
        return {
            "activity_label": text(rnd), "ctx_a": text(rnd), "ctx_b": text(rnd), "label": label,
            "endings": [text(rnd) for _ in range(rnd.randint(0, 4))], "query": "old", "ind": rnd.randint(0, 9),
        }

    docs("hellaswag/utils.process_docs", [doc(rnd.choice(["0", "3", " 2 ", "٣", "1_0", 2, True, 1.9])) for _ in range(60)])
    for bad in [doc(""), doc("x"), doc(None), {**doc("1"), "ctx_b": None}, {**doc("1"), "endings": None}, {"ctx_a": "a"}]:
        docs("hellaswag/utils.process_docs", [bad])
    docs("hellaswag/utils.process_docs", [])


def winogrande(rnd):
    documents = [
        {"sentence": text(rnd, 3) + "_" + text(rnd), "option1": text(rnd), "option2": text(rnd), "answer": rnd.choice("12")}
        for _ in range(20)
    ]
    documents += [{**documents[0], "answer": ""}, {**documents[0], "sentence": "none"}, {**documents[0], "option2": None}, {}]
    for f in ["doc_to_text", "doc_to_target", "doc_to_choice"]:
        value("winogrande/preprocess_winogrande." + f, documents)
        value("xwinograd/utils." + f, documents[10:])


def truthfulqa(rnd):
    f = "truthfulqa/utils.process_results_mc2"
    for n in [1, 2, 3, 7, 8, 9, 20]:
        labels = [rnd.randint(0, 1) for _ in range(n)]
        lls = [-rnd.random() * 10 ** rnd.randint(0, 2) for _ in range(n)]
        results(f, {"mc2_targets": {"labels": labels}}, [[l, False] for l in lls])
    results(f, {"mc2_targets": {"labels": [1, 0]}}, [[-700.0, False], [-701.0, True]])
    results(f, {"mc2_targets": {"labels": [1, 0, 1]}}, [[-1.0, False], [-2.0, True]])
    results(f, {}, [[-1.0, False]])


def mmlu_pro(rnd):
    subjects = ["biology", "computer science", "law", "other", "computer_science", "LAW", "", None]
    documents = [
        {
            "question": text(rnd), "options": [text(rnd) for _ in range(rnd.choice([0, 1, 4, 10, 12]))],
            "cot_content": rnd.choice(["A: Let's think step by step. ", "A: Let's think step by step.", "", "xA: Let's think step by step. A: Let's think step by step. "]) + text(rnd),
            "category": rnd.choice(subjects), "answer": "A",
        }
        for _ in range(16)
    ]
    for subject in "biology business chemistry computer_science economics engineering health history law math other philosophy physics psychology".split():
        few = documents[:4] + [{"category": subject.replace("_", " "), "question": "q"}]
        docs("mmlu_pro/utils.process_" + subject, documents if subject in ["law", "computer_science"] else few)
    docs("mmlu_pro/utils.process_law", [{"question": "q"}])
    bad = [{**documents[0], "question": None}, {**documents[0], "options": ["a", None]}, {**documents[0], "cot_content": None}, {}]
    for f in ["doc_to_text", "fewshot_to_text", "fewshot_to_target"]:
        for d in documents + bad:
            if not (f == "fewshot_to_target" and d in bad[:2]):
                value("mmlu_pro/utils." + f, [d])


def gpqa(rnd):
    def doc():
        column = lambda: rnd.choice([text(rnd), text(rnd), None, "same"])
        return {
            "Question": text(rnd), "Correct Answer": column(), "Incorrect Answer 1": column(),
            "Incorrect Answer 2": column(), "Incorrect Answer 3": column(), "choice1": "old",
        }

    documents = [doc() for _ in range(12)]
    for family in ["gpqa/zeroshot", "gpqa/n_shot", "gpqa/generative", "gpqa/cot_zeroshot", "gpqa/cot_n_shot", "leaderboard/gpqa"]:
        docs(family + "/utils.process_docs", documents, seed=0)
        docs(family + "/utils.process_docs", [{"Correct Answer": "a"}], seed=0)


def wikitext(rnd):
    marks = ["s '", "/' 5/", " @-@ ", " @,@ ", " @.@ ", " : ", " ; ", " . ", " ! ", " ? ", " , ", "( x )", "[ y\xa0]", "{ z\n}",
             '" q "', "' w '", "( ( a ) b )", "= = = =", "= = =", "= =", " ° ", " \n", "\n ", " N ", " 's", "\u2003", "  ", "(\u2028)"]
    pages = ["".join(rnd.choice(marks + TEXTS) for _ in range(rnd.randint(1, 12))) for _ in range(40)]
    documents = [{"page": p} for p in pages + TEXTS] + [{"page": None}, {}]
    value("wikitext/preprocess_wikitext.wikitext_detokenizer", documents)
    for d in documents:
        results("wikitext/preprocess_wikitext.process_results", d, [-12.5],
                marks=lambda r: {k: {"Value": v, "Weight": w} for k, (v, w) in r.items()})


def race(rnd):
    def problem(letter=None):
        question = text(rnd) + rnd.choice(["", "  _  .", " _ .", "?"])
        return {"question": question, "options": [text(rnd) for _ in range(4)], "answer": letter or rnd.choice("ABCD")}

    documents = [{"article": text(rnd, 4), "problems": repr([problem() for _ in range(rnd.randint(1, 4))])} for _ in range(20)]
    literals = [
        "[]", "", "[1, 2]", "{}", "[{'question': 'q'}]", repr([problem("E"), problem()]), repr([problem(), problem("E")]),
        "  [{'question': 'a' \"b\"\n 'c', 'options': ('1', 2, None, 4.5,), 'answer': 'A',},]",
        r"""[{'question': '\x41\u00e9\U0001F600\101\7\q\
z', "options": [r'\n', u'\n', 'x', '''a
'b'
c'''], 'answer': "B"}]""",
        "[{'question': 'open", "[{'question': 'a' , , }]", "[{'question' 'a'}]", "[{'question': 'q', 'options': ['a','b','c'], 'answer': 'A'}]",
        "[{'question': 'q', 'options': [True, -1, +2.5e3, [['x']]], 'answer': 'A'}] x", "[{'question': x}]", "['a\nb']",
    ]
    documents += [{"article": "art", "problems": l} for l in literals]
    documents += [{"article": None, "problems": repr([problem()])}, {"article": "a", "problems": None}, {}]
    for f in ["doc_to_text", "doc_to_choice", "doc_to_target"]:
        value("race/preprocess_race." + f, documents)


def logiqa(rnd):
    documents = [
        {
            "context": text(rnd), "text": text(rnd), "question": text(rnd), "label": rnd.choice(["a", " b", "c\n", "d\u3000"]),
            "options": [rnd.choice([text(rnd), None, 3, 2.5, True]) for _ in range(rnd.choice([0, 2, 4, 5]))],
        }
        for _ in range(15)
    ]
    bad = [{**documents[0], "question": None}, {"label": "A"}, {"label": ""}, {"label": None}]
    value("logiqa/utils_logiqa.doc_to_text", documents + bad)
    value("logiqa/utils_logiqa.doc_to_target", documents + bad[1:])
    value("logiqa2/utils_logiqa2.doc_to_text", documents + bad)


def medicine(rnd):
    some = lambda: rnd.choice([text(rnd), text(rnd), None, 7, 1e16, 1e-5, False])
    documents = [{**{k: some() for k in ["sent1", "ending0", "ending1", "ending2", "ending3"]}, "label": rnd.randint(0, 3)} for _ in range(10)]
    value("medqa/preprocess_medqa.doc_to_text", documents + [{"sent1": "x"}])
    value("medqa/preprocess_medqa.doc_to_target", documents + [{"sent1": "x"}])
    documents = [{"CONTEXTS": [text(rnd) for _ in range(rnd.randint(0, 3))], "QUESTION": some()} for _ in range(10)]
    value("pubmedqa/preprocess_pubmedqa.doc_to_text", documents + [{"CONTEXTS": [None], "QUESTION": "q"}, {"CONTEXTS": ["a"]}])


def leaderboard(rnd):
    some = lambda: rnd.choice([text(rnd), text(rnd), None, 7, 1.5])
    documents = [{"question": some(), "options": [some() for _ in range(n)]} for n in [0, 1, 10, 26, 27]]
    for f in ["doc_to_text", "doc_to_choice"]:
        value("leaderboard/mmlu_pro/utils." + f, documents)
    documents = [
        {"narrative": some(), "question": some(), "choices": repr([some() for _ in range(rnd.randint(0, 5))])} for _ in range(12)
    ] + [{"narrative": "n", "question": "q", "choices": c} for c in ["['a'", "('x', \"it's\")", "[1_0, 007]", "[-0.0, 1e22, 1e-7]", None]]
    for f in ["doc_to_text", "doc_to_choice"]:
        value("leaderboard/musr/utils." + f, documents)


def drop(rnd):
    words = ["the", "a", "An", "Théâtre", "5", "5.0", "1,000", "-3", "ten-year", "don't", "USA.", "inf", "NaN", "1_0", "٣", "x\ty", "", "the.", "_a", "①", "ΟΔΟΣ"]

    def phrase():
        return " ".join(rnd.choice(words) for _ in range(rnd.randint(0, 4)))

    def answer():
        return {
            "number": rnd.choice(["", "", "12", "3.5", 7, 2.0]), "spans": [phrase() for _ in range(rnd.choice([0, 1, 1, 3]))],
            "date": {"day": rnd.choice(["", "4"]), "month": rnd.choice(["", "May"]), "year": rnd.choice(["", "1999"])},
        }

    def doc():
        more = [answer() for _ in range(rnd.randint(0, 3))]
        return {
            "query_id": text(rnd), "passage": text(rnd), "question": text(rnd), "answer": answer(),
            "validated_answers": {k: [m[k] for m in more] for k in ["number", "date", "spans"]},
        }

    documents = [doc() for _ in range(25)]
    docs("drop/utils.process_docs", documents)
    for bad in [{**documents[0], "answer": None}, {**documents[0], "validated_answers": {"number": ["1"], "date": [], "spans": []}}, {}]:
        docs("drop/utils.process_docs", [bad])
    f = "drop/utils.process_results"
    for _ in range(250):
        d = {"answers": [[phrase() for _ in range(rnd.randint(1, 3))] for _ in range(rnd.randint(0, 3))]}
        said = rnd.choice([phrase(), phrase(), rnd.choice(rnd.choice(d["answers"])) if d["answers"] else ""])
        results(f, d, texts=[said])
    results(f, {"answers": [[]]}, texts=["x"])
    results(f, {}, texts=["x"])


def hendrycks_math(rnd):
    pieces = ["\\frac", "\\sqrt", "\\dfrac", "\\tfrac", "{", "}", "1", "2", "3", "x", " ", "/", "=", "k", "k=", ".5", "0.5", "\\text{ cm", "^\\circ",
              "^{\\circ}", "\\%", "\\!", "\\left(", "\\right)", "\\$", "\n", "\\\\", "é", "-", "10", "1/2", "007", "٣", "{.5}", "$", "\\frac12", "\\sqrt3"]
    expression = lambda: "".join(rnd.choice(pieces) for _ in range(rnd.randint(0, 6)))
    solutions = ["so $\\boxed{%s}$." % expression() for _ in range(60)]
    solutions += ["no box", "\\boxed 5$ x", "\\boxed 7", "\\fbox{3}", "\\boxed{1} and \\boxed{2", "\\boxed{a{b}c} d}", "\\boxed{}", "\\boxed", "\\boxed}{}", "\\boxed{\\boxed 9$}", ""]
    for s in solutions:
        docs("hendrycks_math/utils.process_docs", [{"problem": text(rnd), "solution": s, "level": "1"}])
    for _ in range(300):
        right = expression()
        said = rnd.choice([expression(), right, "$" + right + "$", "is $" + expression() + "$ or $" + right + "$", "$" + right, right.replace(" ", "")])
        results("hendrycks_math/utils.process_results", {"solution": "\\boxed{" + right + "}"}, texts=[said])


def short(rnd):
    documents = [
        {"premise": text(rnd) + rnd.choice([".", ". ", "", "é"]), "question": rnd.choice(["cause", "effect"]), "choice1": text(rnd), "choice2": rnd.choice(TEXTS), "label": rnd.choice([0, 1, False, 0.0, None])}
        for _ in range(25)
    ] + [{"premise": "x", "question": "why"}, {"premise": None, "question": "cause"}, {}]
    for f in ["doc_to_text", "doc_to_target", "doc_to_choice"]:
        value("super_glue/copa/utils." + f, documents)
    options = ["a ) 1 , b ) 2 , c ) 3 , d ) 4 , e ) 5", "a ) 1,5 , b ) x, , c ) , d ) 4 , e ) é\n", "a ) ,, b )\n, e ) a ) b , e ) x\ny", "", "e ) , , ", None]
    value("mathqa/utils.doc_to_choice", [{"options": o} for o in options] + [{"options": rnd.choice(options[:5]) + text(rnd)} for _ in range(10)] + [{}])
    answers = [rnd.sample(["a", "ab", "b", "abc", "", "é", "z", "éa", "𝒜", "ﬁ", "a", "Ab"], rnd.randint(0, 6)) for _ in range(15)] + [None]
    for f in ["doc_to_choice", "doc_to_target"]:
        value("webqs/utils." + f, [{"answers": a} for a in answers] + [{}])
    value("glue/mnli/utils.doc_to_text", [{"premise": rnd.choice([text(rnd), None, 3]), "hypothesis": text(rnd) + rnd.choice(["", ".", "..", ". "])} for _ in range(15)] + [{"premise": "p", "hypothesis": None}, {"premise": "p"}])
    value("toxigen/utils.doc_to_target", [{"toxicity_ai": a, "toxicity_human": h} for a in [0, 2.5, 2.75, 5] for h in [0, 2.75, 3, 3.0000001]] + [{"toxicity_ai": 1}])
    biases = ["race-color", "socioeconomic", "gender", "age", "religion", "disability", "sexual-orientation", "nationality", "physical-appearance", "autre", "gender-x", "ageing", ""]
    documents = [{"bias_type": b, "sent_more": text(rnd), "sent_less": text(rnd)} for b in biases]
    for f in ["race_color", "socio", "gender", "age", "religion", "disability", "orientation", "nationality", "appearance", "autre"]:
        docs("crows_pairs/utils.filter_" + f, documents)
    docs("crows_pairs/utils.filter_age", [{}])
    value("crows_pairs/utils.doc_to_choice", documents + [{"sent_more": "x"}])
    for lls in [[-1.5, -2.25], [-3.0, -1.0], [-1.0, -1.0], [-1.0]]:
        results("crows_pairs/utils.process_results", documents[0], [[l, False] for l in lls])


def bbh(rnd):
    def filtered(name, arguments, documents, answers):
        """answers[i] are those to documents[i]."""
        for family in ["bbh/zeroshot", "bbh/cot_zeroshot"]:
            make = getattr(module(family + "/utils"), name)

            def raises(d, answer):
                try:
                    make(**copy.deepcopy(arguments)).apply([[answer]], [d])
                except Exception:
                    return True

            for d, a in zip(documents, answers):
                # An answer that raises ends the harness; one that no document bears stays.
                a = [answer for answer in a if not raises(d, answer)] or a
                record(f"{family}/utils.{name}", lambda: list(make(**copy.deepcopy(arguments)).apply([list(a)], [d])[0]),
                       document=d, arguments={k: [list(p) for p in v.items()] if isinstance(v, dict) else v for k, v in arguments.items()}, answers={"Texts": a})

    def said(pieces, n=12):
        return ["".join(rnd.choice(pieces) for _ in range(rnd.randint(0, 6))) for _ in range(n)]

    options = ["", "x", "Not plausible", "a.b", "É (see", "1-2", "日本", "tab\there", "same", "same", "*", "A", "ΟΔΟΣ", " spaced  out "]
    pieces = ["(A)", "(B)", " (C) ", "(Z)", ": A", ":\nB", ":C", "is ", "same", "a.b", "É", "1-2", "x", "日本", "NOT PLAUSIBLE", "not, plausible!", "¿", "\n", "the answer is ", "οδος"]
    documents = [{"input": "Which?\nOptions:\n" + "\n".join(f"({chr(65 + i)}) {rnd.choice(options)}" for i in range(rnd.randint(0, 5)))} for _ in range(20)]
    for given in [
        {"group_select": 0, "ignore_case": True, "ignore_punctuation": True, "regex_pattern": r"(\([A-Z]\))"},
        {"group_select": -1, "ignore_case": True, "regex_pattern": r"(\([A-Z]\))", "regexes_to_ignore": ["same", r"\d"]},
        {"fallback": "none", "regex_pattern": r"answer is (\w)?|(Z)", "regexes_to_ignore": None}, {},
    ]:
        filtered("MultiChoiceRegexFilter", given, documents, [said(pieces, 8) for _ in documents])
    pieces = ["yes", "No", "tells the truth", "does not tell the truth", "plausible", "not plausible", " ", ".", "\n", "noé", "y.e.s"]
    for pattern in [{r"\b(yes|tells the truth)\b": "yes", r"\b(no|does not tell the truth)\b": "no"}, {r"\b(no|not plausible)\b": "no", r"plausible": "", "yes": "yes"}, {}]:
        for given in [{"group_select": 0, "ignore_case": True}, {"group_select": -1, "ignore_punctuation": True, "fallback": "?"}]:
            filtered("MapRegexFilter", {**given, "regex_pattern_to_value": pattern}, [{"input": "q"}] * 3, [said(pieces, 15) for _ in range(3)])
    words = "zero one two five six seven eight eighteen eighty nine ten eleven twenty twenty-one thirty forty hundred thousand million billion trillion and & , point a Two FIVE".split()
    numbers = [
        rnd.choice([" ", "", "\u2009", "\x1c"]).join(rnd.choice(words) for _ in range(rnd.randint(0, 7))) + rnd.choice(["", "", "", " 12", " -", "٣"])
        for _ in range(240)
    ]
    filtered("NumberParseRegexFilter", {"group_select": 0, "regex_pattern": "([-0-9]+)"}, [{"input": "q"}] * 3, [numbers[:80], numbers[80:160], numbers[160:]])
    lists = ["List: b a c", "Sort.\nList: é étude x.y (z)", "List: a a  b\n\nList: c", "none", "List: (", "List:"]
    pieces = ["a", "b", "c", "é", "étude", "xzy", "x.y", "z", " ", ",", "\n", "ab", "1. "]
    filtered("WordSortFilter", {}, [{"input": text} for text in lists], [said(pieces) for _ in lists])
    for name, given in [("MapRegexFilter", {"regex_pattern": "x"}), ("WordSortFilter", {"group_select": 0}), ("MultiChoiceRegexFilter", {"regex_pattern": "("})]:
        filtered(name, given, [{"input": "List: a"}], [["a"]])
    filtered("MultiChoiceRegexFilter", {}, [{"output": "x"}], [["a"]])


RESPONSES = TEXTS + [
    "*\n* b", "* one\n* two\n*three", "- a\n- b\n\n  - c\n**bold**", "***", "a***b", "a *** b *** ", "***a***b***", "a\n***\n \n***\nb",
    "******", "a******b", "a ****** a", "a******b******", "****** a ******b", "a******b******c", "*x* **y** ** ** **z*", "*é*\n*a\nb*",
    "P.S. bye", "p.s. x", "P.P.S x", "p. p. s", "p.\u00a0s.", "PS: x", "nothing. PPS", "Section 1\nSECTION 2 Section3", "Section ٣ x\nSection  4", "Day 1 Day 2",
    "<<title>>", "<<>>", "<< >>", "<<<x>>>", "<<a\nb>>", "<<a>> <<b>>", "[a] [b]\n[c\nd]", "[]", "[[x]]",
    "My answer is yes.", "well My answer is maybe. so", "My answer is yes", "{}", "```json\n{\"a\": [1, 2.5e-3, null]}\n```", "```\n[NaN, -Infinity]\n```",
    "{\"a\": 1,}", "[01]", "[1.]", "[1e]", "-", "-0", "\"\\u00e9\\ud800\"", "\"\\u00g0\"", "\"a\tb\"", "\"a\\qb\"", "nul", "null", "[1] x", "{\"a\":1 \"b\":2}",
    "{1: 2}", "\ufeff{}", "```JSON\"x\"```", "tru", "[" * 40 + "]" * 40, "1" * 4301, "\"quoted\"", "\"", "\"\"", " \"a\" ", "Any other questions?", "\"any other questions?\"",
    "Is it? ANY OTHER QUESTIONS?\"", "repeat me then answer", "REPEAT ME", "foo bar foo", "Foo, bar; FOO_x foox", "foo", "fooİ K ſ", "ﬁ STRASSE straße",
    "first para\n\nsecond para\n\nthird", "'\"Hello,\" he\n\nhello there\n\n", "\n\nHello\n\nB", "Hello!x\n\n\n\nB\n\nC", "x\n\nHELLO\n\ny", "ΟΔΟΣ\n\nΟΔΟΣ.",
    "line one\n*line* two\nline three", "drop me\nkeep, this\ndrop me too", "a,b", "a، b， c", "word " * 12, "eleven e e e E É", "q" * 11,
]
FRAGMENTS = ["*", "**", "***", "******", "\n", "\n\n", " ", "- ", "* ", "P.S.", "p.p.s", "Section 1", "SECTION 2", "<<t>>", "[x]", "foo", "Foo", "bar", "hello", "Hello,",
             "e", "é", ".", ",", "\"", "'", "(", "[", "]", "{", "}", ":", "1", "null", "word", "日本", "\xa0", "yes", "My answer is no."]

INSTRUCTIONS = {
    "keywords:existence": [{"keywords": k} for k in [["foo"], ["foo", "bar"], ["straße"], ["k", "s"], ["i"], ["f.o", "(bar|baz)"], ["("], [""], ["日本"], ["ﬁ"]]],
    "keywords:frequency": [{"keyword": k, "frequency": f, "relation": r} for k, f, r in [
        ("foo", 2, "at least"), (" foo ", 2, "less than"), ("o", 3, "at least"), ("[", 1, "at least"), ("x*", 5, "less than"), ("e", 4, "more"), ("(f)(o)", 1, "at least")]],
    "keywords:forbidden_words": [{"forbidden_words": k} for k in [["foo"], ["foo", "foo", "bar"], ["foo|x"], ["é"], ["日本"], ["*"], ["hello"]]],
    "keywords:letter_frequency": [{"letter": l, "let_frequency": f, "let_relation": r} for l, f, r in [
        ("e", 4, "at least"), ("E", 4, "less than"), ("q", 10, "at least"), ("i", 1, "at least"), ("\u212a", 1, "at least"), ("s", 2, "exactly")]],
    "length_constraints:number_paragraphs": [{"num_paragraphs": n} for n in [1, 2, 3]],
    "length_constraints:number_words": [{"num_words": n, "relation": r} for n, r in [(1, "at least"), (3, "less than"), (5, "at least"), (12, "at least"), (2.5, "less than"), (3, "x")]],
    "length_constraints:nth_paragraph_first_word": [{"num_paragraphs": n, "nth_paragraph": k, "first_word": w} for n, k, w in [
        (2, 1, "hello"), (3, 3, "third"), (2, 2, "HELLO"), (2, 1, "οδοσ"), (3, 2, "b"), (2, 1, "οδος"), (1, 1, "word")]],
    "detectable_content:number_placeholders": [{"num_placeholders": n} for n in [1, 2, 3]],
    "detectable_content:postscript": [{"postscript_marker": m} for m in ["P.S.", "P.P.S", " P.S. ", "PS", "P.P.S.", "(", "\\d"]],
    "detectable_format:number_bullet_lists": [{"num_bullets": n} for n in [1, 2, 3, 4]],
    "detectable_format:constrained_response": [{}, {"num_words": None}, {"num_words": 0, "keywords": []}, {"num_words": 1}],
    "detectable_format:number_highlighted_sections": [{"num_highlights": n} for n in [1, 2, 3, 4]],
    "detectable_format:multiple_sections": [{"section_spliter": s, "num_sections": n} for s, n in [
        ("Section", 1), ("SECTION", 1), (" Section ", 2), ("Day", 2), ("(Sect)(ion)", 3), ("*", 1), ("[Ss]ection", 3)]],
    "detectable_format:json_format": [{}],
    "detectable_format:title": [{}],
    "combination:two_responses": [{}],
    "combination:repeat_prompt": [{"prompt_to_repeat": p} for p in ["Repeat me", "fooİ", "  FIRST para ", " "]] + [{}],
    "startend:end_checker": [{"end_phrase": p} for p in ["Any other questions?", " QUESTIONS? ", "ΟΔΟΣ", "x", "\""]],
    "startend:quotation": [{}],
    "punctuation:no_comma": [{}],
    "no:such_instruction": [{}],
}


def ifeval(rnd):
    pool = RESPONSES + ["".join(rnd.choice(FRAGMENTS) for _ in range(rnd.randint(1, 14))) for _ in range(120)]
    f = module("ifeval/utils").process_results

    def doc(*instructions):
        return {"key": 1, "prompt": "p", "instruction_id_list": [i for i, _ in instructions], "kwargs": [k for _, k in instructions]}

    for instruction, arguments in INSTRUCTIONS.items():
        for given in arguments:
            d = doc((instruction, given))

            def followed():
                scores = [f(copy.deepcopy(d), [response]) for response in pool]
                return {k: "".join("01"[s[f"inst_level_{k}_acc"][0]] for s in scores) for k in ["strict", "loose"]}

            record("ifeval/utils.process_results", followed, document=d)
    flat = [(i, g) for i, a in INSTRUCTIONS.items() for g in a if i != "no:such_instruction"]
    for _ in range(60):
        results("ifeval/utils.process_results", doc(*(rnd.choice(flat) for _ in range(rnd.randint(0, 3)))), texts=[rnd.choice(pool)],
                marks=lambda r: {k: {"Values": [int(x) for x in v], "Value": sum(v) / max(1, len(v))} if isinstance(v, list) else {"Value": int(v)} for k, v in r.items()})
    bad = doc(("startend:quotation", {}))
    for d in [{}, {**bad, "kwargs": []}, {**bad, "kwargs": [None]}, {**bad, "instruction_id_list": None}]:
        results("ifeval/utils.process_results", d, texts=["x"])
    return pool


def main():
    families = [hellaswag, winogrande, truthfulqa, mmlu_pro, gpqa, wikitext, race, logiqa, medicine, leaderboard, drop, hendrycks_math, bbh, short]
    for i, make in enumerate(families):
        make(random.Random(i))
    pool = ifeval(random.Random(99))
    lines = [
        "{",
        f' "made": "lm_eval {lm_eval.__version__}, NLTK {nltk.__version__}, Python {platform.python_version()}",',
        ' "responses": ' + json.dumps(pool, ensure_ascii=False, allow_nan=False) + ",",
        ' "cases": [',
        ",\n".join("  " + json.dumps(c, ensure_ascii=False, allow_nan=False) for c in CASES),
        " ]\n}\n",
    ]
    with open(sys.argv[1], "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write("\n".join(lines).encode())
    print(f"{len(CASES)} cases, {sum('raises' in c for c in CASES)} of them raise", file=sys.stderr)


if __name__ == "__main__":
    main()
