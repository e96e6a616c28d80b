"""*reward-design*: sweeping purchase against click weights moves what agents do, as the modeller intends.

What an agent does is asked where every agent is in the same situation: at the first decision of the same
held-out users, by the exact probabilities of a click and of a purchase of what it shows. What comes of it
over whole sessions is counted beside; it need not follow, since what is shown also decides how long users
stay.

Every reward is divided by its standard deviation over decisions of the logging policy, so that learners
meet rewards of one size. Results depend on this file, not on those that score and draw them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmarks.experiment import HELD_OUT_SEED, SCORING_DRAWS, serve_held_out, untrained_policies
from benchmarks.experiments.costs import learning_seconds
from benchmarks.experiments.draw_reward_design import draw
from benchmarks.experiments.frame import Definition, Score, Size
from benchmarks.experiments.score_reward_design import NAME, score_results
from benchmarks.experiments.serve import CE_AND_Q, acting_by, changed_world
from benchmarks.tasks import Report, Task
from recsim_env import Policy, World, get_scenario
from recsim_env.event_log import EventLog, collect_log
from recsim_env.truth import slate_truth

REWARDS: dict[str, dict[str, float]] = {
    "clicks only": {"click": 1.0, "purchase": 0.0},
    "clicks + 0.1 purchases": {"click": 1.0, "purchase": 0.1},
    "clicks + purchases": {"click": 1.0, "purchase": 1.0},
    "purchases only": {"click": 0.0, "purchase": 1.0},
    "revenue only": {"click": 0.0, "purchase": 1.0, "price_exponent": 1.0},
}
"""Name -> weights, up to the factor that makes them one size; likes count nothing. The first four are the
sweep, in its order; under `revenue only` a purchase counts its price."""
ENDS = ("clicks only", "purchases only")
"""Of the sweep, where the controls with shuffled rewards are asked for."""
ORACLE = "myopic"
REFERENCES = ("random", "popular", "logging")
"""Whom no reward moves."""
BY_EITHER_HEAD = ("sqn",)
"""Agents that are trained once, and serve as two arms."""
SHUFFLED = ":shuffled_reward=true"
CALIBRATION_SEED, CALIBRATION_DECISIONS = 10**6, 20_000
SCENARIOS = ["PriceTiers-v0", "PriceTiersLuxury-v0"]
SIZES: dict[str, Size] = {
    "quick": {
        "scenarios": ["PriceTiers-v0"],
        "agents": [ORACLE, "ips", "sqn"],
        "controls": [],
        "num_users": 100,
        "first_users": 1_000,
        "log_decisions": 10_000,
        "num_seeds": 3,
    },
    "standard": {
        "scenarios": SCENARIOS,
        "agents": [ORACLE, "ips", "sqn"],
        "controls": ["ips" + SHUFFLED, "sqn" + SHUFFLED],
        "num_users": 500,
        "first_users": 2_000,
        "log_decisions": 130_000,
        "num_seeds": 10,
    },
    "full": {
        "scenarios": SCENARIOS,
        "agents": [ORACLE, "ips", "sqn"],
        "controls": ["ips" + SHUFFLED, "sqn" + SHUFFLED],
        "num_users": 5_000,
        "first_users": 10_000,
        "log_decisions": 1_000_000,
        "num_seeds": 20,
    },
}
SECONDS_PER_USER = 0.004


def pairs_of(size: Size) -> list[tuple[str, str]]:
    """(agent, reward): the longest trainings first; of references the reward is the first."""
    learned = [(agent, reward) for agent in reversed(size["agents"]) for reward in REWARDS]
    shuffled = [(agent, reward) for agent in size["controls"] for reward in ENDS]
    return [*learned, *shuffled, *((agent, ENDS[0]) for agent in REFERENCES)]


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each seed, scenario, agent and reward."""
    return [
        Task(
            task_name(scenario, agent, reward, seed),
            score_reward,
            {
                "scenario": scenario,
                "agent": agent,
                "reward": reward,
                "seed": seed,
                **{name: size[name] for name in ("num_users", "first_users", "log_decisions")},
            },
        )
        for seed in seeds
        for scenario in size["scenarios"]
        for agent, reward in pairs_of(size)
    ]


def task_name(scenario: str, agent: str, reward: str, seed: int) -> str:
    """File stem of a result."""
    return f"{scenario}-{agent.replace(':', '-').replace('=', '-')}-{list(REWARDS).index(reward)}-seed-{seed}"


def score_reward(
    scenario: str,
    agent: str,
    reward: str,
    seed: int,
    num_users: int,
    first_users: int,
    log_decisions: int,
    report: Report,
) -> dict[str, Any]:
    """What the arms of an agent that was made for a reward do, and what comes of it, on held-out users.

    The oracle maximises that reward. A learner has a log of the logging policy in which that reward is
    written; but for the reward, the logs are the same.

    Returns:
        {"log": a digest of what the log's users were shown and did, None without a log;
        "arms": {arm: {"metrics", "curves": of whole sessions; "first": see `first_decision`}}}.
    """
    world = rewarding_world(scenario, reward)
    arms, digest = made_for(world, scenario, agent, log_decisions, seed, report)
    steps, users = get_scenario(scenario).max_episode_steps, world.users(num_users, seed * num_users)
    first = world.users(first_users, seed * first_users)
    found = {}
    for arm, policy in arms.items():
        card = serve_held_out(world, policy, users, seed, steps, lambda _: None)
        found[arm] = {
            "metrics": card.result(),
            "curves": {name: curve.tolist() for name, curve in card.curves().items()},
            "first": first_decision(world, policy, first, seed),
        }
        report(0.9 + 0.1 * len(found) / len(arms))
    return {"log": digest, "arms": found}


