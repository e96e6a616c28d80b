"""*verdict*: every agent in every world, between random and the planning oracle, its controls beside it.

In a world of slates, or of candidates, those agents take part that can learn there.

The oracle looks ahead at every decision and is slow, so it serves only some users of each seed. What it gains
there over the myopic oracle, which serves the same users with the same luck, is added to what the myopic one
earns from all users of the seed:

    ceiling = mean_all(myopic) + mean_few(planning - myopic)
    normalised score = mean over seeds(agent - random) / mean over seeds(ceiling - random)

Both means are paired by seed, over the same users. Most of the gap so rests on all users; and where looking
ahead is worth nothing, planning is the myopic oracle and the few add no error at all. Intervals have the
seeds of agent and gap together (`normalised.Gap`).

Results depend on this file, not on those that score and draw them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.choices import why_unable
from benchmarks.experiment import Experiment, score_agent, serve_held_out
from benchmarks.experiments.costs import learning_seconds
from benchmarks.experiments.draw_verdict import draw
from benchmarks.experiments.frame import Definition, Score, Size
from benchmarks.experiments.normalised import PLANNING
from benchmarks.experiments.score_verdict import NAME, Results, score_results
from benchmarks.summary import REFERENCES
from benchmarks.tasks import Report, Task
from recsim_env import SCENARIOS, World, get_scenario

SLATES = ["ips:slates=items,behaviour=estimated"]
"""In worlds of slates only: with one item it is another agent's name."""
CORE = [
    "next-item",
    "sqn",
    "sqn:gamma=0.0",
    "sqn:shuffled_reward=true",
    "sqn:td_weight=0.0",
    "double-dqn",
    "double-dqn:gamma=0.0",
    "linucb",
]
"""What the two negative controls need, and the cheapest learner from live users."""
MORE = [
    "item-knn",
    "reward-weighted",
    "hist",
    "sqn:acting_head=q",
    "sqn:acting_head=q,gamma=0.0",
    "sqn:bootstrap=logged",
    "snqn",
    "sa2c",
    "ips",
    "ips:gamma=0.0",
    "ips:weighting=none",
    "slateq",
    "slateq:gamma=0.0",
    "dqn",
]
MOST = [
    "sknn",
    "reward-rates",
    "sac-rec",
    "cql",
    "snqn:gamma=0.0",
    "sa2c:gamma=0.0",
    "dqn:gamma=0.0",
    "bootstrapped",
    "lints",
]
SIZES: dict[str, Size] = {
    "quick": {
        "scenarios": ["Tiny-v0", "Memoryless-v0"],
        "agents": [*REFERENCES, *CORE],
        "log_decisions": 10_000,
        "online_decisions": 10_000,
        "online_users": 64,
        "num_users": 500,
        "planning_users": 20,
        "num_seeds": 3,
    },
    "standard": {
        "scenarios": ["Storefront-v0", "Boredom-v0", "LongTermSatisfaction-v0", "Memoryless-v0"],
        "agents": [*REFERENCES, *CORE, *MORE],
        "log_decisions": 45_000,
        "online_decisions": 45_000,
        "online_users": 64,
        "num_users": 500,
        "planning_users": 15,
        "num_seeds": 10,
    },
    "full": {
        "scenarios": list(SCENARIOS),
        "agents": [*REFERENCES, *CORE, *MORE, *MOST],
        "log_decisions": 1_000_000,
        "online_decisions": 1_000_000,
        "online_users": 64,
        "num_users": 5_000,
        "planning_users": 200,
        "num_seeds": 10,
    },
}


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each scenario, agent and seed; the planning oracle, which takes longest, first."""
    made = [
        Task(
            task_name(scenario, PLANNING, seed),
            score_planning,
            {
                "scenario": scenario,
                "seed": seed,
                "num_users": size["planning_users"],
                "eval_users": size["num_users"],
            },
        )
        for scenario in size["scenarios"]
        for seed in seeds
    ]
    return made + [
        Task(
            task_name(scenario, agent, seed),
            score_agent,
            {"experiment": experiment_of(size, scenario), "agent": agent, "seed": seed},
        )
        for agent in reversed([*size["agents"], *SLATES])
        for scenario in size["scenarios"]
        if agent in agents_in(size, scenario)
        for seed in seeds
    ]


def agents_in(size: Size, scenario: str) -> list[str]:
    """Those of a size that can learn in a scenario, or need not."""
    config = get_scenario(scenario).config
    asked = [*size["agents"], *(SLATES if config.slate_size > 1 else [])]
    return [agent for agent in asked if why_unable(agent.partition(":")[0], config) is None]


def experiment_of(size: Size, scenario: str) -> Experiment:
    """What every agent gets in a scenario."""
    return Experiment(
        get_scenario(scenario).id,
        size["log_decisions"],
        size["online_decisions"],
        size["online_users"],
        size["num_users"],
    )


def task_name(scenario: str, agent: str, seed: int) -> str:
    """File stem of a result."""
    return f"{scenario}-{agent}-seed-{seed}"


def score_planning(
    scenario: str, seed: int, num_users: int, eval_users: int, report: Report
) -> dict[str, Any]:
    """What the planning oracle gains over the myopic one on some of a seed's held-out users.

    Args:
        scenario: its name.
        seed: training seed of the agents that meet the same users.
        num_users: how many of them, evenly from all.
        eval_users: how many held-out users the seed has; see `benchmarks.experiment.score_agent`.
        report: called with the fraction done.

    Returns:
        {"gain": {"reward_per_user", "session_length"}}: means of planning - myopic, paired by user.
    """
    from agents import MyopicOracle, PlanningOracle

    entry = get_scenario(scenario)
    world = World(entry.config)
    users = world.users(eval_users, seed * eval_users)[:: max(1, eval_users // num_users)][:num_users]
    oracles: list[Any] = [MyopicOracle(world), PlanningOracle(world, entry.max_episode_steps)]
    figures = []
    for part, oracle in enumerate(oracles):
        progress = lambda done, part=part: report((part + done) / 2)  # noqa: E731
        card = serve_held_out(world, oracle, users, seed, entry.max_episode_steps, progress)
        figures.append(card.result())
    myopic, planning = figures
    return {"gain": {name: planning[name] - myopic[name] for name in ("reward_per_user", "session_length")}}


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Every metric, normalised scores, differences of twins, the negative controls, and all worlds as one."""
    results: Results = {
        scenario: {
            agent: [result(task_name(scenario, agent, seed)) for seed in seeds]
            for agent in [*agents_in(size, scenario), PLANNING]
        }
        for scenario in size["scenarios"]
    }
    return score_results(results)


