"""`python -m benchmarks.ope_rate`: how long each single-step estimator takes on many rows."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from recsim_env import ope


def main() -> None:
    """Draw rows of a bandit of 20 actions, and time every estimator on them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="logged decisions (default: %(default)s)"
    )
    n = parser.parse_args().rows
    generator = np.random.default_rng(0)
    value, target = generator.random(20), generator.dirichlet(np.ones(20))
    action = generator.integers(20, size=n)
    reward = (generator.random(n) < value[action]).astype(np.float64)
    log = ope.LoggedDecisions(reward, np.full(n, 1 / 20), target[action])
    predicted = ope.PredictedRewards(value[action], np.full(n, float(target @ value)))
    shown = np.eye(20)[action]
    runs: dict[str, Callable[[], ope.Estimate]] = {
        name: lambda name=name: ope.evaluate(log, predicted, estimators=[name])[0]  # type: ignore[misc]
        for name in ("ips", "clipped_ips", "snips", "dm", "dr", "sndr", "switch_dr", "dr_shrinkage")
    }
    runs["mrdr"] = lambda: ope.mrdr(log, shown, np.tile(target, (n, 1)))
    runs["mips"] = lambda: ope.mips(log, log.logging_propensity, log.target_propensity)
    print(f"{n:,} rows; the target policy is worth {float(target @ value):.4f}")
    for name, run in runs.items():
        began = time.perf_counter()
        one = run()
        print(f"{name:<14}{one.value:.4f} +- {one.standard_error:.4f}   {time.perf_counter() - began:6.2f} s")


if __name__ == "__main__":
    main()
