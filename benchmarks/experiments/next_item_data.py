"""The data of *next-item*: what users did, as sessions of items; filters, splits, and logs for learners.

Of a simulator's log only the positives are kept, as a shop would have them. Symbols: m interactions, S
sessions, N items.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.errors import UsageError
from recsim_env import get_scenario
from recsim_env.catalog import PublicCatalog
from recsim_env.event_log import EventLog, collect_log, replacing
from recsim_env.event_log.columns import CART
from recsim_env.event_log.readers import read_retailrocket, read_yoochoose
from recsim_env.event_log.views import dense_items, positives, with_history
from recsim_env.records import Event

HISTORY = 10
CLICK_REWARD, PURCHASE_REWARD = 0.2, 1.0
LEAST_LENGTH, LEAST_COUNT = 3, 3
"""Shorter sessions are removed; items with fewer interactions are, in RetailRocket and simulator logs."""
SAMPLING_SEED = 0
"""Of the sessions that stand for a long file; the same in every repetition, as in the papers."""
CLICKS, BUYS, EVENTS = "yoochoose-clicks.dat", "yoochoose-buys.dat", "events.csv"
TRAIN, VALIDATION, TEST = 0, 1, 2
KINDS = RANDOM, TEMPORAL = "random", "temporal"
"""Of splits."""


class Interactions(NamedTuple):
    """What users did, session by session; sessions in the order of their starts.

    Attributes:
        session: [m] int64, ascending from 0 without gaps.
        item: [m] int64 in [0, N).
        purchase: [m] bool; all others are clicks.
        time: [m] int64, never decreasing within a session; any unit.
        num_items: N.
        least_count: items with fewer interactions in the training sessions are to be removed; 1 where rare
            ones are gone already.
    """

    session: np.ndarray
    item: np.ndarray
    purchase: np.ndarray
    time: np.ndarray
    num_items: int
    least_count: int = 1

    def rows(self, kept: np.ndarray) -> Interactions:
        """Some of the rows; sessions keep their numbers."""
        columns = (self.session[kept], self.item[kept], self.purchase[kept], self.time[kept])
        return Interactions(*columns, self.num_items, self.least_count)

    def of_items(self, known: np.ndarray) -> Interactions:
        """The rows of known items [N] bool, which are numbered anew."""
        kept, number = known[self.item], np.cumsum(known) - 1
        columns = (self.session[kept], number[self.item[kept]], self.purchase[kept], self.time[kept])
        return Interactions(*columns, int(known.sum()))


def prepared(
    session: np.ndarray,
    item: np.ndarray,
    purchase: np.ndarray,
    time: np.ndarray,
    *,
    least_count: int,
    most_sessions: int | None = None,
    kind: str = RANDOM,
) -> Interactions:
    """Filter, sample, and number anew, for one kind of split.

    First items with fewer than `least_count` interactions go, then sessions with fewer than `LEAST_LENGTH`,
    once each; then sessions are sampled. For the temporal split no items go here: which ones are rare is for
    the training sessions to say (`split`), and that a session is long enough is said by itself alone.

    Args:
        session, item, time: [m] int, any numbers; rows of a session stand together, in order.
        purchase: [m] bool.
        least_count: 1 keeps all items.
        most_sessions: at most so many, drawn without replacement; None for all.
        kind: of `KINDS`.

    Raises:
        UsageError: too little is left to be split.
    """
    _, code, count = np.unique(item, return_inverse=True, return_counts=True)
    now, later = (1, least_count) if kind == TEMPORAL else (least_count, 1)
    kept = np.flatnonzero(count[code] >= now)
    _, code, count = np.unique(session[kept], return_inverse=True, return_counts=True)
    kept = kept[count[code] >= LEAST_LENGTH]
    ids, first, code = np.unique(session[kept], return_index=True, return_inverse=True)
    if most_sessions is not None and len(ids) > most_sessions:
        drawn = np.random.default_rng(SAMPLING_SEED).permutation(len(ids))[:most_sessions]
        chosen = np.isin(code, drawn)
        kept = kept[chosen]
        ids, first, code = np.unique(session[kept], return_index=True, return_inverse=True)
    if len(ids) < 10:
        raise UsageError(
            f"expected at least 10 sessions of {LEAST_LENGTH} interactions or more to split, got {len(ids)}"
        )
    place = np.empty(len(ids), np.int64)
    place[np.argsort(time[kept][first], kind="stable")] = np.arange(len(ids))
    order = np.argsort(place[code], kind="stable")
    rows = kept[order]
    items, dense = np.unique(item[rows], return_inverse=True)
    when = time[rows].astype(np.int64)
    return Interactions(place[code][order], dense, purchase[rows], when, len(items), later)


def from_simulator(scenario: str, num_decisions: int, seed: int, kind: str) -> Interactions:
    """The positives of a log of the logging policy; users count as coming one after another."""
    from benchmarks.experiment import untrained_policies
    from recsim_env import World

    world = World(get_scenario(scenario).config)
    policy = untrained_policies(world)["logging"]()
    log = positives(collect_log(get_scenario(scenario).id, policy, num_decisions, seed))
    bought = (log.events[:, 0] & Event.PURCHASE) > 0
    visit = log.user_id * (int(log.visit.max(initial=0)) + 1) + log.visit
    columns = visit, log.action[:, 0], bought, np.arange(len(log))
    return prepared(*columns, least_count=LEAST_COUNT, kind=kind)


def read_data(path: Path, most_sessions: int | None) -> tuple[str, dict[str, Interactions]]:
    """A user's own files: the name of the data set, and its interactions for each kind of split.

    Args:
        path: RetailRocket's events.csv, or YooChoose's yoochoose-clicks.dat with yoochoose-buys.dat beside
            it, or the folder that holds either.
        most_sessions: see `prepared`.

    Raises:
        UsageError: neither is there, or it cannot be read; names what was looked for.
    """
    known = [path / EVENTS, path / CLICKS] if path.is_dir() else [path]
    found = [one for one in known if one.is_file()]
    if len(found) != 1:
        raise UsageError(
            f"--data: expected RetailRocket's {EVENTS}, YooChoose's {CLICKS}, or a folder with one of them; "
            f"{path} {'holds both' if found else 'has neither' if path.is_dir() else 'is no file or folder'}"
        )
    try:
        if found[0].suffix == ".dat":
            return "RC15", _yoochoose(found[0], most_sessions)
        return "RetailRocket", _retailrocket(found[0], most_sessions)
    except (OSError, ValueError) as error:
        raise UsageError(f"--data: {error}") from error


def _retailrocket(path: Path, most_sessions: int | None) -> dict[str, Interactions]:
    """One sequence for each visitor; a cart counts as a purchase, transactions are left out."""
    log, _ = dense_items(read_retailrocket(path).log)
    kept = np.flatnonzero(log.events[:, 0] != Event.PURCHASE)
    cart = (log.events[kept, 0] & CART) > 0
    columns = log.user_id[kept], log.action[kept, 0], cart, log.time[kept]
    return {
        kind: prepared(*columns, least_count=LEAST_COUNT, most_sessions=most_sessions, kind=kind)
        for kind in KINDS
    }


def _yoochoose(clicks: Path, most_sessions: int | None) -> dict[str, Interactions]:
    """Sessions as they are; all items stay."""
    buys = clicks.with_name(BUYS)
    if not buys.is_file():
        raise UsageError(f"--data: expected {BUYS} beside {clicks}; without it there are no purchases")
    log, _ = dense_items(read_yoochoose(clicks, buys).log)
    bought = (log.events[:, 0] & Event.PURCHASE) > 0
    columns = log.visit, log.action[:, 0], bought, log.time
    return {kind: prepared(*columns, least_count=1, most_sessions=most_sessions, kind=kind) for kind in KINDS}


def save(path: Path, data: Interactions) -> None:
    """Write interactions in one move."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **data._asdict())


