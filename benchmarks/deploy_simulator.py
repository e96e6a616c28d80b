"""Recommendation policies as arms of a deployment: what each earns from each user, and deployments on that.

Users of one session do not meet, and a user's luck is the same whoever serves. So every arm serves every user
once, and a deployment looks up what the arm that it chose has earned: the same as serving live, and what the
other arms would have earned is known for regret. Strategies see nothing but the look-ups.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.choices import find_policy
from benchmarks.tasks import Report
from recsim_env import World, get_scenario, ope, rollout
from recsim_env.deployment import (
    RAMP,
    Batch,
    Controller,
    Deployment,
    Feedback,
    Settings,
    json_line,
    make_strategy,
    text_line,
)
from recsim_env.event_log import EventLog, sorted_columns

RESPONSE_CAP = 60.0
"""Returns of a session are clipped here for the tests of rollback, which want a bounded response."""
WINDOW = 0.1
"""Share of the run over which an arm's reward is averaged to say which is the best at a time."""
VALIDATION_USERS = 1_000
VALIDATION_SHARE = 0.05
"""Offline estimates come from users of the logging policy in the first part of the run."""
OTHER_USERS = 10**9
"""First of the users of validation logs."""
SIMULATOR_SETTINGS = Settings(control_share=0.02, floor=0.01, high=RESPONSE_CAP)
"""Of the study's rows, as in its synthetic worlds."""


class Table(NamedTuple):
    """What every arm earns from every user, in the order of arrival.

    Attributes:
        reward: [A, n] float64, return of the user's session; user_id, segment: [n] int64; hour: [n] float64,
            of arrival, 0 in worlds without a run.
    """

    reward: NDArray[np.float64]
    user_id: NDArray[np.int64]
    segment: NDArray[np.int64]
    hour: NDArray[np.float64]


def serve_arm(
    scenario: str, arm: str, seed: int, num_users: int, first: int, report: Report
) -> dict[str, Any]:
    """One arm serves everyone.

    Returns:
        {"reward", "user_id", "segment", "hour": one entry a user, "estimate": SNIPS of a decision's reward
        from an earlier log of the logging policy, None where the policy does not state its probabilities}.
    """
    world = World(get_scenario(scenario).config)
    policy = find_policy("--arms", arm, world)
    users = world.users(num_users, first)
    reward, hour = np.zeros(num_users), np.zeros(num_users)
    segment, finished = np.zeros(num_users, np.int64), 0
    generator = np.random.default_rng([seed, 31])
    steps = get_scenario(scenario).max_episode_steps
    for batch in rollout(world, policy, users, seed=seed, generator=generator, max_steps=steps):
        rows = np.searchsorted(users, batch.user_id)
        reward[rows] += batch.reward
        begins = batch.step == 0
        segment[rows[begins]] = batch.observation["segment"][begins]
        if "hour" in batch.observation:
            hour[rows[begins]] = batch.observation["hour"][begins, 0]
        finished += int((batch.terminated | batch.truncated).sum())
        report(0.9 * finished / num_users)
    order = np.argsort(hour, kind="stable")
    columns = {"user_id": users, "reward": reward.round(4), "segment": segment, "hour": hour}
    kept: dict[str, Any] = {name: column[order].tolist() for name, column in columns.items()}
    return kept | {"estimate": validation_estimate(world, policy, seed, steps)}


def validation_estimate(world: World, policy: Any, seed: int, max_steps: int) -> float | None:
    """Mean reward of a decision of the policy by SNIPS, from a log of the logging policy early in the run."""
    logging = find_policy("--arms", "logging", world)
    run = world.config.run
    early = max(1, int(VALIDATION_SHARE * run.run_users)) if run.run_hours else VALIDATION_USERS
    number = np.arange(VALIDATION_USERS)
    users = OTHER_USERS + number // early * run.run_users + number % early
    generator = np.random.default_rng([seed, 32])
    batches = rollout(world, logging, users, seed=seed, generator=generator, max_steps=max_steps)
    log = EventLog.from_columns(sorted_columns(batches), logging.name)
    try:
        target = ope.policy_on_log(log, policy, world.config.catalog.num_items)
        value = ope.snips(ope.decisions_from_log(log, target)).value
    except ValueError:
        return None
    return float(value) if np.isfinite(value) else None


def table_of(results: Sequence[Mapping[str, Any]]) -> Table:
    """The table of arms that served the same users."""
    first = results[0]
    reward = np.array([result["reward"] for result in results])
    return Table(
        reward, np.array(first["user_id"]), np.array(first["segment"]), np.array(first["hour"], np.float64)
    )


def arm_curves(tables: Sequence[Table], batch_size: int) -> NDArray[np.float64]:
    """[T, A] float64: mean reward of each arm around each batch, over all tables, in a centred window."""
    reward = np.mean([table.reward for table in tables], axis=0)
    num_batches = reward.shape[1] // batch_size
    by_batch = (
        reward[:, : num_batches * batch_size].reshape(len(reward), num_batches, batch_size).mean(axis=2)
    )
    half = max(1, round(WINDOW * num_batches / 2))
    total = np.concatenate([np.zeros((len(reward), 1)), np.cumsum(by_batch, axis=1)], axis=1)
    low = np.maximum(np.arange(num_batches) - half, 0)
    high = np.minimum(np.arange(num_batches) + half + 1, num_batches)
    return ((total[:, high] - total[:, low]) / (high - low)).T


