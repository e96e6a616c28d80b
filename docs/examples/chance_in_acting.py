"""What chance in acting brings: the same trained agent shows its best item, or draws one from its scores.

    python docs/examples/chance_in_acting.py --help

An agent learns from a log of the logging policy, and serves the same held-out users with each rule:
the highest score, and Gumbel noise of several amounts (softmax(score / amount), see `agents.acting`).
Rules are compared by seed; p-values are corrected for all comparisons of the run (Holm).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from agents import Acting, ActingConfig, AgentSpec
from benchmarks.experiment import serve_held_out, untrained_policies
from benchmarks.experiments.paired import differences
from benchmarks.rows import over_seeds
from benchmarks.statistics import Interval
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log

METRICS = {
    "reward_per_user": "reward per user",
    "session_length": "session length",
    "user_novelty": "share new to the user",
    "catalog_coverage": "catalog shown",
}
BEST = 0.0
"""In place of an amount of noise: the item of the highest score."""

Results = dict[tuple[str, float], list[dict[str, float]]]
"""(agent, amount) -> metrics of every seed."""


def measure(
    scenario: str, agents: Sequence[str], amounts: Sequence[float], seed: int, decisions: int, users: int
) -> dict[tuple[str, float], dict[str, float]]:
    """Every agent, trained with one seed, by every rule."""
    entry = get_scenario(scenario)
    world = World(entry.config)
    log = collect_log(entry.id, untrained_policies(world)["logging"](), decisions, seed)
    found = {}
    for specification in agents:
        agent = AgentSpec.parse(specification).make().fit(log, world.public_catalog, seed=seed)
        for amount in (BEST, *amounts):
            policy = agent if amount == BEST else Acting(agent, ActingConfig("gumbel", amount))
            card = serve_held_out(
                world,
                policy,
                world.users(users, seed * users),
                seed,
                entry.max_episode_steps,
                lambda done: None,
            )
            result = card.result()
            found[specification, amount] = {metric: result[metric] for metric in METRICS}
    return found


def table_of(results: Results, title: str) -> Table:
    """Means over seeds; the reward with its interval, and what it is above that of the best item."""
    table = Table(title=title, caption="* shown: the 95% interval leaves out 0, and p <= 5% after Holm")
    for heading in ("agent", "rule", *METRICS.values(), "reward minus best item"):
        table.add_column(heading, justify="left" if heading in ("agent", "rule") else "right")
    reward = {arm: np.array([one["reward_per_user"] for one in of]) for arm, of in results.items()}
    noisy = [arm for arm in results if arm[1] != BEST]
    pairs = [(reward[arm], reward[arm[0], BEST]) for arm in noisy]
    compared = (
        dict(zip(noisy, differences(pairs), strict=True)) if len(next(iter(reward.values()))) > 1 else {}
    )
    for arm, of_seeds in results.items():
        agent, amount = arm
        means = [np.mean([one[metric] for one in of_seeds]) for metric in METRICS]
        interval, one = over_seeds(list(reward[arm])), compared.get(arm)
        table.add_row(
            agent,
            "best item" if amount == BEST else f"Gumbel {amount:g}",
            with_ends(interval, ".2f"),
            f"{means[1]:.1f}",
            *(f"{mean:.0%}" for mean in means[2:]),
            "" if one is None else f"{with_ends(one.interval, '+.2f')}{'*' if one.shown else ''}",
        )  # fmt: skip
    return table


def with_ends(interval: Interval, form: str) -> str:
    """A figure with its interval."""
    return f"{interval.mean:{form}} [{interval.lower:{form}}, {interval.upper:{form}}]"


def main(arguments: Sequence[str] | None = None) -> Results:
    """Read the arguments, train and serve, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="Boredom-v0", help="environment id (default: %(default)s)")
    parser.add_argument(
        "--agents",
        nargs="+",
        default=["next-item", "double-dqn", "sqn:acting_head=q"],
        help="learners from logs that score items (default: %(default)s)",
    )
    parser.add_argument(
        "--amounts", nargs="+", type=float, default=[0.1, 1.0], help="of noise (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--decisions", type=int, default=45_000, help="in the log (default: %(default)s)")
    parser.add_argument("--users", type=int, default=500, help="served by each rule (default: %(default)s)")
    given = parser.parse_args(arguments)
    if min(given.seeds, given.decisions, given.users) < 1 or min(given.amounts) <= 0:
        parser.error("--seeds, --decisions and --users must be at least 1, --amounts above 0")
    try:
        scenario = get_scenario(given.scenario).id
        for text in given.agents:
            AgentSpec.parse(text)
    except ValueError as error:
        parser.error(str(error))
    results: Results = {}
    console = Console()
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        found = measure(scenario, given.agents, given.amounts, seed, given.decisions, given.users)
        for arm, metrics in found.items():
            results.setdefault(arm, []).append(metrics)
        console.print(f"seed {seed} is done", style="dim")
    title = f"{scenario.removeprefix('recsim_env/')}, {given.decisions:,} decisions, {given.seeds} seeds"
    console.print(table_of(results, title))
    return results


if __name__ == "__main__":
    main()
