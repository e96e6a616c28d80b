"""`recsim-env ope LOG`: what a policy would earn, estimated from another one's log in many ways."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.choices import check_file, find_policy
from benchmarks.errors import UsageError
from benchmarks.ope_figures import draw_estimates
from benchmarks.ope_table import estimate_table
from benchmarks.saving import SUMMARY, stamped
from benchmarks.tasks import check_writable, write_json
from recsim_env import World, WorldConfig, ope, rollout
from recsim_env.event_log import EventLog
from recsim_env.ope.log_features import RIDGE

if TYPE_CHECKING:
    from recsim_env import Policy

SERVED_FROM = 1_000_000_000
"""First of the users whom the policy is served to; logs begin at user 0."""
MOST_COLUMNS = 200
MOST_CELLS = 50_000_000
"""Of a model's features: how many columns, and how many numbers in all."""
SESSION, DECISION, SLATE = "return of a session", "reward of a decision", "reward of a slate"
ALL_ESTIMATORS = (
    *("trajectory_is", "trajectory_is_sn", "per_decision_is", "per_decision_is_sn"),
    *("sequential_dr", "sequential_dr_sn", "fqe", "tabular_marginal_is"),
    *("ips", "clipped_ips", "snips", "dm", "dr", "sndr", "switch_dr", "dr_shrinkage", "mrdr", "mips"),
    *("slate_ips", "independent_ips", "reward_interaction_ips"),
)
NEEDS_LOGGING = ("independent_ips", "reward_interaction_ips")


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a log.

    Attributes:
        log: where the log is.
        policy: the target policy, as `find_policy` reads it.
        logging: the policy that made the log, or None where support need not be known exactly.
        estimators: comma-separated, or None for all that can be had.
        discount: of the return of a session, in [0, 1].
        served: how many users the target policy is also served to; 0 for none.
    """

    log: Path
    policy: str
    logging: str | None
    estimators: str | None
    discount: float
    served: int


def evaluate_log(asked: Asked, out: Path, json_path: Path | None, console: Console) -> dict[str, Any]:
    """Estimate, print a table, write `summary.json` and a figure; returns the summary.

    A row of it holds the fields of `ope.Estimate` and: question, effective_share (of the log's sessions or
    rows), logged (what the logging policy earned by the same measure), truth (what the policy earned when
    served; None unless asked for, and where serving asks another question).
    """
    from agents import make_logging_policy

    check_file(json_path)
    names = find_estimators(asked.estimators)
    log, world = load_log(asked.log)
    policy = find_policy("--policy", asked.policy, world)
    logging = None if asked.logging is None else find_policy("--logging", asked.logging, world)
    check_writable(out)
    with _stages(console) as stage:
        try:
            estimates, target, notes = estimate(log, world, policy, logging, asked.discount, names, stage)
        except (ValueError, KeyError) as error:
            raise UsageError(f"{asked.policy} on {asked.log}: {error}") from error
        truth = serve(world, log, policy, asked, stage) if asked.served else None
    if names and not estimates:
        raise UsageError(f"--estimators: {', '.join(names)} cannot be had from this log; {' '.join(notes)}")
    if target.never_shown is not None and target.never_shown > 0:
        share = f"{target.never_shown:.1%} of the policy's probability"
        notes.insert(0, f"{share} is on items that this log never shows.")
    rows = [_row(question, one, log, asked, truth) for question, one in estimates]
    summary = stamped(
        "ope",
        log={
            "path": str(asked.log),
            "policy": log.policy,
            "rows": len(log),
            "users": log.num_users,
            "provenance": log.provenance,
        },
        policy=asked.policy,
        policy_origin=make_logging_policy(asked.policy, world).origin,
        logging=asked.logging,
        estimators=names,
        discount=asked.discount,
        never_shown=target.never_shown,
        served=truth,
        notes=notes,
        rows=rows,
    )
    console.print(estimate_table(summary))
    write_json(out / SUMMARY, summary)
    picture = draw_estimates(rows, f"{asked.policy}, from a log of {log.policy}", out)
    console.print(f"Figure: {picture}", style="bold", highlight=False, soft_wrap=True)
    if json_path is not None:
        write_json(json_path, summary)
    return summary


def find_estimators(names: str | None) -> list[str] | None:
    """The estimators asked for; None for all.

    Raises:
        UsageError: there is none of this name; the message names the nearest.
    """
    from recsim_env.checked import nearest

    if names is None:
        return None
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in ALL_ESTIMATORS:
            raise UsageError(f"--estimators: unknown estimator {name!r}; {nearest(name, ALL_ESTIMATORS)}")
    if not wanted:
        raise UsageError(f"--estimators: expected some of {', '.join(ALL_ESTIMATORS)}")
    return wanted


def load_log(path: Path) -> tuple[EventLog, World]:
    """A log of the simulator, and the world that made it.

    Raises:
        UsageError: there is no log, or it does not say which world made it.
    """
    try:
        log = EventLog.load(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"LOG: {error}") from error
    config = log.provenance.get("config")
    if config is None:
        raise UsageError(
            f"LOG: {path} does not say which world made it, so that no policy can be made for its catalog; "
            "recsim_env.ope evaluates such logs from arrays"
        )
    if len(log) == 0:
        raise UsageError(f"LOG: {path} has no rows")
    return log, World(WorldConfig.from_json(config))


def estimate(
    log: EventLog,
    world: World,
    policy: Policy,
    logging: Policy | None,
    discount: float,
    names: Sequence[str] | None,
    stage: Any,
) -> tuple[list[tuple[str, ope.Estimate]], ope.PolicyOnLog, list[str]]:
    """Every estimate that the log allows, by question; the policy on the log; and notes for a person."""
    num_items = world.config.catalog.num_items
    groups = ope.Groups.of_topics(world.public_catalog.topic)
    options: Any = {"logging_policy": logging, "group": groups.of_item}
    target = ope.policy_on_log(
        log, policy, num_items, **options, progress=lambda done, n: stage("asking the policy", done / n)
    )
    stage("estimating", 0.0)
    if log.slate_size > 1:
        on_logging = None if logging is None else ope.policy_on_log(log, logging, num_items)
        reward = ope.position_reward(log, world.config.reward)
        slates = ope.slates_from_log(log, on_logging, target, reward)
        notes = [] if logging else [f"{' and '.join(NEEDS_LOGGING)} need --logging, the policy of the log."]
        return _wanted(SLATE, ope.evaluate(slates), names), target, notes
    sessions, decisions = ope.sessions_from_log(log, target, discount), ope.decisions_from_log(log, target)
    stages = num_stages(log, int(groups.of_item.max()) + 2)
    if target.group_prob is None or stages == 0:
        notes = ["No model of rewards: the log is too long for one, or its actions are candidates."]
        found = [(SESSION, one) for one in ope.evaluate(sessions)]
        found += [(DECISION, one) for one in ope.evaluate(decisions)]
        return [pair for pair in found if _is_wanted(pair[1].estimator, names)], target, notes
    x = ope.log_features(log, target, groups, stages)
    notes = [] if logging else ["mips needs --logging, the policy of the log."]
    try:
        session_estimates = [
            *ope.evaluate(sessions, ope.predicted_values(sessions, x)),
            ope.fqe(sessions, x.logged, x.target, ridge=RIDGE),
        ]
    except ValueError as error:
        notes.append(f"No model of values: {error}.")
        session_estimates = ope.evaluate(sessions)
    session_estimates.append(ope.tabular_marginal_is(sessions, *ope.visible_states(log, groups)))
    stage("estimating", 0.5)
    folds = min(2, decisions.units.num_units)
    decision_estimates = [
        *ope.evaluate(decisions, ope.predicted_rewards(decisions, x)),
        ope.mrdr(decisions, x.logged, x.target, folds=folds, ridge=RIDGE),
    ]
    if logging is not None and _is_wanted("mips", names):
        on_logging = ope.policy_on_log(log, logging, num_items, group=groups.of_item)
        shown = groups.of_item[log.action[:, 0]]
        assert on_logging.group_prob is not None
        of_group = [_of_shown(prob, shown) for prob in (on_logging.group_prob, target.group_prob)]
        unreached = np.where(on_logging.group_prob == 0, target.group_prob, 0.0).sum(axis=1)
        decision_estimates.append(ope.mips(decisions, *of_group, unsupported=np.minimum(unreached, 1.0)))
    found = _wanted(SESSION, session_estimates, names) + _wanted(DECISION, decision_estimates, names)
    return found, target, notes


def num_stages(log: EventLog, width: int) -> int:
    """How many stages of a session a model tells apart: all, or as many as memory allows; 0: not even one."""
    longest = int(log.step.max()) + 1
    return min(longest, max(1, MOST_COLUMNS // width), MOST_CELLS // (len(log) * width))


def _wanted(
    question: str, estimates: Sequence[ope.Estimate], names: Sequence[str] | None
) -> list[tuple[str, ope.Estimate]]:
    return [(question, one) for one in estimates if _is_wanted(one.estimator, names)]


def _is_wanted(name: str, names: Sequence[str] | None) -> bool:
    return names is None or name in names


def _of_shown(group_prob: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """[n]: the probability of the group that each row shows."""
    return np.take_along_axis(group_prob, shown[:, None], axis=1)[:, 0]


def serve(world: World, log: EventLog, policy: Policy, asked: Asked, stage: Any) -> dict[str, float]:
    """What the policy earns when it serves other users of the same world: value, standard error, users."""
    users, finished = SERVED_FROM + np.arange(asked.served), 0
    max_steps = int(log.provenance.get("max_steps") or int(log.step.max()) + 1)
    returns = np.zeros(asked.served)
    seed = int(log.provenance.get("seed", 0))
    generator = np.random.default_rng([seed, SERVED_FROM])
    for batch in rollout(world, policy, users, seed=seed, generator=generator, max_steps=max_steps):
        returns[batch.user_id - SERVED_FROM] += asked.discount**batch.step * batch.reward
        finished += int((batch.terminated | batch.truncated).sum())
        stage("serving the policy", finished / asked.served)
    error = float(returns.std(ddof=1)) / math.sqrt(asked.served) if asked.served > 1 else math.nan
    horizon = {"value": float(returns.mean()), "standard_error": error, "users": asked.served}
    return horizon | {"max_steps": max_steps}


def _row(
    question: str, one: ope.Estimate, log: EventLog, asked: Asked, truth: Mapping[str, float] | None
) -> dict[str, Any]:
    session = ope.session_ids(log)
    count = int(session[-1]) + 1
    by_session = question == SESSION
    total = count if by_session else len(log)
    step = np.arange(len(log)) - np.searchsorted(session, session)
    weight = asked.discount**step if by_session else np.ones(len(log))
    comparable = truth is not None and (by_session or truth["max_steps"] == 1)
    row = {key: _finite(value) for key, value in one.row().items()}
    effective = one.effective_sample_size
    return {
        "question": question,
        **row,
        "effective_share": None if effective is None else effective / total,
        "logged": float(weight @ log.reward) / total,
        "truth": truth["value"] if truth is not None and comparable else None,
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _stages(console: Console) -> Iterator[Any]:
    """A bar for each stage of the work, on terminals."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bars: dict[str, Any] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as display:

        def stage(name: str, fraction: float) -> None:
            if name not in bars:
                bars[name] = display.add_task(name, total=1.0)
            display.update(bars[name], completed=fraction)

        yield stage
