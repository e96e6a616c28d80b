"""Golden values of next-item accuracy, made by RecBole in an environment of its own.

This script imports nothing of the project. `ranking_values.json` comes of

    recbole/bin/python tests/golden/make_ranking_values.py

in the environment that `make_metric_values.py` describes. It holds the version, the ranks (from Python's own
generator) and RecBole's figures of them; `tests/golden/test_ranking_values.py` compares ours.
"""

from __future__ import annotations

import json
import random
from importlib import metadata
from pathlib import Path

import numpy as np
from recbole.evaluator import metrics

FILE = Path(__file__).with_name("ranking_values.json")
np.float = np.float64  # noqa: NPY001 - the name of RecBole, which NumPy has dropped
NUM_LISTS, NUM_ITEMS, CUTOFFS = 80, 50, (5, 10, 20)


def main() -> None:
    """Draw the ranks of one item in each list, and write RecBole's figures of them."""
    luck = random.Random(8)
    ranks = [int(NUM_ITEMS * luck.random() ** 2) for _ in range(NUM_LISTS)]
    hits = np.zeros((NUM_LISTS, max(CUTOFFS)), bool)  # RecBole: whether each place of a list has the item
    for row, rank in enumerate(ranks):
        if rank < max(CUTOFFS):
            hits[row, rank] = True
    relevant = np.ones(NUM_LISTS, np.int64)
    config = {"topk": list(CUTOFFS), "metric_decimal_place": 15}
    hit, gain = metrics.Hit(config).metric_info(hits), metrics.NDCG(config).metric_info(hits, relevant)
    content = {
        "versions": {"recbole": metadata.version("recbole"), "numpy": metadata.version("numpy")},
        "ranks": ranks,
        "values": {
            str(k): {"hit_rate": float(hit[:, k - 1].mean()), "ndcg": float(gain[:, k - 1].mean())}
            for k in CUTOFFS
        },
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
