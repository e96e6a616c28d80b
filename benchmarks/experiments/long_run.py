"""*long-run*: the long run against the next click.

Two questions of the same agents in worlds where what is shown now decides later clicks. Does a larger gamma
pay, and over which horizon? And does next-item accuracy rank agents as their returns do?

Horizons need no runs of their own: a user's first h decisions are the same whether or not the session goes
on (same luck, and agents that do not know where they will be cut), so the reward until h is read off the
curve of the whole session.

Next-item accuracy is that of clicks in a held-out part of the log: the log is longer than what agents learn
from, and the users of its last part are nobody's training users. The item clicked is ranked among all items.

Random items and the myopic oracle stand beside: what is gained over gamma 0 may be no more than what was
missing to the best choices of the moment.

Results depend on this file, not on those that score and draw them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.experiment import Experiment, make_policy, serve_held_out, untrained_policies
from benchmarks.experiments.costs import learning_seconds
from benchmarks.experiments.draw_long_run import draw
from benchmarks.experiments.frame import Definition, Score, Size
from benchmarks.experiments.score_long_run import CUTOFF, NAME, REFERENCES, Results, score_results, swept
from benchmarks.tasks import Report, Task
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log
from recsim_env.metrics import hit_rate, ndcg, ranks_of
from recsim_env.records import Event

if TYPE_CHECKING:
    from recsim_env.event_log import EventLog

SCENARIOS = ["Boredom-v0", "LongTermSatisfaction-v0"]
SIMPLE = ["popular", "item-knn", "sknn", "next-item", "reward-weighted"]
LEARNERS = ["hist", "sqn", "snqn", "sa2c", "ips", "double-dqn:gamma=0.5"]
SIZES: dict[str, Size] = {
    "quick": {
        "scenarios": SCENARIOS,
        "ranked": [*SIMPLE, "sqn", "ips", "double-dqn:gamma=0.9"],
        "gammas": [0.0, 0.9],
        "horizons": [10, 50],
        "log_decisions": 10_000,
        "held_out_decisions": 5_000,
        "num_users": 300,
        "num_seeds": 3,
    },
    "standard": {
        "scenarios": SCENARIOS,
        "ranked": SIMPLE + LEARNERS,
        "gammas": [0.0, 0.5, 0.9, 0.99],
        "horizons": [10, 50],
        "log_decisions": 50_000,
        "held_out_decisions": 20_000,
        "num_users": 500,
        "num_seeds": 10,
    },
    "full": {
        "scenarios": [*SCENARIOS, "Storefront-v0", "InterestEvolution-v0", "Memoryless-v0"],
        "ranked": [*SIMPLE, *LEARNERS, "cql", "sac-rec"],
        "gammas": [0.0, 0.5, 0.9, 0.99],
        "horizons": [10, 50],
        "log_decisions": 1_000_000,
        "held_out_decisions": 100_000,
        "num_users": 5_000,
        "num_seeds": 10,
    },
}
BATCH = 4_096
"""Decisions whose scores of all items are in memory at a time."""


def agents_of(size: Size) -> list[str]:
    """Every agent once: the references, those that are ranked, and those of the sweeps of gamma."""
    sweeps = [agent for family in swept(size["gammas"]).values() for agent in family]
    return list(dict.fromkeys([*REFERENCES, *size["ranked"], *sweeps]))


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each scenario, agent and seed."""
    return [
        Task(
            task_name(scenario, agent, seed),
            score_agent,
            {
                "scenario": scenario,
                "agent": agent,
                "seed": seed,
                "log_decisions": size["log_decisions"],
                "held_out_decisions": size["held_out_decisions"],
                "num_users": size["num_users"],
            },
        )
        for agent in reversed(agents_of(size))
        for scenario in size["scenarios"]
        for seed in seeds
    ]


def task_name(scenario: str, agent: str, seed: int) -> str:
    """File stem of a result."""
    return f"{scenario}-{agent}-seed-{seed}"