class Recorded:
    """A platform that looks up what the arms have earned from a batch of users in a row."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __call__(self, batch: Batch) -> Feedback:
        """What arm[i] earned from user first_request + i."""
        request = batch.first_request + np.arange(len(batch.arm))
        return Feedback(request, self.table.reward[batch.arm, request])


def deploy_table(
    table: Table,
    arms: Mapping[str, float | None],
    strategy: str,
    curves: NDArray[np.float64],
    batch_size: int,
    seed: int,
    release_every: int,
    ramp: bool,
    settings: Settings,
) -> dict[str, Any]:
    """One strategy decides who serves; arms are released one after the other.

    Args:
        arms: name -> offline estimate, the control first.
        curves: [T, A], see ``arm_curves``.
        release_every: batches between the admission of one arm and the next; 0: all at the start.
        ramp: whether releases go up the ramp and may be rolled back; if not, they serve at once.

    Returns:
        reward (mean, a user), lost (share of what the best admitted arm of each moment would have earned),
        dynamic and fixed: cumulated regret by batch, to the best arm of each moment and to the best single
        one among those admitted at the time; shares: [T, A]; bad: cumulated users served by the worst arm;
        switches, changes, rollbacks, promotions, alarms; decisions: of the log, as JSON lines and as text.
    """
    segments = int(table.segment.max()) + 1
    controller = Controller(
        make_strategy(strategy), np.random.default_rng([seed, 33]), settings, num_segments=segments
    )
    deployment = Deployment(Recorded(table), controller, seed)
    names = list(arms)
    num_batches, num_arms = curves.shape
    shares, regret, fixed, earned = np.zeros((num_batches, num_arms)), [], [], []
    decisions = []
    for number in range(num_batches):
        while len(controller.names) < num_arms and len(controller.names) * release_every <= number:
            arm = names[len(controller.names)]
            steps = RAMP if ramp and controller.names else ()
            controller.admit(arm, arms[arm], ramp=steps)
        rows = slice(number * batch_size, (number + 1) * batch_size)
        served = deployment.serve(table.user_id[rows], table.segment[rows])
        decisions += served.decisions
        admitted = len(controller.names)
        got = table.reward[served.arm, np.arange(rows.start, rows.stop)]
        best = int(curves[number, :admitted].argmax())
        steady = int(curves.mean(axis=0)[:admitted].argmax())
        regret.append(float((table.reward[best, rows] - got).sum()))
        fixed.append(float((table.reward[steady, rows] - got).sum()))
        earned.append(float(got.sum()))
        shares[number] = np.bincount(served.arm, minlength=num_arms) / batch_size
    worst = int(curves.mean(axis=0).argmin())
    kinds = [decision.kind for decision in decisions]
    total = sum(earned)
    return {
        "strategy": strategy,
        "reward": total / (num_batches * batch_size),
        "lost": sum(regret) / (total + sum(regret)),
        "dynamic": np.cumsum(regret).round(2).tolist(),
        "fixed": np.cumsum(fixed).round(2).tolist(),
        "shares": shares.round(4).tolist(),
        "bad": (np.cumsum(shares[:, worst]) * batch_size).round(2).tolist(),
        "switches": max(kinds.count("leader") - 1, 0),
        **{f"{kind}s": kinds.count(kind) for kind in ("change", "rollback", "promote", "alarm")},
        "events": [[one.batch, one.kind, one.arm] for one in decisions],
        "log": [json_line(one).rstrip() for one in decisions],
        "text": [text_line(one).rstrip() for one in decisions],
    }


def strategies_on_arms(
    folder: str, arms: list[str], strategy: str, seeds: list[int], batch_size: int, report: Report
) -> dict[str, Any]:
    """One strategy on the tables of all seeds, every arm admitted at the start, no ramp.

    Args:
        folder: of the results of `serve_arm`, as `serve-<arm>-<seed>.json`.

    Returns:
        columns with one entry a seed: reward (total), regret (dynamic), fixed, switches, changes; and of the
        first seed: shares, dynamic; arm_rewards: [T, A], over all seeds.
    """
    tables, estimates = [], []
    for seed in seeds:
        paths = [Path(folder) / f"serve-{place}-{seed}.json" for place in range(len(arms))]
        results = [json.loads(path.read_text(encoding="utf-8"))["result"] for path in paths]
        tables.append(table_of(results))
        estimates.append([result["estimate"] for result in results])
    curves = arm_curves(tables, batch_size)
    found = []
    for seed, table, values in zip(seeds, tables, estimates, strict=True):
        named = dict(zip(arms, values, strict=True))
        found.append(
            deploy_table(table, named, strategy, curves, batch_size, seed, 0, False, SIMULATOR_SETTINGS)
        )
        report(len(found) / len(seeds))
    return {
        "reward": [one["reward"] * batch_size * len(curves) for one in found],
        "regret": [one["dynamic"][-1] for one in found],
        "fixed": [one["fixed"][-1] for one in found],
        "switches": [one["switches"] for one in found],
        "detected": [one["changes"] for one in found],
        "shares": np.mean([one["shares"] for one in found], axis=0).round(4).tolist(),
        "curve": np.mean([one["dynamic"] for one in found], axis=0).round(2).tolist(),
        "arm_rewards": curves.round(4).tolist(),
    }
