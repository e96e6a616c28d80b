"""*planted*: an agent that is 2% better by construction, and how many users it takes to see that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import PercentFormatter
from scipy import stats

from benchmarks.experiments.frame import Definition, Finding, Score, Size, written
from benchmarks.experiments.same_agent import share_interval
from benchmarks.experiments.serve import changed_world, user_returns
from benchmarks.rows import row
from benchmarks.statistics import Interval
from benchmarks.style import figure
from benchmarks.tasks import Report, Task
from recsim_env import get_scenario

if TYPE_CHECKING:
    from recsim_env import Decision, Policy, World
    from recsim_env.policy import Observation

NAME = "planted"
GAIN = 0.02
LEVEL = 0.05
POWER = 0.8
RESAMPLES = 1_000
CALIBRATION_SEED = 1_000
"""The improvement is fitted on users of this seed, which no report uses."""
SIZES: dict[str, Size] = {
    "quick": {
        "scenario": "Tiny-v0",
        "base": "greedy",
        "num_users": 20_000,
        "calibration_users": 20_000,
        "num_repetitions": 200,
        "num_seeds": 1,
    },
    "standard": {
        "scenario": "Storefront-v0",
        "base": "greedy",
        "num_users": 40_000,
        "calibration_users": 20_000,
        "num_repetitions": 400,
        "num_seeds": 1,
    },
    "full": {
        "scenario": "Storefront-v0",
        "base": "greedy",
        "num_users": 400_000,
        "calibration_users": 200_000,
        "num_repetitions": 1_000,
        "num_seeds": 1,
    },
}
GRID = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""Users per comparison at which power is measured."""
SECONDS_PER_USER = 0.002


