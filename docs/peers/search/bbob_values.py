"""Costs of BBOB-2009 functions at fixed points, by the Python definitions that pycma ships.

    pip install cma numpy
    python docs/peers/search/bbob_values.py > search/problem/testdata/bbob.json
"""
import json

import numpy as np
from cma import bbobbenchmarks as bn

rows = []
for number in [1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 101]:
    for dim in [2, 5, 20]:
        for instance in [1, 2, 5]:
            f = getattr(bn, "F%d" % number)(instance)
            for k in range(2):
                x = np.array([round(5.5 * np.sin(1.7 * i + k + instance), 3) for i in range(dim)])
                value = float(f._evalfull(x)[1])
                rows.append({"function": number, "instance": instance, "x": x.tolist(),
                             "cost": value, "best": float(f.fopt)})
print("[" + ",\n ".join(json.dumps(r) for r in rows) + "]")