def score_agent(
    scenario: str,
    agent: str,
    seed: int,
    log_decisions: int,
    held_out_decisions: int,
    num_users: int,
    report: Report,
) -> dict[str, Any]:
    """Train an agent, rank the held-out clicks, and let it serve the held-out users of the seed.

    Returns:
        {"metrics": name -> number, of all but references `hr@10` and `ndcg@10` among them;
        "cumulative_reward": list, by step}.
    """
    entry = get_scenario(scenario)
    world = World(entry.config)
    experiment = Experiment(entry.id, log_decisions, 0, 1, num_users)
    policy = make_policy(experiment, agent, seed, world, lambda fraction: report(0.8 * fraction))
    accuracy: dict[str, float] = {}
    if agent not in REFERENCES:
        held_out = held_out_log(world, scenario, log_decisions, held_out_decisions, seed)
        accuracy = next_click_accuracy(scorer_of(policy, world), held_out, seed)
    users = world.users(num_users, seed * num_users)
    card = serve_held_out(
        world, policy, users, seed, entry.max_episode_steps, lambda fraction: report(0.8 + 0.2 * fraction)
    )
    return {
        "metrics": card.result() | accuracy,
        "cumulative_reward": card.curves()["cumulative_reward"].tolist(),
    }


def held_out_log(world: World, scenario: str, num_learned: int, num_held_out: int, seed: int) -> EventLog:
    """The part of a seed's log that comes after the users whom agents learned from."""
    logging = untrained_policies(world)["logging"]()
    log = collect_log(get_scenario(scenario).id, logging, num_learned + num_held_out, seed)
    return log.select(slice(len(log.first_users(num_learned)), None))


def scorer_of(policy: Any, world: World) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Observations of b users -> [b, N] float64 scores of all items, by which the agent ranks them.

    Of neighbour methods those before what was seen is put last, since users come back to items; of `popular`
    public popularity.
    """
    from agents import Popular
    from agents.supervised.neighbours import NeighbourAgent

    if isinstance(policy, Popular):
        popularity = world.public_catalog.base_popularity
        return lambda observation: np.tile(popularity, (len(observation["segment"]), 1))
    if isinstance(policy, NeighbourAgent):
        return policy.affinity
    return lambda observation: np.asarray(policy.score(observation)[0])


def next_click_accuracy(
    score: Callable[[dict[str, np.ndarray]], np.ndarray], log: EventLog, seed: int
) -> dict[str, float]:
    """HR and NDCG of a log's clicks, each ranked among all items from what the agent saw before it."""
    row, slot = np.nonzero((log.events & Event.CLICK) > 0)
    item, generator = log.action[row, slot].astype(np.int64), np.random.default_rng([seed, 0])
    ranks = np.concatenate(
        [
            ranks_of(
                score(log.observation(row[start : start + BATCH])), item[start : start + BATCH], generator
            )
            for start in range(0, len(row), BATCH)
        ]
    )
    return {f"hr@{CUTOFF}": hit_rate(ranks, CUTOFF), f"ndcg@{CUTOFF}": ndcg(ranks, CUTOFF)}


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Rewards by gamma and horizon, accuracies, and how alike the two rank agents."""
    results: Results = {
        scenario: {
            agent: [result(task_name(scenario, agent, seed)) for seed in seeds] for agent in agents_of(size)
        }
        for scenario in size["scenarios"]
    }
    return score_results(results, size["ranked"], size["gammas"], size["horizons"])


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the decisions that agents learn from, and the users served."""
    learners = [agent for agent in agents_of(size) if agent not in REFERENCES]
    each = learning_seconds(learners, size["log_decisions"], size["num_users"])
    return len(seeds) * len(size["scenarios"]) * each


EXPERIMENT = Definition(
    NAME,
    "Where what is shown now decides later clicks: does a larger gamma pay, over which horizon? And does "
    "next-item accuracy on the log rank agents as their returns do?",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