def made_for(
    world: World, scenario: str, agent: str, log_decisions: int, seed: int, report: Report
) -> tuple[dict[str, Any], str | None]:
    """The arms of an agent that was made in a world, and the digest of its log, if it had one."""
    from agents import AgentSpec

    untrained = untrained_policies(world)
    if agent in untrained:
        return {agent: untrained[agent]()}, None
    log = logged(world, scenario, log_decisions, seed)
    learned: Any = (
        AgentSpec.parse(agent)
        .make()
        .fit(log, world.public_catalog, seed=seed, progress=lambda step, total, _: report(0.9 * step / total))
    )
    if agent.partition(":")[0] not in BY_EITHER_HEAD:
        return {agent: learned}, digest_of(log)
    return {agent + ending: acting_by(learned, head) for ending, head in CE_AND_Q.items()}, digest_of(log)


def logged(world: World, scenario: str, decisions: int, seed: int) -> EventLog:
    """A log of the logging policy, which goes by the public catalog and so is the same under every reward."""
    policy = untrained_policies(world)["logging"]()
    steps = get_scenario(scenario).max_episode_steps
    return collect_log(world, policy, decisions, seed, max_steps=steps)


def digest_of(log: EventLog) -> str:
    """Of everything but the reward."""
    total = hashlib.sha256()
    for column in (log.user_id, log.action, log.events):
        total.update(np.ascontiguousarray(column).tobytes())
    return total.hexdigest()[:16]


@cache
def rewarding_world(scenario: str, reward: str) -> World:
    """The world of a scenario with one of `REWARDS`, whose standard deviation over logged decisions is 1."""
    weights = {"like": 0.0, "price_exponent": 0.0, **REWARDS[reward]}
    plain = changed_world(scenario, {"reward": weights})
    size = float(np.std(logged(plain, scenario, CALIBRATION_DECISIONS, CALIBRATION_SEED).reward))
    scaled = {name: weights[name] / size for name in ("click", "purchase")}
    return changed_world(scenario, {"reward": {**weights, **scaled}})


def first_decision(world: World, policy: Policy, users: np.ndarray, seed: int) -> dict[str, float]:
    """What a policy shows users who have just come, by exact probabilities.

    Returns:
        Means over users of the expected `clicks`, `purchases` and `revenue` of what is shown, and of its
        `price`.
    """
    count = len(users)
    states = world.empty_states(count)
    arrays = world.reset(HELD_OUT_SEED, states, np.arange(count), users, np.zeros(count, np.int64))
    extra = (states,) if getattr(policy, "needs_state", False) else ()
    generator = np.random.default_rng([seed, SCORING_DRAWS])
    slates = policy.act(arrays.visible(len(world.items)), generator, *extra).action.reshape(count, -1)
    truth, price = slate_truth(world, states, slates), world.public_catalog.price[slates]
    bought = truth.click_prob * truth.purchase_prob
    sums = {"clicks": truth.click_prob, "purchases": bought, "revenue": bought * price}
    means = {name: float(part.sum(axis=1).mean()) for name, part in sums.items()}
    return {**means, "price": float(price.mean())}


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Rows and findings of all scenarios.

    Raises:
        ValueError: the logs of a seed differ in more than the reward.
    """
    results: dict[str, dict[tuple[str, str], list[Mapping[str, Any]]]] = {}
    for scenario in size["scenarios"]:
        found = results.setdefault(scenario, {})
        logs: dict[int, set[str]] = {}
        for agent, reward in pairs_of(size):
            for seed in seeds:
                one = result(task_name(scenario, agent, reward, seed))
                logs.setdefault(seed, set()).update({one["log"]} - {None})
                for arm, measured in one["arms"].items():
                    found.setdefault((arm, reward), []).append(measured)
        for seed, digests in logs.items():
            if len(digests) > 1:
                raise ValueError(
                    f"{scenario}, seed {seed}: expected one log under all rewards, got {sorted(digests)}"
                )
    return score_results(results, list(REWARDS), REFERENCES)


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the users served, and by the decisions that learners learn from."""
    pairs = pairs_of(size)
    learned = [agent for agent, _ in pairs if agent not in (ORACLE, *REFERENCES)]
    doubled = sum(agent.partition(":")[0] in BY_EITHER_HEAD for agent in learned)
    served = (len(pairs) + doubled) * size["num_users"] * SECONDS_PER_USER
    each = learning_seconds(learned, size["log_decisions"], 0) + served + len(pairs)
    return len(seeds) * len(size["scenarios"]) * each


EXPERIMENT = Definition(
    NAME,
    "Does weighing purchases against clicks move what agents do as the modeller intends? Clicks, purchases "
    "and revenue of agents made for five rewards, in a world of cheap goods and in its luxury twin.",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
