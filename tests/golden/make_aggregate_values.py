"""Golden values of aggregate scores, made by rliable and statsmodels (for Holm) in their own environment.

This script imports nothing of the project. `aggregate_values.json` comes of

    python3.11 -m venv rliable && rliable/bin/pip install rliable==1.2.0 "pandas<3"
    rliable/bin/python tests/golden/make_aggregate_values.py

It holds the versions, the inputs (from Python's own generator, the same everywhere) and their figures.
`tests/golden/test_aggregate_values.py` compares ours.
"""

from __future__ import annotations

import json
import random
from importlib import metadata
from pathlib import Path

import numpy as np
from rliable import library, metrics
from statsmodels.stats.multitest import multipletests

FILE = Path(__file__).with_name("aggregate_values.json")
RUNS, OTHER_RUNS, TASKS = 10, 7, 6


def main() -> None:
    """Draw scores and p-values, and write the libraries' figures of them."""
    luck = random.Random(9)
    scores = [[round(luck.gauss(task, 1 + task / 3), 1) for task in range(TASKS)] for _ in range(RUNS)]
    other = [[round(luck.gauss(task + 0.4, 1.5), 1) for task in range(TASKS)] for _ in range(OTHER_RUNS)]
    p_values = [luck.random() ** 3 for _ in range(9)]
    thresholds = [-1.0, 0.0, 1.5, 3.0, 6.0]
    x, y = np.array(scores), np.array(other)

    def iqm(values: np.ndarray) -> np.ndarray:
        return np.array([metrics.aggregate_iqm(values)])

    _, interval = library.get_interval_estimates({"x": x}, iqm, reps=50_000)
    pairs = {"xy": (x, y)}
    improvement = lambda a, b: np.array([metrics.probability_of_improvement(a, b)])  # noqa: E731
    _, improved = library.get_interval_estimates(pairs, improvement, reps=2_000)
    content = {
        "versions": {name: metadata.version(name) for name in ("rliable", "arch", "statsmodels", "numpy")},
        "inputs": {"scores": scores, "other": other, "p_values": p_values, "thresholds": thresholds},
        "values": {
            "iqm": float(metrics.aggregate_iqm(x)),
            "iqm_interval": interval["x"][:, 0].tolist(),
            "improvement": float(metrics.probability_of_improvement(x, y)),
            "improvement_interval": improved["xy"][:, 0].tolist(),
            "profile": [float(library.run_score_deviation(x, tau)) for tau in thresholds],
            "holm": multipletests(p_values, method="holm")[1].tolist(),
        },
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
