"""One call, many estimators: a table of estimates of the same policy from the same log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from recsim_env.ope.decisions import LoggedDecisions, PredictedRewards
from recsim_env.ope.estimate import Estimate
from recsim_env.ope.intervals import NORMAL, Interval
from recsim_env.ope.sessions import LoggedSessions, PredictedValues
from recsim_env.ope.single_step import clipped_ips, dm, dr, dr_shrinkage, ips, sndr, snips, switch_dr
from recsim_env.ope.slates import LoggedSlates, independent_ips, reward_interaction_ips, slate_ips
from recsim_env.ope.trajectories import per_decision_is, sequential_dr, trajectory_is

Estimator = Callable[..., Estimate]


def _self_normalised(estimator: Estimator) -> Estimator:
    def run(*arguments: Any, **options: Any) -> Estimate:
        return estimator(*arguments, self_normalised=True, **options)

    return run


DECISIONS: dict[str, Estimator] = {"ips": ips, "clipped_ips": clipped_ips, "snips": snips}
"""Estimators of single decisions, by weights alone."""

DECISIONS_PREDICTED: dict[str, Estimator] = {
    "dm": dm,
    "dr": dr,
    "sndr": sndr,
    "switch_dr": switch_dr,
    "dr_shrinkage": dr_shrinkage,
}
"""Estimators of single decisions that use predicted rewards."""

SESSIONS: dict[str, Estimator] = {
    "trajectory_is": trajectory_is,
    "trajectory_is_sn": _self_normalised(trajectory_is),
    "per_decision_is": per_decision_is,
    "per_decision_is_sn": _self_normalised(per_decision_is),
}
"""Estimators of whole sessions, by weights alone."""

SESSIONS_PREDICTED: dict[str, Estimator] = {
    "sequential_dr": sequential_dr,
    "sequential_dr_sn": _self_normalised(sequential_dr),
}
"""Estimators of whole sessions that use predicted values."""

SLATES: dict[str, tuple[str, Estimator]] = {
    "slate_ips": ("slate", slate_ips),
    "independent_ips": ("item", independent_ips),
    "reward_interaction_ips": ("prefix", reward_interaction_ips),
}
"""Estimators of slates, each with the propensities that it uses."""


def evaluate(
    log: LoggedDecisions | LoggedSessions | LoggedSlates,
    predicted: PredictedRewards | PredictedValues | None = None,
    *,
    estimators: Iterable[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    interval: Interval = NORMAL,
) -> list[Estimate]:
    """Evaluate the target policy of a log by every estimator that its data allow.

    Estimators that need more than this (MIPS, MRDR, marginalised IS, fitted Q evaluation, cascade-DR) are
    functions of their own, and return rows of the same kind.

    Args:
        log: decisions, sessions or slates.
        predicted: PredictedRewards for decisions, PredictedValues for sessions; None leaves out the
            estimators that use them.
        estimators: names of those wanted, in this order; None: all that can be had.
        options: further arguments by estimator, such as {"clipped_ips": {"max_weight": 10}}.
        interval: how to make all intervals. A `BernsteinInterval` is for single estimators.

    Raises:
        ValueError: an unknown name, or one that the data do not allow.
    """
    runs = _available(log, predicted)
    wanted = list(runs) if estimators is None else list(estimators)
    extra = dict(options or {})
    for name in [*wanted, *extra]:
        if name not in runs:
            raise ValueError(f"estimators: expected some of {list(runs)} for these data, got {name!r}")
    return [runs[name](interval=interval, **extra.get(name, {})) for name in wanted]


def _available(
    log: LoggedDecisions | LoggedSessions | LoggedSlates, predicted: PredictedRewards | PredictedValues | None
) -> dict[str, Estimator]:
    """Name -> the estimator with its data filled in."""
    if isinstance(log, LoggedSlates):
        if predicted is not None:
            raise ValueError("predicted: expected None for slates; call cascade_dr for predictions of slates")
        return {
            name: _bound(estimator, log)
            for name, (kind, estimator) in SLATES.items()
            if getattr(log, kind) is not None
        }
    single = isinstance(log, LoggedDecisions)
    kind = PredictedRewards if single else PredictedValues
    if predicted is not None and not isinstance(predicted, kind):
        raise ValueError(
            f"predicted: expected {kind.__name__} for {type(log).__name__}, got {type(predicted).__name__}"
        )
    weighted, modelled = (DECISIONS, DECISIONS_PREDICTED) if single else (SESSIONS, SESSIONS_PREDICTED)
    runs = {name: _bound(estimator, log) for name, estimator in weighted.items()}
    if predicted is not None:
        runs |= {name: _bound(estimator, log, predicted) for name, estimator in modelled.items()}
    return runs


def _bound(estimator: Estimator, *data: Any) -> Estimator:
    def run(**options: Any) -> Estimate:
        return estimator(*data, **options)

    return run


def format_table(estimates: Iterable[Estimate]) -> str:
    """The estimates as lines of text: a row each, and below it its warnings."""
    lines = [
        f"{'estimator':<24}{'value':>10}{'95% interval':>24}{'eff. rows':>11}{'max weight':>12}{'top 1%':>8}"
    ]
    for one in estimates:
        span = f"[{one.lower:.4g}, {one.upper:.4g}]"
        effective = "-" if one.effective_sample_size is None else f"{one.effective_sample_size:.0f}"
        largest = "-" if one.largest_weight is None else f"{one.largest_weight:.3g}"
        share = "-" if one.top_weight_share is None else f"{one.top_weight_share:.1%}"
        lines.append(f"{one.estimator:<24}{one.value:>10.4g}{span:>24}{effective:>11}{largest:>12}{share:>8}")
        lines += [f"    ! {warning}" for warning in one.warnings]
    return "\n".join(lines)
