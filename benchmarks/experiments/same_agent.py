"""*same-agent*: an A/A comparison. The same agent twice must hardly ever be declared different."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.aggregates import paired_p_value
from benchmarks.experiments.frame import Definition, Finding, Score, Size
from benchmarks.experiments.serve import changed_world, user_returns
from benchmarks.rows import resampling, row
from benchmarks.statistics import Interval, paired_difference
from benchmarks.style import figure
from benchmarks.tasks import Report, Task
from recsim_env import get_scenario

NAME = "same-agent"
LEVEL = 0.05
SIZES: dict[str, Size] = {
    "quick": {
        "scenario": "Tiny-v0",
        "policy": "uniform",
        "num_repetitions": 200,
        "seeds_each": 10,
        "users_each": 20,
        "num_seeds": 1,
    },
    "standard": {
        "scenario": "Storefront-v0",
        "policy": "logging",
        "num_repetitions": 2_000,
        "seeds_each": 10,
        "users_each": 50,
        "num_seeds": 1,
    },
    "full": {
        "scenario": "Storefront-v0",
        "policy": "logging",
        "num_repetitions": 10_000,
        "seeds_each": 10,
        "users_each": 100,
        "num_seeds": 1,
    },
}
NUM_PARTS = 8
"""Tasks per seed; repetitions share no user, so that they are independent."""
SECONDS_PER_USER = 0.002


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """The repetitions of a seed in equal parts."""
    return [
        Task(task_name(seed, part), score_part, {"size": dict(size), "seed": seed, "part": part})
        for seed in seeds
        for part in range(NUM_PARTS)
    ]


def task_name(seed: int, part: int) -> str:
    """File stem of a result."""
    return f"part-{part}-seed-{seed}"


def score_part(size: Mapping[str, Any], seed: int, part: int, report: Report) -> dict[str, Any]:
    """Mean reward per user of both sides, for every repetition of a part and each of its seeds.

    Both sides meet the same users with the same luck; the policy's own draws differ, as they do between
    agents.

    Returns:
        {"first", "second": lists [repetitions, seeds_each]}.
    """
    from agents import make_logging_policy

    world = changed_world(size["scenario"], {})
    policy = make_logging_policy(size["policy"], world).policy
    repetitions = size["num_repetitions"] // NUM_PARTS
    shape = (repetitions, size["seeds_each"], size["users_each"])
    count = int(np.prod(shape))
    users = world.users(count, (seed * NUM_PARTS + part) * count)
    steps = get_scenario(size["scenario"]).max_episode_steps
    sides = []
    for side in range(2):
        draws = (seed * NUM_PARTS + part) * 2 + side
        progress = lambda done, side=side: report((side + done) / 2)  # noqa: E731
        returns = user_returns(world, policy, users, draws, steps, progress)
        sides.append(np.reshape(returns, shape).mean(axis=2).tolist())
    return {"first": sides[0], "second": sides[1]}


def declared_different(first: np.ndarray, second: np.ndarray) -> bool:
    """The rule of this project: the 95% interval of the paired difference leaves out 0, and p <= 5%."""
    interval = paired_difference(first, second, resampling())
    leaves_out = interval.lower > 0 or interval.upper < 0
    return bool(leaves_out and paired_p_value(first, second, resampling()) <= LEVEL)


def share_interval(successes: int, trials: int) -> Interval:
    """A share with its exact 95% interval.

    Source: Clopper and Pearson (1934).
    """
    exact = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    return Interval(successes / trials, float(exact.low), float(exact.high), "exact", trials)


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """How often the two sides are declared different."""
    parts = [result(task_name(seed, part)) for seed in seeds for part in range(NUM_PARTS)]
    first, second = (np.concatenate([one[side] for one in parts]) for side in ("first", "second"))
    declared = [declared_different(a, b) for a, b in zip(first, second, strict=True)]
    p_values = [paired_p_value(a, b, resampling()) for a, b in zip(first, second, strict=True)]
    count, trials = sum(declared), len(declared)
    interval = share_interval(count, trials)
    fair = interval.mean <= LEVEL
    judged = f"{'at most' if fair else 'MORE than'} the {LEVEL:.0%} that are allowed"
    if not fair and interval.lower <= LEVEL:
        judged += ", though the interval does not leave that out"
    scenario, policy = size["scenario"], size["policy"]
    finding = Finding(
        f"{scenario}: {policy} against itself was declared different in {count:,} of {trials:,} repetitions "
        f"({interval.mean:.1%} [{interval.lower:.1%}, {interval.upper:.1%}]), {judged}.",
        fair,
    )
    rows = [row(NAME, scenario, policy, "declared_different", interval)]
    return Score(rows, [finding], {"p_values": sorted(p_values)})


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """The distribution of the p-values, which should be uniform."""
    p_values = summary["curves"]["p_values"]
    with figure(folder, "same_agent", figsize=(5.2, 4.2)) as (_, axes):
        share = np.arange(1, len(p_values) + 1) / len(p_values)
        axes.step(p_values, share, where="post", color="#0072b2", label="repetitions")
        axes.plot([0, 1], [0, 1], color="#858585", ls=(0, (2, 2)), label="no difference, no bias")
        axes.axvline(LEVEL, color="#444444", lw=0.8)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("p-value")
        axes.set_ylabel("share of repetitions at or below it")
        axes.set_title(f"The same agent twice · {summary['settings']['scenario']}")
        axes.legend(loc="lower right")


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the users served."""
    users = size["num_repetitions"] * size["seeds_each"] * size["users_each"]
    return 2.0 * len(seeds) * users * SECONDS_PER_USER


EXPERIMENT = Definition(
    NAME,
    "Is the same agent, run twice, declared different in at most 5% of repetitions? It is the false alarm "
    "rate of one paired difference by the rule that comparisons of eight seeds or more follow.",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
