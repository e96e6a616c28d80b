"""Who serves whom: a strategy's shares, a permanent control slice, ramps of releases, rollback and alarm.

The controller sees moments and nothing else. It runs R independent deployments side by side, so that error
rates can be measured on thousands; ``Deployment`` runs one, on users.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim_env.checked import nearest
from recsim_env.deployment.compose import PerSegment
from recsim_env.deployment.detectors import PageHinkley
from recsim_env.deployment.evidence import Contrast
from recsim_env.deployment.moments import COUNT, TOTAL, Moments
from recsim_env.deployment.settings import Settings, Step
from recsim_env.deployment.strategies import Strategy

RETIRED, RAMPING, SERVING = 0, 1, 2
MAJORITY = 0.5
ALARM_WARM_UP = 10
"""Batches before an alarm: the spread between batches must be known."""


@dataclass(frozen=True)
class Decision:
    """Something that was decided or found, with what it rests on.

    Attributes:
        run: which of the R deployments.
        batch: after so many batches; requests: after so many requests.
        kind: "admit", "step", "pause", "rollback", "promote", "retire", "leader", "change" or "alarm".
        arm: its name, or None where it is about all.
        text: one sentence for a person.
        evidence: numbers, JSON-serialisable.
    """

    run: int
    batch: int
    requests: int
    kind: str
    arm: str | None
    text: str
    evidence: dict[str, Any] = field(default_factory=dict)


class Controller:
    """Decides the shares of the arms, and which arms stay.

    Args:
        strategy: how traffic is shared among the arms that serve.
        generator: for strategies that draw.
        settings: see ``Settings``.
        num_segments, num_runs: S and R.

    Attributes:
        names: of the arms, in the order of admission; arm 0 is the control and stays for good.
        status: [R, A] int: ``RETIRED``, ``RAMPING``, ``SERVING``.
        leader: [R] int, the arm with the majority of the traffic, -1 before there is one.
        batches: how many were served; requests: [R] how many responses came in.
    """

    def __init__(
        self,
        strategy: Strategy,
        generator: np.random.Generator,
        settings: Settings | None = None,
        num_segments: int = 1,
        num_runs: int = 1,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        self.strategy, self.generator = strategy, generator
        self.num_segments, self.num_runs = num_segments, num_runs
        self.by_segment = isinstance(strategy, PerSegment)
        strategy.start(num_runs * num_segments if self.by_segment else num_runs)
        self.contrast = Contrast(
            num_runs, self.settings.low, self.settings.high, self.settings.tolerated, self.settings.required
        )
        self.names: list[str] = []
        self.ramps: list[tuple[Step, ...]] = []
        shape = (num_runs, 0)
        self.status, self.step, self.waited, self.failures = np.zeros((4, *shape), np.int64)
        self.paused = np.zeros(shape, np.bool_)
        self.leader = np.full(num_runs, -1)
        self.batches, self.requests = 0, np.zeros(num_runs, np.int64)
        self.alarm = PageHinkley((num_runs,), 0.25, self.settings.alarm_threshold, 1.0, ALARM_WARM_UP)
        self.level = np.zeros((4, num_runs))  # of the control: batches, responses, mean, weighted squares
        self.waiting: list[Decision] = []

    def admit(self, name: str, estimate: float | None = None, ramp: Sequence[Step] = ()) -> int:
        """One more arm; returns its number.

        Args:
            name: not in use.
            estimate: its value by an offline estimate, for the strategy ``validation``.
            ramp: steps of a release, which is watched and rolled back if it does harm; without, the arm
                serves at once and is the strategy's business alone.
        """
        if name in self.names:
            raise ValueError(f"name: {name!r} is the name of arm {self.names.index(name)} already")
        if not self.names and ramp:
            raise ValueError("ramp: the first arm is the control and serves at once; expected no steps")
        self.strategy.admit(estimate)
        self.contrast.grow()
        for array in ("status", "step", "waited", "failures", "paused"):
            setattr(self, array, np.pad(getattr(self, array), ((0, 0), (0, 1))))
        self.status[:, -1] = RAMPING if ramp else SERVING
        self.names.append(name)
        self.ramps.append(tuple(ramp))
        arm = len(self.names) - 1
        how = f"at {ramp[0].weight:.0%} of the traffic" if ramp else "to serve at once"
        for run in range(self.num_runs):
            self._note(run, "admit", arm, f"{name} is admitted, {how}.", {"offline_estimate": estimate})
        return arm

    def retire(self, name: str) -> None:
        """Take an arm out of service in all runs."""
        if name not in self.names:
            raise ValueError(f"name: unknown arm {name!r}; {nearest(name, self.names)}")
        arm = self.names.index(name)
        if arm == 0:
            raise ValueError(f"name: {name!r} is the control, which stays for good")
        self.status[:, arm] = RETIRED
        for run in range(self.num_runs):
            self._note(run, "retire", arm, f"{name} is retired.", {})

    def shares(self) -> NDArray[np.float64]:
        """[R, S, A] float64: the share of each segment's requests that each arm is to serve."""
        settings = self.settings
        serving = self.status == SERVING
        weight = np.zeros(self.status.shape)
        for arm, ramp in enumerate(self.ramps):
            if ramp:
                weights = np.array([step.weight for step in ramp])
                now = weights[np.minimum(self.step[:, arm], len(ramp) - 1)]
                weight[:, arm] = np.where(self.status[:, arm] == RAMPING, now, 0.0)
        room = 1.0 - settings.control_share
        weight *= np.minimum(1.0, room / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300))
        repeat = self.num_segments if self.by_segment else 1
        shares = self.strategy.shares(np.repeat(serving, repeat, axis=0), self.generator)
        shares = shares.reshape(self.num_runs, repeat, -1)
        floor = np.minimum(settings.floor, 1.0 / serving.sum(axis=1))[:, None] * serving
        shares = floor[:, None] + (1.0 - floor.sum(axis=1))[:, None, None] * shares
        shares = (room - weight.sum(axis=1))[:, None, None] * shares + weight[:, None]
        shares[:, :, 0] += settings.control_share
        # Rounding must not leave a share below 0, nor rows off 1.
        shares = np.maximum(shares, 0.0)
        shares = shares / shares.sum(axis=2, keepdims=True)
        return np.broadcast_to(shares, (self.num_runs, self.num_segments, len(self.names))).copy()

    def update(
        self, batch: Moments, shares: NDArray[np.float64], clipped: Moments | None = None
    ) -> list[Decision]:
        """Take in what came of a batch, and decide.

        Args:
            batch: [3, R, S, A] moments of the responses that came in.
            shares: [R, S, A], as ``shares`` returned them for the batch that was served last.
            clipped: moments of the same responses clipped to [low, high]; the same by default.

        Returns:
            what was decided or found since the last call.
        """
        flat = batch.reshape(3, -1, batch.shape[-1]) if self.by_segment else batch.sum(axis=2)
        self.strategy.update(flat)
        merged = (batch if clipped is None else clipped).sum(axis=2)
        self.contrast.update(merged)
        self.batches += 1
        self.requests += batch[COUNT].sum(axis=(1, 2)).astype(np.int64)
        self._changes()
        self._alarms(merged)
        self._releases()
        self._leaders(shares.mean(axis=1))
        decided, self.waiting = self.waiting, []
        return decided

    def _note(self, run: int, kind: str, arm: int | None, text: str, evidence: dict[str, Any]) -> None:
        name = None if arm is None else self.names[arm]
        requests = int(self.requests[run])
        self.waiting.append(Decision(run, self.batches, requests, kind, name, text, evidence))

    def _changes(self) -> None:
        changed = self.strategy.changed.reshape(self.num_runs, -1)
        for run, segment in np.argwhere(changed).tolist():
            where = f" in segment {segment}" if self.by_segment else ""
            self._note(
                run, "change", None, f"The arms have changed{where}; what was before is forgotten.", {}
            )

    def _alarms(self, merged: Moments) -> None:
        """Page-Hinkley on the control's batch means, in standard deviations between batches of that size."""
        count, total = merged[COUNT, :, 0], merged[TOTAL, :, 0]
        seen = count > 0
        value = total / np.maximum(count, 1)
        batches, weight, mean, squares = self.level
        spread = np.sqrt(squares / np.maximum(batches - 1, 1))
        score = (value - mean) * np.sqrt(count) / np.where(spread > 0, spread, 1.0)
        fired = self.alarm.update(score, seen & (batches >= ALARM_WARM_UP) & (spread > 0))
        for run in np.flatnonzero(fired).tolist():
            evidence = {"level_before": float(mean[run]), "level_now": float(value[run])}
            text = (
                f"Alarm: the control's own level moved from about {mean[run]:.4g} to {value[run]:.4g}: a "
                "shock to all arms, or the control has changed. Nothing is rolled back for it."
            )
            self._note(run, "alarm", None, text, evidence)
        self.level[:, fired] = 0.0
        batches, weight, mean, squares = self.level
        after = weight + count
        gap = np.where(seen, value - mean, 0.0)
        mean_after = mean + gap * count / np.maximum(after, 1)
        self.level = np.stack(
            [
                batches + seen,
                after,
                mean_after,
                squares + count * gap * np.where(seen, value - mean_after, 0.0),
            ]
        )

    def _releases(self) -> None:
        """Analyse every release: roll back, hold, go on, or promote."""
        limit, settings = -math.log(self.settings.alpha), self.settings
        harm, benefit = self.contrast.log_e_harm, self.contrast.log_e_benefit
        for arm, ramp in enumerate(self.ramps):
            if not ramp:
                continue
            name, status = self.names[arm], self.status[:, arm]
            live = status != RETIRED
            failed = live & (harm[:, arm] >= limit)
            self.failures[:, arm] += failed
            for run in np.flatnonzero(failed & (self.failures[:, arm] > settings.failure_limit)).tolist():
                evidence = self._evidence(run, arm)
                text = (
                    f"{name} is rolled back: worse than the control by {-evidence['contrast']:.4g} "
                    f"[{-evidence['upper']:.4g}, {-evidence['lower']:.4g}], e-value {evidence['e_harm']:.3g} "
                    f"against a limit of {1 / settings.alpha:.0f}."
                )
                self._note(run, "rollback", arm, text, evidence)
                self.status[run, arm] = RETIRED
            ramping = self.status[:, arm] == RAMPING
            self.waited[:, arm] += ramping
            interval = np.array([step.interval for step in ramp])[
                np.minimum(self.step[:, arm], len(ramp) - 1)
            ]
            due = ramping & (self.waited[:, arm] >= interval)
            hold = due & (harm[:, arm] >= math.log(settings.pause_at))
            for run in np.flatnonzero(hold & ~self.paused[:, arm]).tolist():
                text = f"{name} stays at its step: the analysis is inconclusive."
                self._note(run, "pause", arm, text, self._evidence(run, arm))
            self.paused[:, arm] = hold
            last = self.step[:, arm] >= len(ramp) - 1
            onward = due & ~hold & ~last
            self.step[onward, arm] += 1
            self.waited[onward, arm] = 0
            for run in np.flatnonzero(onward).tolist():
                weight = ramp[self.step[run, arm]].weight
                text = f"{name} goes on to {weight:.0%} of the traffic."
                self._note(run, "step", arm, text, {"weight": weight, "e_harm": _e(harm[run, arm])})
            for run in np.flatnonzero(due & ~hold & last & (benefit[:, arm] >= limit)).tolist():
                evidence = self._evidence(run, arm)
                text = (
                    f"{name} is promoted: better than the control by {evidence['contrast']:.4g} "
                    f"[{evidence['lower']:.4g}, {evidence['upper']:.4g}], "
                    f"e-value {evidence['e_benefit']:.3g}."
                )
                self._note(run, "promote", arm, text, evidence)
                self.status[run, arm] = SERVING

    def _evidence(self, run: int, arm: int) -> dict[str, Any]:
        value, lower, upper = self.contrast.estimate(run, arm, self.settings.alpha)
        return {
            "contrast": value,
            "lower": lower,
            "upper": upper,
            "e_harm": _e(self.contrast.log_e_harm[run, arm]),
            "e_benefit": _e(self.contrast.log_e_benefit[run, arm]),
            "alpha": self.settings.alpha,
        }

    def _leaders(self, shares: NDArray[np.float64]) -> None:
        best = shares.argmax(axis=1)
        share = shares[np.arange(self.num_runs), best]
        moved = (share > MAJORITY) & (best != self.leader)
        for run in np.flatnonzero(moved).tolist():
            arm = int(best[run])
            text = f"{self.names[arm]} now serves the majority: {share[run]:.0%} of the traffic."
            self._note(run, "leader", arm, text, {"share": float(share[run])})
        self.leader = np.where(moved, best, self.leader)


def _e(log_e: float) -> float:
    """An e-value that JSON can hold."""
    return math.exp(min(float(log_e), 700.0))
