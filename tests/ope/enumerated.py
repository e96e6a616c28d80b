"""Small problems whose every outcome can be written down: logs that hold each one as often as it is likely.

In such a log an average over rows is an expectation, so an unbiased estimator of a mean gives the true value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from recsim_env import ope

# A contextual bandit: 3 situations, 3 actions, a reward of 1 or 0.
SITUATION = np.array([2, 1, 1]) / 4
LOGGING = np.array([[2, 1, 1], [1, 2, 1], [1, 1, 2]]) / 4
TARGET = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [0.0, 0.9, 0.1]])
CLICK = np.array([[1, 2, 3], [0, 4, 2], [3, 1, 1]]) / 4
BANDIT_VALUE = float(SITUATION @ (TARGET * CLICK).sum(axis=1))


@dataclass
class BanditLog:
    """Rows of situation, action and reward, each as often as its probability says, 64 in all."""

    situation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    target_probs: np.ndarray = field(default_factory=lambda: TARGET)

    def decisions(self, **more) -> ope.LoggedDecisions:
        where = self.situation, self.action
        return ope.LoggedDecisions(self.reward, LOGGING[where], self.target_probs[where], **more)

    def predicted(self, q_hat: np.ndarray) -> ope.PredictedRewards:
        """q_hat: [situation, action]."""
        target = self.target_probs[self.situation]
        return ope.PredictedRewards.from_table(q_hat[self.situation], self.action, target)


def outcomes() -> list[tuple[int, int, int, float]]:
    """Every (situation, action, reward) of the bandit under the logging policy, with its probability."""
    every = []
    for x, a, r in product(range(3), range(3), range(2)):
        chance = SITUATION[x] * LOGGING[x, a] * (CLICK[x, a] if r else 1 - CLICK[x, a])
        if chance > 0:
            every.append((x, a, r, chance))
    return every


def bandit_log() -> BanditLog:
    rows = [(x, a, r) for x, a, r, chance in outcomes() for _ in range(round(64 * chance))]
    assert len(rows) == 64
    return BanditLog(*np.array(rows).T)


# A decision process of 3 states, 2 actions; state 3 is the end. State 2 is met at step 1 or 2.
NEXT = np.zeros((3, 2, 4))
NEXT[0] = [[0, 0.5, 0.5, 0], [0, 1, 0, 0]]
NEXT[1] = [[0, 0, 0.5, 0.5], [0, 0, 1, 0]]
NEXT[2] = [[0, 0, 0, 1], [0, 0, 0, 1]]
REWARD = np.array([[1.0, 0.0], [0.3, 2.0], [-1.0, 4.0]])
LOGGING_STEP = np.array([[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])
TARGET_STEP = np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])


def true_q(discount: float) -> np.ndarray:
    """[state, action]: the value of an action, then following the target policy."""
    q = np.zeros((4, 2))
    for _ in range(3):
        value = np.append((TARGET_STEP * q[:3]).sum(axis=1), 0.0)
        q[:3] = REWARD + discount * NEXT @ value
    return q[:3]


def true_return(discount: float) -> float:
    return float(TARGET_STEP[0] @ true_q(discount)[0])


def true_ratio() -> np.ndarray:
    """[state, action]: expected visits in a session under the target policy, over those under logging."""
    visits = []
    for policy in (TARGET_STEP, LOGGING_STEP):
        flow = np.einsum("sa,sat->st", policy, NEXT)[:, :3]
        visits.append(np.linalg.solve(np.eye(3) - flow.T, [1.0, 0, 0])[:, None] * policy)
    return visits[0] / visits[1]


@dataclass
class SessionLog:
    """Sessions of the decision process, all that there are, each as often as its probability says."""

    session: np.ndarray
    state: np.ndarray
    action: np.ndarray

    def sessions(self, discount: float = 1.0) -> ope.LoggedSessions:
        where = self.state, self.action
        return ope.LoggedSessions(
            self.session, REWARD[where], LOGGING_STEP[where], TARGET_STEP[where], discount
        )

    def predicted(self, q_hat: np.ndarray) -> ope.PredictedValues:
        return ope.PredictedValues.from_table(q_hat[self.state], self.action, TARGET_STEP[self.state])

    def features(self) -> tuple[np.ndarray, np.ndarray]:
        return ope.tabular_features(self.state, self.action, TARGET_STEP[self.state], 3)


def walks(state: int = 0) -> list[tuple[list[tuple[int, int]], float]]:
    """Every way from a state to the end, as (state, action) pairs, with its probability under logging."""
    if state == 3:
        return [([], 1.0)]
    found = []
    for action, after in product(range(2), range(4)):
        chance = LOGGING_STEP[state, action] * NEXT[state, action, after]
        if chance > 0:
            found += [([(state, action), *rest], chance * more) for rest, more in walks(after)]
    return found


def session_log() -> SessionLog:
    rows, number = [], 0
    for walk, chance in walks():
        for _ in range(round(128 * chance)):
            rows += [(number, *step) for step in walk]
            number += 1
    assert number == 128
    return SessionLog(*np.array(rows).T)


# Slates of 2 out of 3 items, filled from the top.
FIRST_LOGGING, FIRST_TARGET = np.array([2, 1, 1]) / 4, np.array([0.1, 0.3, 0.6])
SECOND_TARGET = np.array([[0, 0.3, 0.7], [0.8, 0, 0.2], [0.5, 0.5, 0]])
"""[first item, second item]"""
SLATES = np.array([(i, j) for i in range(3) for j in range(3) if i != j])
SLATE_LOGGING = FIRST_LOGGING[SLATES[:, 0]] / 2
SLATE_TARGET = FIRST_TARGET[SLATES[:, 0]] * SECOND_TARGET[SLATES[:, 0], SLATES[:, 1]]


def slate_value(reward: np.ndarray) -> float:
    """The target policy's mean, for the expected reward [slate, position] of each of `SLATES`."""
    return float(SLATE_TARGET @ reward.sum(axis=1))


def slate_log(reward: np.ndarray) -> tuple[ope.LoggedSlates, np.ndarray]:
    """All 6 slates, each as often as it is likely, 8 rows, with their expected rewards; and which each is."""
    which = np.repeat(np.arange(6), np.round(8 * SLATE_LOGGING).astype(int))
    assert len(which) == 8

    def item(chance: np.ndarray) -> np.ndarray:
        return np.array([[chance[SLATES[:, k] == slate[k]].sum() for k in range(2)] for slate in SLATES])

    first = SLATES[:, 0]
    prefix = [
        np.column_stack([FIRST_LOGGING[first], SLATE_LOGGING]),
        np.column_stack([FIRST_TARGET[first], SLATE_TARGET]),
    ]
    log = ope.LoggedSlates(
        reward[which],
        slate=ope.SlatePropensity(SLATE_LOGGING[which], SLATE_TARGET[which]),
        item=ope.SlatePropensity(item(SLATE_LOGGING)[which], item(SLATE_TARGET)[which]),
        prefix=ope.SlatePropensity(prefix[0][which], prefix[1][which]),
    )
    return log, which
