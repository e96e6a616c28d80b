"""A real log to read facts from: Taobao UserBehavior, page views and what followed them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from recsim_env.metrics import FactSheet

BEHAVIOURS = ("pv", "fav", "cart", "buy")
PAGE_VIEW, FAVOURITE, CART, PURCHASE = range(4)
SESSION_GAP = 30 * 60
"""Seconds without an action after which the next one begins a session, as web analytics has it."""


class TaobaoLog(NamedTuple):
    """The rows that could be read, by user and then by time.

    Attributes:
        user, item, category: [n] int64 ids; behaviour: [n] int64, index into `BEHAVIOURS`; time: [n] int64,
            Unix seconds.
        num_malformed: rows that could not be read and are left out.
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    category: NDArray[np.int64]
    behaviour: NDArray[np.int64]
    time: NDArray[np.int64]
    num_malformed: int


def read_taobao(path: Path) -> TaobaoLog:
    """Read a CSV without header: user, item, category, behaviour, Unix seconds; whole in memory.

    A row counts as malformed unless it has exactly these five fields, with whole numbers that are not
    negative and a behaviour of `BEHAVIOURS`.

    Raises:
        UsageError: the file cannot be read, or holds no row of this form.

    Source: the data set's description, https://tianchi.aliyun.com/dataset/649.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    num_malformed = 0
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                parsed = _parse(row)
                if parsed is None:
                    num_malformed += 1
                else:
                    rows.append(parsed)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"--data: {path} cannot be read ({error})") from error
    if not rows:
        raise UsageError(
            f"--data: {path} holds no row of the form user,item,category,behaviour,seconds "
            f"with behaviour one of {', '.join(BEHAVIOURS)}"
        )
    columns = np.array(rows, np.int64).T
    user, item, category, behaviour, time = columns[:, np.lexsort((columns[4], columns[0]))]
    return TaobaoLog(user, item, category, behaviour, time, num_malformed)


def _parse(row: list[str]) -> tuple[int, int, int, int, int] | None:
    numbers = [*row[:3], *row[4:]]
    if len(row) != 5 or row[3] not in BEHAVIOURS:
        return None
    if not all(text.isascii() and text.isdecimal() and len(text) <= 18 for text in numbers):
        return None
    user, item, category, time = map(int, numbers)
    return user, item, category, BEHAVIOURS.index(row[3]), time


def taobao_facts(log: TaobaoLog, popularity_clicks: int) -> FactSheet:
    """The facts that such a log holds; it knows what was opened, not what was shown: nothing per impression.

    A page view is the click, a favourite the like. A session's length is its number of actions of any kind; a
    new one begins after more than `SESSION_GAP` without any.

    Args:
        log: as `read_taobao` returns it.
        popularity_clicks: see `FactSheet`.
    """
    sheet = FactSheet(popularity_clicks)
    counts = np.bincount(log.behaviour, minlength=len(BEHAVIOURS)).tolist()
    sheet.funnel.clicks, sheet.funnel.likes = counts[PAGE_VIEW], counts[FAVOURITE]
    sheet.funnel.carts, sheet.funnel.purchases = counts[CART], counts[PURCHASE]
    same_user = log.user[1:] == log.user[:-1]
    gap = np.diff(log.time)
    starts = np.flatnonzero(np.concatenate([[True], ~same_user | (gap > SESSION_GAP)]))
    sheet.sessions.add(np.diff(np.append(starts, len(log.user))))
    sheet.return_gaps.add(gap[same_user & (gap > SESSION_GAP)] / 3600)
    views = log.behaviour == PAGE_VIEW
    sheet.repeats.add(log.user[views], log.item[views], log.category[views])
    by_time = np.argsort(log.time[views], kind="stable")
    sheet.popularity.add(log.item[views][by_time])
    return sheet
