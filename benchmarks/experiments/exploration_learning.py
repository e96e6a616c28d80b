"""Explorers that learn while they serve: what each of *exploration*'s ways to explore earns on the way.

All have the same linear model of the next reward (`agents.bandits`), one regression for every item, and know
nothing when the first user comes. `shared-greedy` has one regression for all items instead: it learns what
topics are worth within a few batches, and never what tells two items of one topic apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.experiment import HELD_OUT_SEED, SCORING_DRAWS
from benchmarks.experiments.serve import listed
from benchmarks.tasks import Report
from recsim_env import World, get_scenario, rollout
from recsim_env.interface import observation_space
from recsim_env.metrics import FullScorecard

if TYPE_CHECKING:
    from agents.acting import Rule
    from agents.bandits.linear_learner import LinearBandit

SIDE_BY_SIDE = 64
"""Users who are served at a time; all of them are learned from after each step."""
BY_DECISION = "regret_by_decision"
CURVE_STEP = 500
"""Decisions between two points of the curve of regret."""
LATE = 0.25
"""The last part of the decisions, in which it shows what was learned."""


@dataclass(frozen=True)
class Explorer:
    """How an arm explores.

    Attributes:
        agent: specification of the bandit.
        rule: of `agents.acting`, over the bandit's means; None where it explores by itself.
        amount: of the rule: epsilon, or the temperature in units of the reward.
    """

    agent: str
    rule: Rule | None = None
    amount: float = 0.0


PER_ITEM = "model=disjoint,acting=explore,propensity_draws=1"
"""Nobody reads the propensity here: a single draw spares time and changes nothing else."""
NO_WIDTH = "exploration=0"
LEARNERS: dict[str, Explorer] = {
    "greedy": Explorer(f"linucb:{PER_ITEM},{NO_WIDTH}"),
    "shared-greedy": Explorer(f"linucb:model=shared,acting=explore,{NO_WIDTH}"),
    **{
        f"epsilon {value:g}": Explorer(f"linucb:{PER_ITEM},{NO_WIDTH}", "epsilon", value)
        for value in (0.02, 0.1)
    },
    **{
        f"softmax {value:g}": Explorer(f"linucb:{PER_ITEM},{NO_WIDTH}", "gumbel", value)
        for value in (0.02, 0.05)
    },
    **{f"UCB {value:g}": Explorer(f"linucb:{PER_ITEM},exploration={value}") for value in (0.1, 0.3)},
    **{f"Thompson {value:g}": Explorer(f"lints:{PER_ITEM},exploration={value}") for value in (0.1, 0.3)},
}
"""Name -> how it explores. Amounts are a sweep, not tuned."""


def learning_name(arm: str) -> str:
    """How an explorer that learns is called in rows."""
    return f"{arm}, learning"


def score_learner(scenario: str, arm: str, seed: int, num_users: int, report: Report) -> dict[str, Any]:
    """Every metric of the users who are served while the arm learns, and its regret over time.

    All arms of one seed meet the same users with the same luck, and seeds share no user. In which order
    users come follows from how long those before them stayed.

    Args:
        scenario: name.
        arm: one of `LEARNERS`.
        seed: of the arm's own draws, and which users it meets.
        num_users: how many.
        report: called with the fraction done.

    Returns:
        {"metrics": those of the full scorecard, and `late_regret_per_step` of the last quarter of the
        decisions; "curves": {BY_DECISION: sums over decisions, one every CURVE_STEP}}.
    """
    entry = get_scenario(scenario)
    world = World(entry.config)
    bandit, policy = explorer(world, LEARNERS[arm])
    card = FullScorecard(world.public_catalog, entry.config.population.num_segments, world.position_weight)
    lost, made = [0.0], [0]
    for batch in rollout(
        world,
        policy,
        world.users(num_users, seed * num_users),
        seed=HELD_OUT_SEED,
        generator=np.random.default_rng([seed, SCORING_DRAWS]),
        max_steps=entry.max_episode_steps,
        batch_size=SIDE_BY_SIDE,
        with_oracle=True,
    ):
        events = batch.events.astype(np.int64)
        bandit.learn_batch(batch.observation, batch.action, batch.reward, events)
        card.update(batch)
        lost.append(lost[-1] + float((batch.best_reward - batch.expected_reward).sum()))
        made.append(made[-1] + len(batch))
        report(card.engagement.num_users / num_users)
    late = (1 - LATE) * made[-1]
    late_regret = (lost[-1] - float(np.interp(late, made, lost))) / (made[-1] - late)
    curve = np.interp(np.arange(0, made[-1] + 1, CURVE_STEP), made, lost)
    return {
        "metrics": card.result() | {"late_regret_per_step": late_regret},
        "curves": {BY_DECISION: listed(curve)},
    }


def explorer(world: World, how: Explorer) -> tuple[LinearBandit, Any]:
    """The bandit that learns, and the policy that acts by what it knows so far."""
    from agents import AgentSpec
    from agents.acting import Acting, ActingConfig
    from agents.spec import ObservationSpec

    bandit = AgentSpec.parse(how.agent).make()
    bandit.start(ObservationSpec.from_space(observation_space(world.config)), world.public_catalog)
    if how.rule is None:
        return bandit, bandit
    return bandit, Acting(bandit, ActingConfig(how.rule, how.amount))
