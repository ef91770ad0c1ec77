"""Writes the data of the task shapes in eval/testdata/parity.

    python3 docs/peers/lmeval/parity_data.py eval/testdata/parity
"""

import json
import random
import sys
from pathlib import Path

out = Path(sys.argv[1])
rnd = random.Random(20261127)
WORDS = "river stone über 日本 glass maple café naïve Ωmega seven lamp quiet 'tis \"so\" {brace} new\nline tab\there 🜁 end".split(" ")


def words(low, high):
    return " ".join(rnd.choice(WORDS) for _ in range(rnd.randint(low, high)))


def write(name, rows):
    (out / name).write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


def choice(i):
    n = rnd.randint(3, 5)
    texts = []
    while len(texts) < n:
        t = words(1, 4)
        if t not in texts:
            texts.append(t)
    labels = list("ABCDE"[:n]) if i % 3 else list("12345"[:n])
    gold = rnd.randrange(n)
    return {
        "question": f"{words(3, 9)} ({i})?", "choices": {"text": texts, "label": labels}, "answerKey": labels[gold],
        "four": [words(1, 2) + str(k) for k in range(4)], "label": rnd.randrange(4), "golds": sorted(rnd.sample(range(n), 2)),
        "yes": rnd.randrange(2), "subject": rnd.choice(["maps", "años", "π"]),
    }


def number(i):
    a, b = rnd.randint(2, 900), rnd.randint(2, 900)
    total = a * b
    return {"question": f"{words(2, 5)}: {a} times {b}, number {i}?", "answer": f"It is {a}*{b}.\n#### {total:,}", "hint": rnd.choice(["So", "Thus "])}


def text(i):
    return {
        "source": f"{words(4, 9)} #{i}", "references": [words(3, 7), words(3, 7)], "reference": words(4, 8), "last": " " + words(1, 2),
        "page": "\n".join(words(5, 40) for _ in range(rnd.randint(1, 6))), "sentences": [words(3, 6), words(3, 6) + "!"],
    }


write("choices.jsonl", [choice(i) for i in range(24)])
write("choices_dev.jsonl", [choice(100 + i) for i in range(30)])
numbers = [number(i) for i in range(20)]
write("numbers.jsonl", numbers)
write("numbers_dev.jsonl", [number(100 + i) for i in range(12)])
texts = [text(i) for i in range(20)]
write("texts.jsonl", texts)

# What the model knows, by the end of the prompt: the rest it makes up.
endings = {}
for i, n in enumerate(numbers):
    right = n["answer"].rsplit(" ", 1)[1]
    prompt = "Q: " + n["question"] + "\nA: " + n["hint"]
    endings[prompt] = [f" it is so\n#### {right}.", f" ${right} it is", " 12 eggs, 3 left", f" ####  {right}", f"\n#### {right}, no 7\n\nQ: more"][i % 5]
for i, t in enumerate(texts):
    endings["Rewrite: " + t["source"] + "\n"] = [t["reference"], t["references"][0].upper() + ".", " " + t["references"][1], t["reference"][:9] + " lamp", "x"][i % 5]
    if i % 3 == 0:
        endings[t["source"]] = t["last"]  # what greedy decoding gives
(out / "endings.json").write_text(json.dumps(endings, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
