"""Platforms of known rewards for `recsim-env deploy --study`: many runs at once, as counts and sums.

Rewards are Bernoulli: a conversion or none. A world is drawn from a seed, so that seeds differ in which arm
is best, by how much, and when that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.deployment import Controller, Decision

ARMS = 4
BEST, SPREAD = 0.12, 0.04
"""Reward of the best arm; the others are worse by up to SPREAD, and by a quarter of it at least."""
SEGMENTS = 3
SEGMENTED_WORLD = "per-segment drift"


class SyntheticWorld(NamedTuple):
    """What arms earn.

    Attributes:
        means: [T, R, S, A] float64 in [0, 1], mean reward by batch, run, segment and arm.
        changes: [R] int, how often the best arm truly changes, in all segments together.
        first_change: [R] int, batch of the first change; T without one.
    """

    means: NDArray[np.float64]
    changes: NDArray[np.int64]
    first_change: NDArray[np.int64]


def draw_arms(luck: np.random.Generator, num_arms: int = ARMS) -> NDArray[np.float64]:
    """[A] mean rewards: one arm at BEST, in a random place."""
    worse = BEST - SPREAD * luck.uniform(0.25, 1.0, num_arms)
    worse[luck.integers(num_arms)] = BEST
    return worse


def swapped(arms: NDArray[np.float64], luck: np.random.Generator) -> NDArray[np.float64]:
    """The same rewards, the best one's exchanged with another's."""
    best = int(arms.argmax())
    other = int(luck.choice(np.flatnonzero(np.arange(len(arms)) != best)))
    changed = arms.copy()
    changed[[best, other]] = arms[[other, best]]
    return changed


def stationary(seed: int, batches: int) -> tuple[NDArray[np.float64], int]:
    """Nothing changes."""
    arms = draw_arms(np.random.default_rng([seed, 1]))
    return np.tile(arms, (batches, 1, 1)), batches


def sudden(seed: int, batches: int) -> tuple[NDArray[np.float64], int]:
    """The best arm changes places with another, between 40 and 60% of the way."""
    luck = np.random.default_rng([seed, 2])
    arms = draw_arms(luck)
    when = int(batches * luck.uniform(0.4, 0.6))
    late = np.arange(batches)[:, None] >= when
    return np.where(late, swapped(arms, luck), arms)[:, None], when


def gradual(seed: int, batches: int) -> tuple[NDArray[np.float64], int]:
    """The same exchange, spread over a quarter of the time."""
    luck = np.random.default_rng([seed, 3])
    arms = draw_arms(luck)
    begin = int(batches * luck.uniform(0.3, 0.5))
    level = np.clip((np.arange(batches)[:, None] - begin) / (batches // 4), 0, 1)
    return ((1 - level) * arms + level * swapped(arms, luck))[:, None], begin + batches // 8


def recurring(seed: int, batches: int) -> tuple[NDArray[np.float64], int]:
    """Two arms exchange places and back, four cycles."""
    luck = np.random.default_rng([seed, 4])
    arms = draw_arms(luck)
    half = batches // 8
    other = (np.arange(batches)[:, None] // half) % 2 == 1
    return np.where(other, swapped(arms, luck), arms)[:, None], half


def per_segment(seed: int, batches: int) -> tuple[NDArray[np.float64], int]:
    """At first all segments want the same arm; then each gets another best one, at its own time."""
    luck = np.random.default_rng([seed, 5])
    arms = draw_arms(luck)
    means = np.tile(arms, (batches, SEGMENTS, 1))
    best, first = int(arms.argmax()), batches
    others = luck.permutation(np.flatnonzero(np.arange(ARMS) != best))
    for segment in range(1, SEGMENTS):
        when = int(batches * luck.uniform(0.25, 0.5))
        first = min(first, when)
        other = others[segment - 1]
        means[when:, segment, [best, other]] = arms[[other, best]]
    return means, first


WORLDS: dict[str, Callable[[int, int], tuple[NDArray[np.float64], int]]] = {
    "stationary": stationary,
    "sudden swap": sudden,
    "gradual drift": gradual,
    "recurring drift": recurring,
    SEGMENTED_WORLD: per_segment,
}
"""Name -> (seed, batches) -> ([T, S, A] means, batch of the first change)."""


def draw_world(name: str, seeds: Sequence[int], batches: int) -> SyntheticWorld:
    """The world of a name, one run for each seed."""
    drawn = [WORLDS[name](seed, batches) for seed in seeds]
    means = np.stack([one[0] for one in drawn], axis=1)
    best = means.argmax(axis=3)
    changes = (best[1:] != best[:-1]).sum(axis=(0, 2))
    return SyntheticWorld(means, changes, np.array([one[1] for one in drawn]))


class Trace(NamedTuple):
    """What happened in R runs.

    Attributes:
        shares: [T, R, A] float64, of the traffic; regret: [T, R] float64, expected reward lost in each batch
            to the best arm of each segment at that moment.
        decisions: of all runs.
    """

    shares: NDArray[np.float64]
    regret: NDArray[np.float64]
    decisions: list[Decision]


def run_many(
    controller: Controller,
    means: NDArray[np.float64],
    batch_size: int,
    generator: np.random.Generator,
    watch: Callable[[NDArray[np.float64]], None] = lambda moments: None,
) -> Trace:
    """Serve T batches in every run of a controller, on Bernoulli rewards.

    Args:
        controller: its arms admitted, R runs.
        means: [T, R, S, A]; R may be 1, for all runs alike. Arms beyond those admitted are not read.
        batch_size: requests a batch, spread evenly over the segments at random.
        generator: of arms and rewards.
        watch: called with the [3, R, S, A] moments of every batch.
    """
    num_runs, num_segments = controller.num_runs, controller.num_segments
    even = np.full(num_segments, 1.0 / num_segments)
    shares_over_time, regrets, decisions = [], [], []
    for of_batch in means:
        shares = controller.shares()
        mean = of_batch[:, :, : shares.shape[2]]
        size = np.random.Generator.multinomial(generator, batch_size, even, size=num_runs)
        count = np.random.Generator.multinomial(generator, size, shares)
        total = generator.binomial(count, np.broadcast_to(mean, count.shape))
        moments = np.stack([count, total, total]).astype(np.float64)
        watch(moments)
        decisions += controller.update(moments, shares)
        best = mean.max(axis=2)
        regrets.append((size * (best - (shares * mean).sum(axis=2))).sum(axis=1))
        shares_over_time.append((shares * size[:, :, None]).sum(axis=1) / batch_size)
    return Trace(np.stack(shares_over_time), np.stack(regrets), decisions)