def load(path: Path) -> Interactions:
    """What `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in Interactions._fields}
    whole = {name: int(arrays[name]) for name in ("num_items", "least_count")}
    return Interactions(**{**arrays, **whole})


def split(data: Interactions, kind: str, seed: int) -> list[Interactions]:
    """Training, validation and test sessions, 8:1:1.

    "random" draws sessions, as published: what other users did later is learned from. "temporal" takes them
    by their starts, and a session that runs over the start of the next part loses what lies behind it; items
    that are rare in the training sessions then go from all three parts. So nothing is learned from, not even
    which items there are, that happened later than anything tested (Ours).

    Args:
        data: at least ten sessions, from `prepared` for the same kind.
        kind: of `KINDS`.
        seed: of the random split; the temporal one is the same for all.

    Raises:
        ValueError: there is no such kind.
    """
    count = int(data.session[-1]) + 1
    cuts = [count * 8 // 10, count * 9 // 10]
    place = np.arange(count)
    if kind == RANDOM:
        place = np.random.default_rng([seed, count]).permutation(count)
    elif kind != TEMPORAL:
        raise ValueError(f"kind: expected {RANDOM!r} or {TEMPORAL!r}, got {kind!r}")
    part = np.searchsorted(cuts, place, side="right")[data.session]
    parts = [part == number for number in (TRAIN, VALIDATION, TEST)]
    if kind == RANDOM:
        return [data.rows(kept) for kept in parts]
    for number, cut in zip((TRAIN, VALIDATION), cuts, strict=True):
        parts[number] &= data.time < data.time[np.searchsorted(data.session, cut)]
    known = np.bincount(data.item[parts[TRAIN]], minlength=data.num_items) >= data.least_count
    return [data.rows(kept).of_items(known) for kept in parts]


def public_catalog(train: Interactions) -> PublicCatalog:
    """What is known of items: how often the training sessions hold each (and one more), and nothing else."""
    count = np.bincount(train.item, minlength=train.num_items) + 1.0
    nothing = np.zeros(train.num_items, np.int64)
    return PublicCatalog(nothing, np.ones(train.num_items, np.float32), count / count.sum(), 1)


def as_log(data: Interactions) -> EventLog:
    """Interactions as decisions that were all taken up: a session is a user, its end a termination.

    Rewards are 0.2 and 1.0. Propensities are 1 for want of any: none of the learners reads them.
    """
    first = np.append(True, data.session[1:] != data.session[:-1])
    rows = np.arange(len(first))
    step = rows - np.maximum.accumulate(np.where(first, rows, 0))
    events = np.where(data.purchase, Event.CLICK | Event.PURCHASE, Event.CLICK)
    before = np.maximum(rows - 1, 0)
    never = np.zeros(len(first), bool)
    columns: Mapping[str, Any] = {
        "user_id": data.session,
        "visit": np.zeros(len(first), np.int32),
        "step": step,
        "action": data.item[:, None],
        "propensity": np.ones(len(first)),
        "events": events[:, None],
        "price": np.ones((len(first), 1)),
        "reward": np.where(data.purchase, PURCHASE_REWARD, CLICK_REWARD),
        "terminated": np.append(first[1:], True),
        "truncated": never,
        "last_slate": np.where(first, data.num_items, data.item[before])[:, None],
        "last_events": np.where(first, 0, events[before])[:, None],
        "segment": np.zeros(len(first), np.int32),
        "session_step": step,
    }
    return with_history(EventLog.from_columns(columns, "positives"), HISTORY, data.num_items, "user")
