"""What learners read a log as: transitions, a click log, next items; and what real logs need for that."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from recsim_env.event_log.columns import CART, KEYS
from recsim_env.event_log.log import EventLog
from recsim_env.records import Event

Within = Literal["user", "visit"]


class Transitions(NamedTuple):
    """Decisions as value learners take them, b rows.

    Attributes:
        observation, next_observation: [b, ...] under the environment's keys.
        action: [b, K] int64; reward: [b] float32; propensity: [b] float64, None where the log has none.
        terminated: [b] bool, the user left: nothing is earned afterwards.
        truncated: [b] bool, the log ends here though the user had not left; learners bootstrap through it.
    """

    observation: dict[str, np.ndarray]
    action: np.ndarray
    reward: np.ndarray
    next_observation: dict[str, np.ndarray]
    terminated: np.ndarray
    truncated: np.ndarray
    propensity: np.ndarray | None


def transitions(log: EventLog, rows: np.ndarray | slice = slice(None)) -> Transitions:
    """(observation, action, reward, next observation, terminated, truncated, propensity) of some rows.

    A row that is neither the user's end nor the horizon's, but whose next decision the log lacks, counts as
    truncated.

    Raises:
        MissingColumnError: the log lacks rewards, ends of sessions or all that was seen; see `with_rewards`,
            `with_ends`, `with_history`.
    """
    return Transitions(
        observation=log.observation(rows),
        action=log.action[rows].astype(np.int64),
        reward=log.reward[rows],
        next_observation=log.next_observation(rows),
        terminated=log.terminated[rows],
        truncated=(log.truncated | ~(log.terminated | log.has_next))[rows],
        propensity=None if "propensity" in log.missing else log.propensity[rows],
    )


def positives(log: EventLog) -> EventLog:
    """What a shop's click log has: the items that users did something with, one row each, in order.

    What was shown and passed over is gone, and with it propensities, positions, rewards and the ends of
    sessions; ``step`` counts the rows of a visit. Users, visits, prices and times stay where the log has
    them.
    """
    row, position = np.nonzero(log.events)
    columns = {name: log.columns[name][row] for name in (*KEYS, "time") if name in log.columns}
    columns |= {name: log.columns[name][row, position][:, None] for name in ("action", "events")}
    if "price" in log.columns:
        columns["price"] = log.price[row, position][:, None]
    if "step" in columns:
        start = _group_starts([columns[name] for name in ("user_id", "visit") if name in columns], len(row))
        columns["step"] = np.arange(len(row)) - start
    return EventLog.from_columns(columns, log.policy, {**log.provenance, "view": "positives"})


class NextItems(NamedTuple):
    """Interactions with what came before them, m of them, in the order of the log.

    Attributes:
        history_items, history_events: [m, H] int64, the latest last, padded with the given item and 0.
        item, events: [m] int64, the item interacted with and the event mask.
        row: [m] int64, row of the log.
    """

    history_items: np.ndarray
    history_events: np.ndarray
    item: np.ndarray
    events: np.ndarray
    row: np.ndarray


def next_items(log: EventLog, history_length: int, padding: int, within: Within = "visit") -> NextItems:
    """Every interaction and the up to H interactions before it, for next-item learning.

    Args:
        log: any; what was shown and passed over does not count.
        history_length: H.
        padding: item id that stands for none; N where items are 0 .. N-1.
        within: how far back a history reaches: to the start of the visit, or of the user.

    Raises:
        MissingColumnError: the log does not know the user, or the visit.
    """
    row, position = np.nonzero(log.events)
    items, events = log.action[row, position].astype(np.int64), log.events[row, position].astype(np.int64)
    start = _group_starts([keys[row] for keys in _group_keys(log, within)], len(row))
    before = _before(np.arange(len(row)), start, history_length)
    histories = (_gathered(items, before, padding), _gathered(events, before, 0))
    return NextItems(*histories, items, events, row.astype(np.int64))


def with_history(log: EventLog, history_length: int, padding: int, within: Within = "user") -> EventLog:
    """A log with the columns of the history, from the interactions that stand before each row in the log.

    Args:
        log: a real log, which does not say what its platform saw.
        history_length, padding, within: as for `next_items`.
    """
    count = np.count_nonzero(log.events, axis=1)
    before_row = np.cumsum(count) - count
    row, position = np.nonzero(log.events)
    start = before_row[_group_starts(_group_keys(log, within), len(log))]
    before = _before(before_row, start, history_length)
    return log.with_columns(
        history_items=_gathered(log.action[row, position], before, padding),
        history_events=_gathered(log.events[row, position], before, 0),
    )


def with_rewards(
    log: EventLog, *, click: float = 0.0, like: float = 0.0, purchase: float = 0.0, cart: float = 0.0
) -> EventLog:
    """A log whose rewards are the sum of these weights over the events of each row."""
    weights = {Event.CLICK: click, Event.LIKE: like, Event.PURCHASE: purchase, CART: cart}
    reward = np.zeros(len(log))
    for event, weight in weights.items():
        reward += weight * ((log.events & event) > 0).sum(axis=1)
    return log.with_columns(reward=reward)


def with_ends(log: EventLog, means: Literal["terminated", "truncated"], within: Within = "visit") -> EventLog:
    """A log in which the last row of every visit, or user, counts as an end of this kind: your assumption.

    Raises:
        ValueError: ``means`` is neither.
    """
    if means not in ("terminated", "truncated"):
        raise ValueError(f"means: expected 'terminated' or 'truncated', got {means!r}")
    start = _group_starts(_group_keys(log, within), len(log))
    last = np.append(start[1:] != start[:-1], True)[: len(log)]
    never = np.zeros(len(log), bool)
    return log.with_columns(
        terminated=last if means == "terminated" else never,
        truncated=last if means == "truncated" else never,
    )


def dense_items(log: EventLog) -> tuple[EventLog, np.ndarray]:
    """The log with items numbered 0 .. N-1 in the order of their ids, and the [N] ids.

    The history, where the log has one, is left out: its padding is no item. Add it with `with_history`.
    """
    ids, codes = np.unique(log.action, return_inverse=True)
    gone = ("history_items", "history_events", "last_slate", "last_events")
    without = {name: None for name in gone if name in log.columns}
    return log.with_columns(action=codes.reshape(log.action.shape), **without), ids


def _group_keys(log: EventLog, within: Within) -> list[np.ndarray]:
    if within not in ("user", "visit"):
        raise ValueError(f"within: expected 'user' or 'visit', got {within!r}")
    if within == "user":
        return [log.user_id]
    return [log.visit] if "user_id" in log.missing else [log.user_id, log.visit]


def _group_starts(keys: list[np.ndarray], count: int) -> np.ndarray:
    """[n] for each row the first row of its run of equal keys."""
    begins = np.zeros(count, bool)
    begins[:1] = True
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return np.maximum.accumulate(np.where(begins, np.arange(count), 0))


def _before(index: np.ndarray, start: np.ndarray, length: int) -> np.ndarray:
    """[n, H] the H indices before each index, oldest first; -1 where they would lie before start."""
    before = index[:, None] + np.arange(-length, 0)
    return np.where(before >= start[:, None], before, -1)


def _gathered(values: np.ndarray, index: np.ndarray, padding: int) -> np.ndarray:
    padded = np.append(values.astype(np.int64), padding)
    return padded[index]
