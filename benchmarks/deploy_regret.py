"""Regret of every strategy in changing synthetic worlds: tasks of `recsim-env deploy --study`."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.deploy_worlds import draw_world, run_many
from benchmarks.tasks import Report
from recsim_env.deployment import Controller, Settings, make_strategy

BATCH_SIZE = 1_000
SETTINGS = Settings(control_share=0.02, floor=0.01)
WRONG_ESTIMATE = 0.005
"""Standard deviation of the offline estimates that `validation` goes by."""


def regret(world: str, strategy: str, seeds: list[int], batches: int, report: Report) -> dict[str, Any]:
    """One strategy in one world, a run for each seed.

    Returns:
        columns with one entry a seed: reward (expected, of the best arm of each segment at each moment),
        regret (expected, lost to that), unavoidable (lost by control slice and floor alone), single (lost by
        the best single arm at each moment), fixed (regret to the best single arm of the whole run), switches,
        changes (true ones), detected, recovered (requests from the first change until the new best arm has
        the majority, None if never); and curve: mean regret by batch, cumulated; shares: [T, A] of seed 0.
    """
    drawn = draw_world(world, seeds, batches)
    generator = np.random.default_rng([seeds[0], 21])
    num_segments, num_arms = drawn.means.shape[2:]
    controller = Controller(make_strategy(strategy), generator, SETTINGS, num_segments, len(seeds))
    for arm in range(num_arms):
        luck = np.random.default_rng([seeds[0], arm, 22])
        controller.admit(
            f"arm {arm}", float(drawn.means[0, :, :, arm].mean() + luck.normal(0, WRONG_ESTIMATE))
        )
    trace = run_many(
        controller, drawn.means, BATCH_SIZE, generator, lambda _: report(controller.batches / batches)
    )
    means = drawn.means
    best = means.max(axis=3)
    overall = means.mean(axis=2)
    shares = trace.shares
    floor, slice_ = SETTINGS.floor, SETTINGS.control_share
    forced = (1 - slice_) * floor * (best[..., None] - means).sum(axis=3) + slice_ * (best - means[..., 0])
    switches, detected = np.zeros((2, len(seeds)), np.int64)
    for decision in trace.decisions:
        switches[decision.run] += decision.kind == "leader"
        detected[decision.run] += decision.kind == "change"
    earned = BATCH_SIZE * (best.mean(axis=2).sum(axis=0)) - trace.regret.sum(axis=0)
    recovered = []
    for run, when in enumerate(drawn.first_change.tolist()):
        target = overall[min(when + batches // 8, batches - 1), run].argmax()
        led = np.flatnonzero(shares[when:, run, target] > 0.5)
        recovered.append(int(led[0] + 1) * BATCH_SIZE if when < batches and len(led) else None)
    return {
        "reward": (BATCH_SIZE * best.mean(axis=2).sum(axis=0)).tolist(),
        "regret": trace.regret.sum(axis=0).tolist(),
        "unavoidable": (BATCH_SIZE * forced.mean(axis=2).sum(axis=0)).tolist(),
        "single": (BATCH_SIZE * (best.mean(axis=2) - overall.max(axis=2)).sum(axis=0)).tolist(),
        "fixed": (BATCH_SIZE * overall.sum(axis=0).max(axis=1) - earned).tolist(),
        "switches": np.maximum(switches - 1, 0).tolist(),
        "changes": drawn.changes.tolist(),
        "detected": detected.tolist(),
        "recovered": recovered,
        "curve": np.cumsum(trace.regret.mean(axis=1)).round(2).tolist(),
        "shares": shares[:, 0].round(4).tolist(),
    }
