"""Files of each kind, and what the datasets library makes of them, for eval/dataset.

    python docs/peers/lmeval/golden_dataset.py eval/dataset/testdata

needs datasets 5.2.0, pandas 3.1.1 and pyarrow 26.0.1. Writes parquet files and golden.json.gz.
"""

import datetime
import gzip
import json
import os
import random
import sys
import tempfile

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

datasets.disable_progress_bars()

CSV = {
    "types": 'i,f,s,b,m,e,d\n1,1.5,x,True,1,,2020-01-01\n2,2,"y,""z",false,,,\n,nan,NA,TRUE,3,,x\n',
    "floats": "a\n0.1234567890123456789\n1e400\n-inf\n007\n",
    "texts": "a,b,c,d\n007, x,+5,1_000\n8,y ,-0,2\n",
    "booleans": "a,b,c\ntrue,True,yes\nFALSE,,no\n",
    "quotes": 'a,b\n"x,"y\nq"r"s,2\n',
    "quoted numbers": 'a,b\n"1","2.0"\n"3","4"\n',
    "odd numbers": "a,b,c\n1,0x1F,.5\n2,1e3,5.\n",
    "names": "a,a,,b,a.1\n1,2,3,4,5\n",
    "lines": 'a,b\r\n"one\r\ntwo","three\nfour"\r\n\r\n   \r\nx\r\n',
    "unicode": "\ufeffclé,valeur\né,日本\n",
    "one": 'a\n1\n\n""\n2\n',
    "missing": "a,b\n#N/A,x\n-1.#IND,<NA>\nNULL,None\nn/a,none\n",
    "spaces": "a,b,c\n 1 , 1.5 ,True\n2,\t3,True \n",
    "exponents": "a\n1E5\n-2e-3\n+7\n",
    "mixed": "a,b\n1,True\nx,1\n",
    "carriage": "a,b\r1,2\r3,4\r",
    "last": "a,b\n1,2\n3",
}
JSON = {
    "promotion": '{"a":1,"l":[1,2],"o":{"x":1,"y":"t"}}\n{"a":1.5,"l":[2.5],"o":{"x":2.5,"y":null}}\n{"a":null,"l":[],"o":null}\n',
    "columns": '[{"b":1},{"a":"x"},{"c":[true,false]}]',
    "mixed": '{"a":1}\n{"a":"x"}\n{"a":[1,2.5]}\n',
    "objects": '{"n":{"x":1}}\n{"n":{"y":[1,2.5]}}\n',
    "inside": '{"a":[]}\n{"a":[{"x":1},{"y":true}]}\n{"a":null}\n',
    "nested": '{"a":[[1],[2,3]],"b":{"c":{"d":[{"e":1}]}}}\n{"a":[],"b":{"c":{"d":[]}}}\n',
    "booleans": '{"a":true}\n{"a":1}\n',
    "texts": '{"q":"naïve \\u00e9 \\ud83d\\ude00","n":-0.0,"big":9007199254740993}\n',
}


def load(kind, name, text, folder):
    path = os.path.join(folder, name + "." + kind)
    with open(path, "w", newline="") as f:
        f.write(text)
    data = datasets.load_dataset(kind, data_files={"test": path}, cache_dir=os.path.join(folder, "cache", kind + name))["test"]
    return {"text": text, "columns": data.column_names, "rows": [tag(r) for r in data]}


def tag(v):
    """JSON in which 1.0 is not 1."""
    if isinstance(v, bool) or v is None or isinstance(v, str):
        return v
    if isinstance(v, int):
        return {"int": str(v)}
    if isinstance(v, float):
        return {"float": v.hex()}
    if isinstance(v, (list, tuple)):
        return [tag(x) for x in v]
    if isinstance(v, dict):
        return {"keys": list(v), "values": [tag(x) for x in v.values()]}
    return str(v)


def tables():
    rnd = random.Random(5)
    word = lambda: rnd.choice(["a", "bb", "日本", "", "x y", "it's"])
    struct = pa.struct([("text", pa.list_(pa.string())), ("label", pa.list_(pa.string()))])
    rows = []
    for i in range(300):
        n = rnd.randint(0, 4)
        rows.append({
            "zebra": i, "question": word(), "choices": {"text": [word() for _ in range(n)], "label": list("ABCD")[:n]}, "answer": rnd.choice([0, 1, None]),
            "score": rnd.choice([rnd.random(), None]), "flag": rnd.choice([True, False, None]),
            "deep": rnd.choice([None, [], [[]], [[1, None], None, [2]], [None]]), "turns": rnd.choice([None, [], [{"role": "user", "content": word(), "n": [1]}, {"role": None, "content": None, "n": None}], [None]]),
            "kind": rnd.choice(["red", "green", None]), "large": word() * 3, "small": i % 7,
            "when": datetime.datetime(2020, 1, 1, 12, 30, i % 60, (i % 3) * 1000), "day": datetime.date(1960 + i % 80, 1 + i % 12, 1), "f32": i / 3, "f16": None, "one": {"x": {"y": i}},
        })
    schema = pa.schema([
        ("zebra", pa.int64()), ("question", pa.string()), ("choices", struct), ("answer", pa.int32()), ("score", pa.float64()), ("flag", pa.bool_()), ("deep", pa.list_(pa.list_(pa.int64()))),
        ("turns", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("n", pa.list_(pa.int8()))]))), ("kind", pa.dictionary(pa.int32(), pa.string())), ("large", pa.large_string()), ("small", pa.uint8()),
        ("when", pa.timestamp("us")), ("day", pa.date32()), ("f32", pa.float32()), ("f16", pa.null()), ("one", pa.struct([("x", pa.struct([("y", pa.int64())]))])),
    ])
    table = pa.Table.from_pylist(rows, schema)
    yield "snappy", table, {"compression": "snappy", "row_group_size": 100}
    yield "zstd", table.slice(0, 40), {"compression": "zstd", "data_page_version": "2.0", "use_dictionary": False}
    yield "gzip", table.slice(0, 40), {"compression": "gzip", "use_compliant_nested_type": False, "data_page_size": 200}
    required = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("tags", pa.list_(pa.field("item", pa.string(), nullable=False)), nullable=False), pa.field("m", pa.map_(pa.string(), pa.int64()))])
    yield "required", pa.Table.from_pylist([{"id": i, "tags": ["t"] * (i % 3), "m": [("k", i), ("l", None)] if i % 2 else None} for i in range(20)], required), {"compression": "none"}


if __name__ == "__main__":
    folder = sys.argv[1]
    out = {"csv": {}, "json": {}, "parquet": {}}
    with tempfile.TemporaryDirectory() as tmp:
        for name, text in CSV.items():
            out["csv"][name] = load("csv", name, text, tmp)
        for name, text in JSON.items():
            out["json"][name] = load("json", name, text, tmp)
    for name, table, options in tables():
        pq.write_table(table, os.path.join(folder, name + ".parquet"), **options)
        # Rows as the library hands them out; dictionaries of categories as their text.
        out["parquet"][name] = {"columns": table.column_names, "rows": [tag(r) for r in table.to_pylist()]}
    with open(os.path.join(folder, "golden.json.gz"), "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode())
    for f in sorted(os.listdir(folder)):
        if os.path.isfile(os.path.join(folder, f)):
            print(f, os.path.getsize(os.path.join(folder, f)))
