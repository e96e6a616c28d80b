"""What MABWiser's LinUCB and LinTS make of fixed data, for `test_linear_bandit_values.py`.

    python -m venv mabwiser-venv && mabwiser-venv/bin/pip install mabwiser==2.7.4
    mabwiser-venv/bin/python tests/golden/make_linear_bandit_values.py

MABWiser (Strong, Kleynhans and Kadioglu 2019) fits one ridge regression per arm, as Li et al. (2010) do. The
data are written into the file, so the test needs no generator.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

ARMS, DIM, ALPHA, RIDGE = 3, 4, 1.25, 0.7
TARGET = Path(__file__).with_name("linear_bandit_values.json")


def main() -> None:
    """Write the golden file."""
    draws = np.random.default_rng(20_100)
    arm = draws.integers(ARMS, size=40)
    features = draws.normal(size=(40, DIM)).round(3)
    reward = (draws.random(40) < 0.4).astype(float)
    seen = draws.normal(size=(5, DIM)).round(3)

    ucb = MAB(list(range(ARMS)), LearningPolicy.LinUCB(alpha=ALPHA, l2_lambda=RIDGE))
    ucb.fit(arm[:25], reward[:25], features[:25])
    ucb.partial_fit(arm[25:], reward[25:], features[25:])
    scores = ucb.predict_expectations(seen)

    thompson = MAB(list(range(ARMS)), LearningPolicy.LinTS(alpha=ALPHA, l2_lambda=RIDGE), seed=7)
    thompson.fit(arm, reward, features)
    drawn = np.array(
        [
            [list(row.values()) for row in thompson.predict_expectations(np.repeat(seen[:1], 2_000, axis=0))]
            for _ in range(5)
        ]
    ).reshape(-1, ARMS)
    models = [thompson._imp.arm_to_model[own] for own in range(ARMS)]
    values = {
        "mabwiser": metadata.version("mabwiser"),
        "alpha": ALPHA,
        "ridge": RIDGE,
        "arm": arm.tolist(),
        "features": features.tolist(),
        "reward": reward.tolist(),
        "seen": seen.tolist(),
        "ucb": [[row[own] for own in range(ARMS)] for row in scores],
        "theta": [model.beta.tolist() for model in models],
        "thompson_mean": drawn.mean(axis=0).tolist(),
        "thompson_std": drawn.std(axis=0).tolist(),
        "thompson_draws": len(drawn),
    }
    TARGET.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