class Improved:
    """A policy that hands a share of its decisions to a better one.

    Args:
        base, better: the policies; the better one reads the hidden state.
        share: probability of each decision being the better one's.
    """

    name = "improved"
    needs_state = True

    def __init__(self, base: Policy, better: Any, share: float) -> None:
        self.base, self.better, self.share = base, better, share

    def act(self, observation: Observation, generator: np.random.Generator, state: Any) -> Decision:
        """The base's decision, or the better one's, drawn for each user."""
        decision = self.base.act(observation, generator)
        chosen = np.flatnonzero(generator.random(len(decision.action)) < self.share)
        if not len(chosen):
            return decision
        seen = {name: array[chosen] for name, array in observation.items()}
        action = decision.action.copy()
        action[chosen] = self.better.act(seen, generator, state[chosen]).action
        return decision._replace(action=action)


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One per seed: calibration and returns belong together."""
    return [Task(f"seed-{seed}", score_seed, {"size": dict(size), "seed": seed}) for seed in seeds]


def score_seed(size: Mapping[str, Any], seed: int, report: Report) -> dict[str, Any]:
    """Reward of every user from the base and from the improved policy.

    Returns:
        {"share": of decisions improved, "base", "improved": lists [num_users] of the same users}.
    """
    from agents import MyopicOracle, make_logging_policy

    world = changed_world(size["scenario"], {})
    base, better = make_logging_policy(size["base"], world).policy, MyopicOracle(world)
    share = calibrate(world, base, better, size)
    report(0.5)
    users = world.users(size["num_users"], seed * size["num_users"])
    steps = get_scenario(size["scenario"]).max_episode_steps
    policies: dict[str, Any] = {"base": base, "improved": Improved(base, better, share)}
    returns = {
        name: user_returns(world, policy, users, seed, steps, lambda done: report(0.5 + done / 2))
        for name, policy in policies.items()
    }
    return {"share": share, **returns}


def calibrate(world: World, base: Policy, better: Any, size: Mapping[str, Any]) -> float:
    """The share of improved decisions that raises the reward per user by `GAIN`, on users of another seed.

    By the secant through shares 0 and 5%, then through 0 and what that gave: reward is nearly linear in small
    shares.
    """
    count = size["calibration_users"]
    users = world.users(count, CALIBRATION_SEED * size["num_users"])
    steps = get_scenario(size["scenario"]).max_episode_steps

    def gain(share: float) -> float:
        policy: Any = Improved(base, better, share)
        returns = user_returns(world, policy, users, CALIBRATION_SEED, steps, lambda done: None)
        return float(np.mean(returns)) / floor - 1

    floor = float(np.mean(user_returns(world, base, users, CALIBRATION_SEED, steps, lambda done: None)))
    share = 0.05
    for _ in range(2):
        share = float(np.clip(share * GAIN / gain(share), 1e-4, 1.0))
    return share


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Power by number of users with and without pairing, and the users that pairing saves."""
    results = [result(f"seed-{seed}") for seed in seeds]
    base, improved = (np.concatenate([one[side] for one in results]) for side in ("base", "improved"))
    generator = np.random.default_rng(0)
    repetitions, scenario = size["num_repetitions"], size["scenario"]
    rows: list[dict[str, Any]] = []
    power: dict[str, list[list[float]]] = {}
    for kind in ("paired", "unpaired"):
        power[kind] = []
        for count in (n for n in GRID if n <= len(base) // 4):
            shown = sum(
                detected(base, improved, count, kind == "paired", generator) for _ in range(repetitions)
            )
            interval = share_interval(shown, repetitions)
            rows.append(row(NAME, scenario, f"{kind}, {count} users", "power", interval))
            power[kind].append([count, interval.mean, interval.lower, interval.upper])
    gain = relative(base, improved)
    needed = needed_by_formula(base, improved)
    rows.append(row(NAME, scenario, "improved", "gain", gain))
    for kind, users in needed.items():
        rows.append(row(NAME, scenario, kind, "users_needed", users))
    share = float(np.mean([one["share"] for one in results]))
    percent = gain._replace(mean=100 * gain.mean, lower=100 * gain.lower, upper=100 * gain.upper)
    findings = [
        Finding(
            f"{scenario}: handing {share:.2%} of decisions to the oracle raised reward per user by "
            f"{written(percent, 2, ' %')} (planted: {GAIN:.0%}).",
            True,
        ),
        Finding(
            f"{scenario}: to see it with {POWER:.0%} power it takes, by the formula of a z-test, "
            f"{written(needed['paired'], 0)} users who meet both agents with the same luck, and "
            f"{written(needed['unpaired'], 0)} for each agent when users differ: pairing saves a factor of "
            f"{written(needed['unpaired over paired'], 0)}. The formula takes differences for normal; of the "
            f"sum of their squares {heaviest(base, improved):.0%} comes from 1% of the users, so measured "
            "power differs from it.",
            needed["unpaired over paired"].lower > 1,
        ),
        Finding(
            f"{scenario}: measured, "
            + ", and ".join(
                f"{curve[-1][0]:,} users {kind} see it with power {curve[-1][1]:.0%}"
                for kind, curve in (("paired", until_seen(power["paired"])), ("unpaired", power["unpaired"]))
            )
            + ".",
            True,
        ),
    ]
    return Score(rows, findings, {"power": power, "needed": needed})


def until_seen(curve: Sequence[Sequence[float]]) -> Sequence[Sequence[float]]:
    """The points (users, power, ...) up to the first with enough power; all if there is none."""
    seen = [place for place, point in enumerate(curve) if point[1] >= POWER]
    return curve[: seen[0] + 1] if seen else curve


def detected(
    base: np.ndarray, improved: np.ndarray, count: int, paired: bool, generator: np.random.Generator
) -> bool:
    """Whether a t-test over `count` users per side, drawn from all, sees the improvement.

    Users are the unit here: neither policy learns, so they are independent.
    """
    first = generator.integers(len(base), size=count)
    if paired:
        test = stats.ttest_1samp(improved[first] - base[first], 0.0)
    else:
        test = stats.ttest_ind(improved[first], base[generator.integers(len(base), size=count)])
    return bool(test.pvalue <= LEVEL and test.statistic > 0)


def needed_by_formula(base: np.ndarray, improved: np.ndarray) -> dict[str, Interval]:
    """Users for power `POWER`: "paired", "unpaired" and "unpaired over paired".

    Intervals are percentiles of a bootstrap over users.
    """
    generator = np.random.default_rng(0)

    def figures(chosen: np.ndarray | slice) -> np.ndarray:
        paired, unpaired = (users_needed(base[chosen], improved[chosen], kind) for kind in (True, False))
        return np.array([paired, unpaired, unpaired / paired])

    draws = np.stack([figures(generator.integers(len(base), size=len(base))) for _ in range(RESAMPLES)])
    ends = np.quantile(draws, [0.025, 0.975], axis=0)
    return {
        name: Interval(float(mean), float(low), float(high), "bootstrap", len(base))
        for name, mean, low, high in zip(
            ("paired", "unpaired", "unpaired over paired"), figures(slice(None)), *ends, strict=True
        )
    }


def heaviest(base: np.ndarray, improved: np.ndarray) -> float:
    """The share of the sum of squared differences that comes from the hundredth of users with the largest."""
    squares = np.sort((improved - base) ** 2)
    return float(squares[-max(1, len(squares) // 100) :].sum() / squares.sum())


def users_needed(base: np.ndarray, improved: np.ndarray, paired: bool) -> float:
    """Users per side for power `POWER`: (z_{1 - a/2} + z_power)^2 variance / difference^2.

    Source: Lehr (1992), the sample size of a two-sided z-test.
    """
    difference = improved.mean() - base.mean()
    variance = (improved - base).var() if paired else improved.var() + base.var()
    z = stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER)
    return float(z**2 * variance / difference**2)


def relative(base: np.ndarray, improved: np.ndarray) -> Interval:
    """mean(improved) / mean(base) - 1 with its 95% interval over paired users, by the delta method."""
    scale = base.mean()
    ratio = improved.mean() / scale
    half = stats.norm.ppf(0.975) * stats.sem((improved - ratio * base) / scale)
    return Interval(float(ratio - 1), float(ratio - 1 - half), float(ratio - 1 + half), "delta", len(base))


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """Power against the number of users."""
    looks = {"paired": ("#0072b2", "o", "solid"), "unpaired": ("#d55e00", "s", (0, (5, 2)))}
    with figure(folder, "planted", figsize=(6.0, 4.2)) as (_, axes):
        for kind, (colour, marker, dash) in looks.items():
            count, mean, lower, upper = np.array(summary["curves"]["power"][kind]).T
            axes.plot(count, mean, color=colour, marker=marker, ls=dash, label=f"{kind} users")
            axes.fill_between(count, lower, upper, color=colour, alpha=0.18, lw=0)
        axes.axhline(POWER, color="#858585", lw=0.8, ls=(0, (2, 2)))
        axes.set_xscale("log")
        axes.set_ylim(0, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("users per agent")
        axes.set_ylabel(f"comparisons that see the {GAIN:.0%}")
        axes.set_title(f"A planted improvement of {GAIN:.0%} · {summary['settings']['scenario']}")
        axes.legend(loc="upper left")


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the users served: three times for the calibration, twice for the comparison."""
    users = 3 * size["calibration_users"] + 2 * size["num_users"]
    return float(len(seeds) * users * SECONDS_PER_USER)


EXPERIMENT = Definition(
    NAME,
    "An agent that is 2% better by construction: how many users does it take to see that, with and without "
    "the same users and luck for both?",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
