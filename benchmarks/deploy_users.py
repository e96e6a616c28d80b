"""Platforms of single users whose feedback comes late or who are changed by what served them.

Small, with known answers: what is earned at once and what is earned in the long run name different winners.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks import Report
from recsim_env.deployment import ABTest, Batch, Controller, Deployment, Feedback, Platform, Settings

USERS, VISITORS = 2_000, 500
"""Whom the platform knows, and how many of them come in a batch."""
LURE, FEED = (0.12, 0.2), (0.10, 0.8)
"""What the two arms earn at once, and where they pull a user's satisfaction: lure and nourish."""
GAIN, PULL = 0.2, 0.05
"""What satisfaction adds to the reward, and the share of the way that it goes at each visit."""
LIKE, PURCHASE = (0.30, 0.40), (0.10, 0.06)
"""Probabilities of the two arms: likes are known at once, purchases some batches later."""
LIKE_WORTH, PURCHASE_WORTH, LATER = 0.2, 1.0, 4
SETTINGS = Settings(control_share=0.05, floor=0.01)


class CarryOver:
    """A platform whose arms change their users: reward ~ Bernoulli(base + GAIN satisfaction)."""

    def __init__(self, luck: np.random.Generator) -> None:
        self.luck, self.satisfaction = luck, np.full(USERS, 0.5)

    def __call__(self, batch: Batch) -> Feedback:
        """Serve a batch; arm 0 nourishes, arm 1 lures."""
        base, pull = np.array([FEED, LURE])[batch.arm].T
        now = self.satisfaction[batch.user_id]
        reward = self.luck.random(len(now)) < base + GAIN * now
        self.satisfaction[batch.user_id] = now + PULL * (pull - now)
        return Feedback(batch.first_request + np.arange(len(now)), reward.astype(np.float64))


class Delayed:
    """A platform whose purchases are known ``LATER`` batches after the request."""

    def __init__(self, luck: np.random.Generator) -> None:
        self.luck = luck
        self.coming: list[NDArray[np.int64]] = []

    def __call__(self, batch: Batch) -> Feedback:
        """Serve a batch; hands in what earlier batches bought."""
        request = batch.first_request + np.arange(len(batch.arm))
        liked = self.luck.random(len(request)) < np.array(LIKE)[batch.arm]
        self.coming.append(request[self.luck.random(len(request)) < np.array(PURCHASE)[batch.arm]])
        bought = self.coming.pop(0) if len(self.coming) > LATER else np.zeros(0, np.int64)
        worth = np.concatenate([np.full(liked.sum(), LIKE_WORTH), np.full(len(bought), PURCHASE_WORTH)])
        return Feedback(np.concatenate([request[liked], bought]), worth)


DESIGNS: dict[str, dict[str, dict[str, Any]]] = {
    "carry-over": {
        "A/B test, every request anew": {"sticky": False},
        "A/B test, sticky users": {},
        "A/B test, sticky users, washout of 60 batches": {"washout": 60},
    },
    "delayed purchases": {
        "A/B test, what came at once": {},
        "A/B test, window of 4 batches": {"window": LATER},
    },
}
"""Scenario -> design -> options of `Deployment`. Arm 0 earns more in the long run in both."""
PLATFORMS: dict[str, Callable[[np.random.Generator], Platform]] = {
    "carry-over": CarryOver,
    "delayed purchases": Delayed,
}


def picked(scenario: str, design: str, seeds: list[int], batches: int, report: Report) -> dict[str, Any]:
    """Which arm an A/B test commits to, seed by seed; the last arm to lead where it does not.

    Returns:
        {"picked": [arm], "first", "last": [2] mean reward when arm 0 or 1 serves everyone, in the first and
        in the last tenth of the time}.
    """
    arms = []
    for seed in seeds:
        luck = np.random.default_rng([seed, 11])
        controller = Controller(ABTest(effect=0.05), luck, SETTINGS)
        for name in ("true winner", "short-run winner"):
            controller.admit(name)
        platform = PLATFORMS[scenario](luck)
        deployment = Deployment(platform, controller, seed, **DESIGNS[scenario][design])
        for _ in range(batches):
            deployment.serve(luck.choice(USERS, VISITORS, replace=False))
        arms.append(int(controller.shares()[0, 0].argmax()))
        report(len(arms) / len(seeds))
    first, last = zip(*(_alone(scenario, arm, batches) for arm in (0, 1)), strict=True)
    return {"picked": arms, "first": first, "last": last}


def _alone(scenario: str, arm: int, batches: int) -> tuple[float, float]:
    """What an arm earns at first and at last, a request, if it serves everyone."""
    luck = np.random.default_rng([arm, 12])
    platform, earned = PLATFORMS[scenario](luck), np.zeros(batches)
    for number in range(batches):
        users = luck.choice(USERS, VISITORS, replace=False)
        batch = Batch(number, number * VISITORS, users, np.full(VISITORS, arm), ("a", "b"))
        earned[number] = platform(batch).reward.sum() / VISITORS
    tenth = LATER if scenario == "delayed purchases" else batches // 10
    return float(earned[:tenth].mean()), float(earned[-(batches // 10) :].mean())
