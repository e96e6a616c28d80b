"""How many users a comparison of two policies needs: on the same users, and on different ones.

    python docs/examples/paired_comparison.py --help

Two policies meet the same users with the same noise, so that what they share cancels in the difference.
Unpaired, as in an A/B test, each policy has users of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from agents import LoggingPolicy, MyopicOracle, PlanningConfig, PlanningOracle, Popular, RandomPolicy
from recsim_env import World, get_scenario, rollout

POLICIES = ("random", "popular", "logging", "myopic", "planning")
NORMAL_95 = 1.96


class Comparison(NamedTuple):
    """Two policies compared on n users each; variances are those of one user's part in the difference."""

    difference_paired: float
    difference_unpaired: float
    variance_paired: float
    variance_unpaired: float
    num_users: int

    @property
    def ratio(self) -> float:
        """How many times more users the unpaired comparison needs for the same interval."""
        return self.variance_unpaired / self.variance_paired if self.variance_paired > 0 else float("inf")


def make_policy(name: str, world: World, max_steps: int) -> Any:
    """One of `POLICIES`."""
    catalog, slate_size = world.public_catalog, world.config.slate_size
    if name == "random":
        return RandomPolicy(len(catalog.topic), slate_size)
    if name == "popular":
        return Popular(catalog, slate_size)
    if name == "logging":
        return LoggingPolicy(catalog, slate_size)
    if name == "myopic":
        return MyopicOracle(world)
    return PlanningOracle(world, max_steps, PlanningConfig(rollouts=2))


def returns(world: World, policy: Any, first: int, count: int, seed: int, max_steps: int) -> np.ndarray:
    """Reward of the sessions of users first .. first + count - 1, [count] float64."""
    total = np.zeros(count)
    users = np.arange(first, first + count)
    generator = np.random.default_rng(seed)
    for batch in rollout(world, policy, users, seed=seed, generator=generator, max_steps=max_steps):
        total[batch.user_id - first] += batch.reward
    return total


def compare(world: World, names: Sequence[str], num_users: int, seed: int, max_steps: int) -> Comparison:
    """Both policies on users 0 .. n - 1, and the second also on users n .. 2n - 1."""
    one, other = (make_policy(name, world, max_steps) for name in names)
    reference = returns(world, one, 0, num_users, seed, max_steps)
    same = returns(world, other, 0, num_users, seed, max_steps)
    different = returns(world, other, num_users, num_users, seed, max_steps)
    return Comparison(
        float(np.mean(same - reference)),
        float(different.mean() - reference.mean()),
        float(np.var(same - reference, ddof=1)),
        float(different.var(ddof=1) + reference.var(ddof=1)),
        num_users,
    )


def describe(result: Comparison, names: Sequence[str], half_width: float) -> str:
    """The comparison in a few lines."""
    rows = [
        ("same users, same luck", result.difference_paired, result.variance_paired),
        ("different users", result.difference_unpaired, result.variance_unpaired),
    ]
    lines = [f"{names[1]} minus {names[0]}, reward per user, {result.num_users:,} users for each policy"]
    for label, difference, variance in rows:
        half = NORMAL_95 * np.sqrt(variance / result.num_users)
        needed = int(np.ceil(variance * (NORMAL_95 / half_width) ** 2))
        lines.append(
            f"  {label:22} {difference:+7.3f} +- {half:.3f}   variance {variance:9.3f}   "
            f"users for +- {half_width:g}: {needed:,}"
        )
    lines.append(f"  variance ratio {result.ratio:.2f}: unpaired, as many times more users are needed")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> Comparison:
    """Read the arguments, compare, print."""
    parser = argparse.ArgumentParser(
        description="Compare two policies on the same users with the same luck, and on different users: "
        "prints the variance of both, their ratio, and how many users each needs for the same interval."
    )
    parser.add_argument("--scenario", default="Storefront-v0", help="environment id (default: %(default)s)")
    parser.add_argument(
        "--policies",
        nargs=2,
        default=("random", "popular"),
        choices=POLICIES,
        metavar=("A", "B"),
        help=f"two of {', '.join(POLICIES)} (default: random popular)",
    )
    parser.add_argument("--users", type=int, default=2_000, help="per policy (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the users (default: %(default)s)")
    parser.add_argument(
        "--half-width", type=float, default=0.1, help="of the 95%% interval wanted (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    if given.users < 2 or given.half_width <= 0:
        parser.error("--users must be at least 2 and --half-width above 0")
    try:
        scenario = get_scenario(given.scenario)
    except ValueError as error:
        parser.error(str(error))
    result = compare(
        World(scenario.config), given.policies, given.users, given.seed, scenario.max_episode_steps
    )
    print(describe(result, given.policies, given.half_width))
    return result


if __name__ == "__main__":
    main()
