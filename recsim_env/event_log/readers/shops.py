"""Click logs of shops, Taobao UserBehavior, RetailRocket, YooChoose: what users did, not what was shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recsim_env.event_log.columns import CART
from recsim_env.event_log.log import EventLog
from recsim_env.event_log.readers.rows import (
    RealLog,
    instant,
    one_of,
    read_header,
    read_rows,
    real,
    text,
    whole,
)
from recsim_env.records import Event

SESSION_GAP = 30 * 60
"""Seconds without an action after which the next one begins a visit, as web analytics has it."""

LARGEST_ITEM = 2**31 - 1
SECOND, MILLISECOND = 1_000_000, 1_000
"""In microseconds."""

TAOBAO_EVENTS = {"pv": Event.CLICK, "fav": Event.LIKE, "cart": CART, "buy": Event.PURCHASE}
TAOBAO_FIELDS = (
    whole("user"),
    whole("item", LARGEST_ITEM),
    whole("category"),
    one_of("behaviour", list(TAOBAO_EVENTS)),
    whole("seconds", 2**40),
)
RETAILROCKET_EVENTS = {"view": Event.CLICK, "addtocart": CART, "transaction": Event.PURCHASE}
RETAILROCKET_HEADER = ["timestamp", "visitorid", "event", "itemid", "transactionid"]


def read_taobao(
    path: str | Path, *, session_gap: float = SESSION_GAP, set_aside: str | Path | None = None
) -> RealLog:
    """Read Taobao UserBehavior: CSV without header of user, item, category, behaviour and Unix seconds.

    A page view (pv) is a click, a favourite (fav) a like, a cart (cart) has its own bit, a purchase (buy) is
    a purchase. One row per action, by user and time; actions of the same second keep the order of the file.
    Visits and steps are derived from the times.

    Args:
        path: of the CSV.
        session_gap: seconds without an action after which a visit ends.
        set_aside: file for malformed rows, as for `read_rows`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no row has the form.

    Source: the data set's description, https://tianchi.aliyun.com/dataset/649.
    """
    path = Path(path)
    columns, report = read_rows(path, TAOBAO_FIELDS, header=False, set_aside=_path(set_aside))
    events = np.array(list(TAOBAO_EVENTS.values()), np.uint8)[columns["behaviour"]]
    ids, first = np.unique(columns["item"], return_index=True)
    log = _by_user(
        columns["user"], columns["item"], events, columns["seconds"] * SECOND, session_gap,
        {"source": "Taobao UserBehavior", "files": {report.file: report.summary()}},
    )  # fmt: skip
    return RealLog(log, (report,), {"item": ids, "category": columns["category"][first]})


def read_retailrocket(
    path: str | Path, *, session_gap: float = SESSION_GAP, set_aside: str | Path | None = None
) -> RealLog:
    """Read the events.csv of RetailRocket: timestamp (Unix milliseconds), visitor, event, item, transaction.

    A view is a click, addtocart has the bit of the cart, a transaction is a purchase. Otherwise as
    `read_taobao`.

    Source: the data set's description, https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset.
    """
    path = Path(path)
    header = read_header(path)
    if header != RETAILROCKET_HEADER:
        raise ValueError(
            f"path: {path}: expected the header {','.join(RETAILROCKET_HEADER)}, got {','.join(header)[:200]}"
        )
    fields = [
        whole("timestamp", 2**50),
        whole("visitorid"),
        one_of("event", list(RETAILROCKET_EVENTS)),
        whole("itemid", LARGEST_ITEM),
        text("transactionid", "a whole number or nothing", r"^[0-9]*$"),
    ]
    columns, report = read_rows(path, fields, header=True, set_aside=_path(set_aside))
    events = np.array(list(RETAILROCKET_EVENTS.values()), np.uint8)[columns["event"]]
    log = _by_user(
        columns["visitorid"], columns["itemid"], events, columns["timestamp"] * MILLISECOND, session_gap,
        {"source": "RetailRocket", "files": {report.file: report.summary()}},
    )  # fmt: skip
    return RealLog(log, (report,), {"item": np.unique(columns["itemid"])})


def read_yoochoose(
    clicks: str | Path,
    buys: str | Path | None = None,
    *,
    set_aside: tuple[str | Path, str | Path] | None = None,
) -> RealLog:
    """Read the raw files of the RecSys Challenge 2015: yoochoose-clicks.dat and yoochoose-buys.dat.

    Neither has a header: session, time, item, category; and session, time, item, price, quantity. Sessions
    are anonymous, so the log has visits (the session's id) and no users. One row per click or purchase, by
    session and time, clicks first where times are equal. `price` is that of a purchase, NaN at clicks, and
    missing where there are no purchases. Categories (which change from click to click) and quantities are
    checked and left out.

    Args:
        clicks: file of clicks.
        buys: file of purchases.
        set_aside: two files for malformed rows, of clicks and of purchases.

    Source: the data set's description, http://2015.recsyschallenge.com/challenge.html.
    """
    asides = (None, None) if set_aside is None else tuple(Path(path) for path in set_aside)
    session, item = whole("session", 2**31 - 1), whole("item", LARGEST_ITEM)
    category = text("category", "S, 0 or a whole number", r"^(S|[0-9]{1,18})$")
    found, report = read_rows(
        Path(clicks), [session, instant("time"), item, category], header=False, set_aside=asides[0]
    )
    reports, parts = [report], [(found, Event.CLICK, np.full(report.rows, np.nan))]
    if buys is not None:
        price = real("price", "a number that is not negative", lambda values: values >= 0)
        fields = [session, instant("time"), item, price, whole("quantity")]
        found, report = read_rows(Path(buys), fields, header=False, set_aside=asides[1])
        reports.append(report)
        parts.append((found, Event.PURCHASE, found["price"]))
    joined = {
        name: np.concatenate([part[name] for part, _, _ in parts]) for name in ("session", "time", "item")
    }
    events = np.concatenate([np.full(len(part["item"]), int(event), np.uint8) for part, event, _ in parts])
    order = np.lexsort((joined["time"], joined["session"]))
    visit, time = joined["session"][order], joined["time"][order]
    optional_price: Any = None
    if buys is not None:
        optional_price = np.concatenate([prices for _, _, prices in parts])[order][:, None]
    log = EventLog(
        visit=visit,
        step=_steps([visit]),
        action=joined["item"][order][:, None],
        events=events[order][:, None],
        price=optional_price,
        optional={"time": time},
        policy="",
        provenance={
            "source": "YooChoose (RecSys Challenge 2015)",
            "files": {report.file: report.summary() for report in reports},
            "derived": {"visit": "the session's id", "step": "order in time, clicks first"},
        },
    )
    return RealLog(log, tuple(reports), {"item": np.unique(joined["item"])})


def _by_user(
    user: np.ndarray,
    item: np.ndarray,
    events: np.ndarray,
    time: np.ndarray,
    session_gap: float,
    provenance: dict[str, Any],
) -> EventLog:
    """Actions of known users, with visits cut at gaps in time; all [n], times in microseconds."""
    if not session_gap > 0:
        raise ValueError(f"session_gap: expected above 0 seconds, got {session_gap}")
    order = np.lexsort((time, user))
    user, time = user[order], time[order]
    begins = np.append(True, (user[1:] != user[:-1]) | (np.diff(time) > session_gap * SECOND))
    first = np.append(True, user[1:] != user[:-1])
    number = np.cumsum(begins) - 1
    visit = number - np.maximum.accumulate(np.where(first, number, 0))
    gap = f"ends after {session_gap:g} seconds without an action"
    return EventLog(
        user_id=user,
        visit=visit,
        step=_steps([user, visit]),
        action=item[order][:, None],
        events=events[order][:, None],
        optional={"time": time},
        policy="",
        provenance={**provenance, "derived": {"visit": gap, "step": "order in time"}},
    )


def _steps(keys: list[np.ndarray]) -> np.ndarray:
    """[n] place of each row in its run of equal keys."""
    rows = np.arange(len(keys[0]))
    begins = np.zeros(len(rows), bool)
    begins[:1] = True
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return rows - np.maximum.accumulate(np.where(begins, rows, 0))


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
