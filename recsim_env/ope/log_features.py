"""Simple features of logged decisions, and the predictions that linear models make from them across folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim_env.event_log import EventLog
from recsim_env.ope.decisions import LoggedDecisions, PredictedRewards
from recsim_env.ope.fitted_q import fit_q
from recsim_env.ope.from_log import PolicyOnLog
from recsim_env.ope.reward_model import fit_linear
from recsim_env.ope.sessions import LoggedSessions, PredictedValues
from recsim_env.records import Event

FEW_ITEMS = 20
"""Up to so many items each is a group of its own; beyond, a topic is."""
RIDGE = 0.1
"""Far below the rows that a column has, so that it does not pull; above 0 for columns that have none."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Items put together for a model of few numbers.

    Attributes:
        of_item: [N] int64 in [0, G).
        topic: [G] int64, the topic of each group.
        item_topic: [N] int64.
    """

    of_item: NDArray[np.int64]
    topic: NDArray[np.int64]
    item_topic: NDArray[np.int64]

    @classmethod
    def of_topics(cls, topic: NDArray[np.int64]) -> Groups:
        """Every item by itself in catalogs of few, else the items of each topic.

        Args:
            topic: [N] int, of each item.
        """
        topic = np.asarray(topic, np.int64)
        if len(topic) <= FEW_ITEMS:
            return cls(np.arange(len(topic)), topic, topic)
        return cls(topic, np.arange(int(topic.max()) + 1), topic)


@dataclass(frozen=True, eq=False)
class Features:
    """What a linear model reads: [n, d] float64 each.

    Attributes:
        logged: of the situation and the logged action.
        target: the mean over the target policy's actions in the same situation.
    """

    logged: NDArray[np.float64]
    target: NDArray[np.float64]


def log_features(log: EventLog, target: PolicyOnLog, groups: Groups, num_stages: int) -> Features:
    """For each stage of a session: which group was shown, and how much of the visible history is its topic.

    Args:
        log: of single items.
        target: the target policy on the log, with the probability of these groups.
        groups: of the items.
        num_stages: S; step t is in stage min(t, S - 1).

    Returns:
        Features of d = S (G + 1) columns.

    Source: ours.
    """
    assert target.group_prob is not None
    n, G = target.group_prob.shape
    counts = _topics_of_history(log, groups)
    share = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))[:, groups.topic]
    stage, row = np.minimum(log.step, num_stages - 1), np.arange(n)
    logged, mean = np.zeros((n, num_stages, G + 1)), np.zeros((n, num_stages, G + 1))
    shown = groups.of_item[log.action[:, 0]]
    logged[row, stage, shown] = 1.0
    logged[row, stage, G] = share[row, shown]
    mean[row, stage, :G] = target.group_prob
    mean[row, stage, G] = (target.group_prob * share).sum(axis=1)
    return Features(logged.reshape(n, -1), mean.reshape(n, -1))


def visible_states(log: EventLog, groups: Groups) -> tuple[NDArray[np.int64], int]:
    """What a small table of states tells of a user: the commonest topic of the history, and the last answer.

    Args:
        log: of single items.
        groups: of the items.

    Returns:
        [n] int64 in [0, 2 (C + 1)): topic (C: no history yet; of equals the first) and whether the last
        slate was clicked; and how many states there are.

    Source: ours.
    """
    counts = _topics_of_history(log, groups)
    num_topics = counts.shape[1]
    topic = np.where(counts.any(axis=1), counts.argmax(axis=1), num_topics)
    clicked = (log.observation(slice(0, len(log)))["last_events"] & Event.CLICK).any(axis=1)
    return 2 * topic + clicked, 2 * (num_topics + 1)


def _topics_of_history(log: EventLog, groups: Groups) -> NDArray[np.int64]:
    """[n, C] int64: how many items of the visible history each topic has."""
    n, num_topics = len(log), int(groups.topic.max()) + 1
    column = np.append(groups.item_topic, num_topics)[log.history_items]
    flat = column + (num_topics + 1) * np.arange(n)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n * (num_topics + 1))
    return counts.reshape(n, num_topics + 1)[:, :-1]


def predicted_rewards(
    decisions: LoggedDecisions, features: Features, ridge: float = RIDGE
) -> PredictedRewards:
    """Rewards by least squares; each half of the units is predicted by a model of the other half."""
    fold = (np.arange(len(decisions)) if decisions.units.code is None else decisions.units.code) % 2
    logged, target = np.empty(len(decisions)), np.empty(len(decisions))
    for own in (0, 1):
        rows, others = fold == own, fold != own
        b = fit_linear(features.logged[others], decisions.reward[others], ridge=ridge)
        logged[rows], target[rows] = features.logged[rows] @ b, features.target[rows] @ b
    return PredictedRewards(logged, target)


def predicted_values(sessions: LoggedSessions, features: Features, ridge: float = RIDGE) -> PredictedValues:
    """Values by fitted Q evaluation; each half of the units is predicted by a model of the other half.

    Raises:
        ValueError: `fit_q` has not settled.
    """
    number = np.repeat(np.arange(sessions.num_sessions), sessions.lengths)
    fold = (number if sessions.units.code is None else sessions.units.code[number]) % 2
    logged, target = np.empty(len(sessions)), np.empty(len(sessions))
    for own in (0, 1):
        rows, others = fold == own, fold != own
        half = LoggedSessions(
            number[others],
            sessions.reward[others],
            sessions.logging_propensity[others],
            sessions.target_propensity[others],
            sessions.discount,
        )
        b = fit_q(half, features.logged[others], features.target[others], ridge=ridge).coefficients
        logged[rows], target[rows] = features.logged[rows] @ b, features.target[rows] @ b
    return PredictedValues(logged, target)
