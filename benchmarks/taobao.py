"""A real log to read facts from: Taobao UserBehavior, page views and what followed them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from recsim_env.event_log.readers.rows import MalformedRowsWarning, read_rows
from recsim_env.event_log.readers.shops import SESSION_GAP, TAOBAO_EVENTS, TAOBAO_FIELDS
from recsim_env.metrics import FactSheet

BEHAVIOURS = tuple(TAOBAO_EVENTS)
PAGE_VIEW, FAVOURITE, CART, PURCHASE = range(4)


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MalformedRowsWarning)  # the command reports their number itself
            columns, report = read_rows(path, TAOBAO_FIELDS, header=False)
    except OSError as error:
        raise UsageError(f"--data: {path} cannot be read ({error})") from error
    except ValueError as error:
        raise UsageError(f"--data: {str(error).removeprefix('path: ')}") from error
    order = np.lexsort((columns["seconds"], columns["user"]))
    user, item, category, behaviour, time = (columns[named.name][order] for named in TAOBAO_FIELDS)
    return TaobaoLog(user, item, category, behaviour, time, report.malformed)


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
