"""`recsim-env ope --study`: estimates from many logs against the truth, by log size and policy distance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.choices import check_file
from benchmarks.engines import Engine
from benchmarks.ope_figures import draw_study
from benchmarks.ope_report import study_results, study_table
from benchmarks.ope_worlds import STUDY, StudyWorld, policy_of, study_world
from benchmarks.progress import run_missing
from benchmarks.saving import run_settings, write_summary
from benchmarks.tasks import Report, Task, TaskFolder, write_json
from recsim_env import World, ope, rollout
from recsim_env.event_log import EventLog, sorted_columns
from recsim_env.ope.log_features import RIDGE

BATCH = 16_384
"""Users side by side."""
TRUTH_USERS = 1_000_000_000
"""First of the users whom target policies serve; those of the logs come before."""
PROBED_DECISIONS = 10_000
"""So many of a log's first decisions tell how much of a target policy lacks support."""


class Preset(NamedTuple):
    """How much is run.

    Attributes:
        logs: per world.
        logs_per_task: of them.
        truth_users: whom each target policy serves.
        largest: at most so many sessions a log.
    """

    logs: int
    logs_per_task: int
    truth_users: int
    largest: int


PRESETS = {"quick": Preset(20, 10, 50_000, 1_000), "full": Preset(500, 10, 1_000_000, 1_000_000)}