SECONDS_PER_PLANNED_USER = {
    "Tiny-v0": 0.01,
    "Boredom-v0": 0.35,
    "Memoryless-v0": 0.36,
    "InterestExploration-v0": 0.5,
    "Storefront-v0": 2.0,
    "StorefrontCalibrated-v0": 4.7,
    "TwoStage-v0": 7.0,
    "Lifetime-v0": 12.2,
    "StorefrontSlate-v0": 13.1,
}
"""As in docs/results/headroom.json; about 1 in other worlds."""
SLATES_TAKE = 2.0
"""As long to learn from, ten of 10,000 items, as one of 1,000."""


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the decisions that agents learn from, the users served, and those planned for."""
    seconds = 0.0
    for scenario in size["scenarios"]:
        learned = learning_seconds(agents_in(size, scenario), size["log_decisions"], size["num_users"])
        seconds += learned * (SLATES_TAKE if get_scenario(scenario).config.slate_size > 1 else 1.0)
        seconds += size["planning_users"] * SECONDS_PER_PLANNED_USER.get(scenario, 1.0)
    return len(seeds) * seconds


EXPERIMENT = Definition(
    NAME,
    "Which agent earns how much of what can be earned, in which world; what of it is owed to foresight, to "
    "values, to the correction of the log? Is a learner ever better where it cannot be?",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
