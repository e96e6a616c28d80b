"""Golden values of exposure metrics, made by RecBole in an environment of its own.

This script imports nothing of the project. `metric_values.json` comes of

    python3.11 -m venv recbole && recbole/bin/pip install torch==2.13.0 scipy pandas scikit-learn tqdm pyyaml
    recbole/bin/pip install colorlog colorama tabulate texttable psutil tensorboard plotly thop
    recbole/bin/pip install --no-deps recbole==1.2.1
    recbole/bin/python tests/golden/make_metric_values.py

It holds the version, the inputs (from Python's own generator, the same everywhere) and RecBole's figures of
them. `tests/golden/test_metric_values.py` compares ours; docs/metrics.md says where the definitions differ.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from importlib import metadata
from pathlib import Path

import numpy as np
from recbole.evaluator import metrics

FILE = Path(__file__).with_name("metric_values.json")
NUM_ITEMS, NUM_USERS, NUM_SLOTS = 40, 60, 5
TAIL_RATIO = 0.3


def main() -> None:
    """Draw slates and interactions, and write RecBole's figures of them."""
    luck = random.Random(5)
    weight = [1 / (item + 1) for item in range(NUM_ITEMS)]
    slates = []
    for _ in range(NUM_USERS):
        slate: list[int] = []
        while len(slate) < NUM_SLOTS:
            item = luck.choices(range(NUM_ITEMS), weight)[0]
            if item not in slate:
                slate.append(item)
        slates.append(slate)
    counts = Counter(range(NUM_ITEMS)) + Counter(luck.choices(range(NUM_ITEMS), weight, k=2_000))
    config = {"topk": [NUM_SLOTS], "metric_decimal_place": 15, "tail_ratio": TAIL_RATIO}
    matrix = np.array(slates)
    of = {
        name: getattr(metrics, name)(config)
        for name in ("ItemCoverage", "AveragePopularity", "ShannonEntropy", "GiniIndex", "TailPercentage")
    }
    tail, popularity = of["TailPercentage"], of["AveragePopularity"]
    values = {
        "coverage": of["ItemCoverage"].get_coverage(matrix, NUM_ITEMS),
        "gini": of["GiniIndex"].get_gini(matrix, NUM_ITEMS),
        "gini_with_padding": of["GiniIndex"].get_gini(matrix, NUM_ITEMS + 1),
        "entropy": of["ShannonEntropy"].get_entropy(matrix),
        "average_popularity": popularity.metric_info(popularity.get_pop(matrix, dict(counts)))[:, -1].mean(),
        "tail_percentage": tail.metric_info(tail.get_tail(matrix, dict(counts)))[:, -1].mean(),
    }
    content = {
        "versions": {"recbole": metadata.version("recbole"), "numpy": metadata.version("numpy")},
        "inputs": {
            "slates": slates,
            "counts": [counts[item] for item in range(NUM_ITEMS)],
            "tail_ratio": TAIL_RATIO,
        },
        "values": {name: float(value) for name, value in values.items()},
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