def study(
    *,
    preset: str,
    seed: int,
    out: Path,
    jobs: int | Engine,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    check_file(json_path)
    size = PRESETS[preset]
    settings = run_settings(
        "ope --study",
        [Path(__file__)],
        preset=size._asdict(),
        seed=seed,
        worlds=[asdict(world) for world in STUDY],
    )
    folder = TaskFolder(out, settings, overwrite)
    run_missing("ope", tasks_of(size, seed), folder, jobs, console)
    summary = write_summary(folder, **study_results(folder, STUDY, size.logs // size.logs_per_task))
    console.print(study_table(summary))
    for picture in draw_study(summary, out):
        console.print(f"Figure: {picture}", style="bold", highlight=False, soft_wrap=True)
    console.print(f"Results and settings: {out}", style="bold", highlight=False, soft_wrap=True)
    if json_path is not None:
        write_json(json_path, summary)
    return summary


def tasks_of(size: Preset, seed: int) -> list[Task]:
    """True values first, which are few and long, then the logs of all worlds."""
    truths = [
        Task(
            f"{world.slug}-truth-{policy}",
            true_value,
            {"world": world.name, "policy": policy, "num_users": size.truth_users, "seed": seed},
        )
        for world in STUDY
        for policy in world.targets
    ]
    logs = [
        Task(
            f"{world.slug}-logs-{part}",
            estimates_of_logs,
            {
                "world": world.name,
                "part": part,
                "num_logs": size.logs_per_task,
                "largest": size.largest,
                "seed": seed,
            },
        )
        for world in STUDY
        for part in range(size.logs // size.logs_per_task)
    ]
    return truths + logs


def true_value(world: str, policy: str, num_users: int, seed: int, report: Report) -> dict[str, Any]:
    """Mean return of a session when the target policy itself serves, with its standard error."""
    chosen = study_world(world)
    simulator = chosen.world()
    returns, finished = np.zeros(num_users), 0
    for batch in rollout(
        simulator,
        policy_of(chosen.targets[policy], simulator),
        TRUTH_USERS + np.arange(num_users),
        seed=seed,
        generator=np.random.default_rng([seed, TRUTH_USERS, list(chosen.targets).index(policy)]),
        max_steps=chosen.max_steps,
        batch_size=BATCH,
    ):
        returns[batch.user_id - TRUTH_USERS] += batch.reward
        finished += int((batch.terminated | batch.truncated).sum())
        report(finished / num_users)
    error = float(returns.std(ddof=1)) / math.sqrt(num_users)
    return {"value": float(returns.mean()), "standard_error": error, "users": num_users}


def collect_users(
    world: StudyWorld, simulator: World, users: np.ndarray, generator: np.random.Generator, seed: int
) -> EventLog:
    """The log of one session of each of these users."""
    policy = policy_of(world.logging, simulator)
    batches = rollout(
        simulator,
        policy,
        users,
        seed=seed,
        generator=generator,
        max_steps=world.max_steps,
        batch_size=BATCH,
    )
    return EventLog.from_columns(sorted_columns(batches), policy.name)


def estimates_of_logs(
    world: str, part: int, num_logs: int, largest: int, seed: int, report: Report
) -> dict[str, Any]:
    """One long log, cut by user into `num_logs`; of each, every size by every estimator, for each target.

    Returns:
        {"policies": policy -> {"distance", "unsupported", "estimates": estimator -> sessions -> columns}};
        the columns are lists with one entry a log, None where an estimate is undefined.
    """
    chosen = study_world(world)
    simulator = chosen.world()
    sizes = sizes_of(chosen, largest)
    per_log = sizes[-1]
    users = np.arange(part * num_logs * per_log, (part + 1) * num_logs * per_log)
    log = collect_users(chosen, simulator, users, np.random.default_rng([seed, part]), seed)
    groups = ope.Groups.of_topics(simulator.public_catalog.topic)
    logging = policy_of(chosen.logging, simulator)
    num_items = simulator.config.catalog.num_items
    on_logging = ope.policy_on_log(log, logging, num_items, group=groups.of_item)
    probe = log.first_users(min(PROBED_DECISIONS, len(log)))
    starts = np.searchsorted(log.user_id, users[::per_log])
    found: dict[str, Any] = {}
    for place, (name, settings) in enumerate(chosen.targets.items()):
        policy = policy_of(settings, simulator)
        target = ope.policy_on_log(log, policy, num_items, group=groups.of_item)
        probed = ope.policy_on_log(probe, policy, num_items, logging_policy=logging)
        weight = target.propensity / log.propensity
        estimates: dict[str, dict[str, dict[str, list[Any]]]] = {}
        data = _Data(chosen, log, on_logging, target, groups, simulator)
        for index, start in enumerate(starts):
            for size in sizes:
                last = users[index * per_log + size - 1]
                rows = slice(int(start), int(np.searchsorted(log.user_id, last, side="right")))
                for one in data.estimates(rows):
                    columns = estimates.setdefault(one.estimator, {}).setdefault(str(size), {})
                    for column, value in _kept(one).items():
                        columns.setdefault(column, []).append(value)
            report((place + (index + 1) / num_logs) / len(chosen.targets))
        found[name] = {
            "distance": float(np.maximum(0.0, 1 - weight).mean()),
            "unsupported": None if probed.unsupported is None else float(probed.unsupported.mean()),
            "estimates": estimates,
        }
    return {"policies": found}


def sizes_of(world: StudyWorld, largest: int) -> list[int]:
    """The sizes of logs, in sessions, as far as the preset goes."""
    return [size for size in world.sizes if size <= largest]


def _kept(one: ope.Estimate) -> Mapping[str, Any]:
    """What the report needs of an estimate."""
    defined = math.isfinite(one.value) and math.isfinite(one.lower)
    return {
        "rows": one.num_rows,
        "value": one.value if defined else None,
        "lower": one.lower if defined else None,
        "upper": one.upper if defined else None,
        "effective": one.effective_sample_size,
        "unsupported": one.unsupported,
        "warned": [warning.split(":")[0] for warning in one.warnings],
    }


class _Data:
    """A long log as the arrays of estimators, to be cut by rows."""

    def __init__(
        self,
        world: StudyWorld,
        log: EventLog,
        logging: ope.PolicyOnLog,
        target: ope.PolicyOnLog,
        groups: ope.Groups,
        simulator: World,
    ) -> None:
        self.world, self.log, self.target = world, log, target
        self.session = ope.session_ids(log)
        self.reward = ope.position_reward(log, simulator.config.reward)
        self.logging = logging
        if world.kind != "slates":
            self.features = ope.log_features(log, target, groups, world.max_steps)
            assert logging.group_prob is not None
            assert target.group_prob is not None
            row, shown = np.arange(len(log)), groups.of_item[log.action[:, 0]]
            self.of_group = logging.group_prob[row, shown], target.group_prob[row, shown]

    def estimates(self, rows: slice) -> Iterator[ope.Estimate]:
        """Every estimator on some rows, which hold whole sessions."""
        logged, target = self.log.propensity[rows], self.target.propensity[rows]
        if self.world.kind == "slates":
            yield from ope.evaluate(self._slates(rows))
            return
        x = ope.Features(self.features.logged[rows], self.features.target[rows])
        if self.world.kind == "decisions":
            decisions = ope.LoggedDecisions(self.log.reward[rows], logged, target)
            yield from ope.evaluate(decisions, ope.predicted_rewards(decisions, x))
            yield ope.mrdr(decisions, x.logged, x.target, ridge=RIDGE)
            yield ope.mips(decisions, self.of_group[0][rows], self.of_group[1][rows])
            return
        sessions = ope.LoggedSessions(self.session[rows], self.log.reward[rows], logged, target)
        yield from ope.evaluate(sessions, ope.predicted_values(sessions, x))
        yield ope.fqe(sessions, x.logged, x.target, ridge=RIDGE)

    def _slates(self, rows: slice) -> ope.LoggedSlates:
        logging, target = self.logging, self.target
        assert logging.item is not None
        assert target.item is not None
        return ope.LoggedSlates(
            self.reward[rows],
            slate=ope.SlatePropensity(self.log.propensity[rows], target.propensity[rows]),
            item=ope.SlatePropensity(logging.item[rows], target.item[rows]),
            prefix=ope.SlatePropensity(logging.prefix[rows], target.prefix[rows]),
        )
