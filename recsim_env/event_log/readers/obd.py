"""The Open Bandit Dataset: impressions of a fashion shop, with the true propensities of its policies."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsim_env.event_log.log import EventLog
from recsim_env.event_log.readers.rows import (
    Field,
    ReadReport,
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

SOURCE = "Open Bandit Dataset"
POSITIONS = ("1", "2", "3")
NEEDED = ("timestamp", "item_id", "position", "click", "propensity_score")
ITEM_CONTEXT = "item_context.csv"


def read_open_bandit(path: str | Path, policy: str, *, set_aside: str | Path | None = None) -> RealLog:
    """Read one campaign of one policy, such as random/all/all.csv.

    A row is one item at one of three positions of a carousel, so a decision of a single item: `propensity` is
    the probability that the policy gave to this item at this position, `position` says which, and the reward
    is the click. The log knows no users and no sessions, only what the policy saw of them: ``user_features``
    [n, F] int32, the place of each hashed feature in ``provenance["vocabulary"]``, and ``affinity`` [n, N]
    float32, past clicks between users like this one and each item. Rows stay in the order of the file.

    Args:
        path: of the impressions; the file item_context.csv beside it, where there is one, gives the items.
        policy: who made the log, "random" or "bts"; the file does not say.
        set_aside: file for malformed rows, as for `read_rows`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its header, or every row, has another form.

    Source: Saito, Aihara, Matsutani and Narita (2020), "Open Bandit Dataset and Pipeline".
    """
    path = Path(path)
    names = read_header(path)
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise ValueError(
            f"path: {path}: expected a header with {', '.join(NEEDED)}; there is no {missing[0]}"
        )
    features = [name for name in names if name.startswith("user_feature_")]
    affinities = [name for name in names if name.startswith("user-item_affinity_")]
    known: dict[str, Field] = {
        "timestamp": instant("timestamp"),
        "item_id": whole("item_id", 2**31 - 1),
        "position": one_of("position", POSITIONS),
        "click": one_of("click", ("0", "1")),
        "propensity_score": real(
            "propensity_score", "a number in (0, 1]", lambda values: (values > 0) & (values <= 1)
        ),
        **{name: text(name) for name in features},
        **{name: real(name, "a number", np.isfinite) for name in affinities},
    }
    aside = None if set_aside is None else Path(set_aside)
    columns, report = read_rows(path, [known.get(name) for name in names], header=True, set_aside=aside)
    vocabulary = {name: np.unique(columns[name].astype(str)).tolist() for name in features}
    extra: dict[str, np.ndarray] = {}
    if features:
        codes = [np.unique(columns[name].astype(str), return_inverse=True)[1] for name in features]
        extra["user_features"] = np.stack(codes, axis=1)
    if affinities:
        extra["affinity"] = np.stack([columns[name] for name in affinities], axis=1).astype(np.float32)
    items, reports = _read_items(path.parent / ITEM_CONTEXT)
    provenance = {
        "source": SOURCE,
        "files": {report.file: report.summary()},
        "vocabulary": vocabulary,
        "derived": {"reward": "the click"},
    }
    log = EventLog(
        action=columns["item_id"][:, None],
        propensity=columns["propensity_score"],
        events=columns["click"][:, None] * int(Event.CLICK),
        reward=columns["click"],
        optional={"position": columns["position"][:, None], "time": columns["timestamp"]},
        extra_observation=extra,
        policy=policy,
        provenance=provenance,
    )
    return RealLog(log, (report, *reports), items)


def _read_items(path: Path) -> tuple[dict[str, np.ndarray], tuple[ReadReport, ...]]:
    """Items by id: the numeric feature as it is, hashed ones as text."""
    if not path.is_file():
        return {}, ()
    names = read_header(path)
    fields: dict[str, Field] = {
        "item_id": whole("item_id", 2**31 - 1),
        "item_feature_0": real("item_feature_0", "a number", np.isfinite),
        **{name: text(name) for name in names if name.startswith("item_feature_") and name[-2:] != "_0"},
    }
    columns, report = read_rows(path, [fields.get(name) for name in names], header=True)
    order = np.argsort(columns["item_id"], kind="stable")
    renamed = {"item": columns["item_id"][order]}
    renamed |= {name: column[order] for name, column in columns.items() if name != "item_id"}
    return renamed, (report,)
