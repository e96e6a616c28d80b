"""Settings of a deployment: shares set aside, the test behind rollbacks, and the ramp of a release."""

from __future__ import annotations

from dataclasses import dataclass

from recsim_env.checked import Section, real, whole


@dataclass(frozen=True)
class Step(Section):
    """One step of a ramp, in the words of Argo Rollouts and Flagger.

    Attributes:
        weight: share of all traffic that the release gets.
        interval: batches until the next analysis, which may go on to the next step.
    """

    weight: float = real(0.1, 0.0, 1.0)
    interval: int = whole(10, 1, 1_000_000)


RAMP = (Step(0.01, 5), Step(0.05, 5), Step(0.1, 10), Step(0.25, 10), Step(0.5, 10))
"""1, 5, 10, 25, 50% of the traffic, then everything that the strategy gives."""


@dataclass(frozen=True)
class Settings(Section):
    """How a deployment is run.

    Attributes:
        control_share: share of all traffic that stays with arm 0 for good, whatever the strategy says.
        floor: least share, of the strategy's traffic, of every arm that serves.
        alpha: bound on the probability, per release and over the whole horizon, that it is rolled back
            though it is never worse than the control by more than ``tolerated``; and that it is promoted
            though it is never better by more than ``required``.
        tolerated: harm that does not count, in units of a response.
        required: what a release must gain over the control to be promoted; below 0: non-inferiority.
        low, high: range of a response; the tests see responses clipped to it. To be set where a response is
            not 0 or 1.
        failure_limit: how many failed analyses a release survives; each batch is one.
        pause_at: evidence of harm (an e-value) from which a release stays at its step: an inconclusive
            analysis. No guarantee hangs on it.
        alarm_threshold: of the Page-Hinkley test on the level of the control, in standard deviations
            between batches.
    """

    control_share: float = real(0.05, 0.0, 1.0)
    floor: float = real(0.01, 0.0, 1.0)
    alpha: float = real(0.01, 1e-12, 0.5)
    tolerated: float = real(0.0, 0.0)
    required: float = real(0.0)
    low: float = real(0.0)
    high: float = real(1.0)
    failure_limit: int = whole(0, 0, 1_000_000)
    pause_at: float = real(5.0, 1.0)
    alarm_threshold: float = real(15.0, 0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ValueError(f"Settings.high: expected above low = {self.low}, got {self.high}")
