"""The structured dtypes that flow through the kernel: a user, an item, an outcome, the parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import IntFlag
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.checked import Section
from recsim_env.compiling import CACHE_LINE
from recsim_env.config import MAX_CHANGES, Change, ChangeKind, ChoiceModel, WorldConfig

Records = NDArray[Any]
"""A structured array of one of this module's dtypes."""


class Event(IntFlag):
    """What a user did with an item: the bits of an event mask; 0 is shown and not clicked."""

    CLICK = 1
    LIKE = 2
    PURCHASE = 4


NO_EVENT = 0
VECTOR = 8  # float32 in a vector register
MOST_PLACES = 2**16  # in the table of items seen on a slate
ALL_EVENTS = int(Event.CLICK | Event.LIKE | Event.PURCHASE)

OUTCOME = np.dtype(
    [
        ("reward", "<f8"),
        ("revenue", "<f8"),
        ("user_id", "<i8"),
        ("visit", "<i4"),
        ("clicks", "<i4"),
        ("likes", "<i4"),
        ("purchases", "<i4"),
        ("terminated", "?"),
        ("truncated", "?"),
        ("visit_ended", "?"),
    ],
    align=True,
)
"""What one step did, beside the change of state; ``visit_ended``: the user's patience was spent."""


class ObservationArrays(NamedTuple):
    """The arrays behind one batch of observations, in the order in which the kernel writes them.

    The last three have no columns in worlds without lifetimes (R = 0), a run (T = 0) or candidates (M = 0).

    Attributes:
        history_items: [B, H] int64 in [0, N], N where there is none; the latest last.
        history_events: [B, H] int64 event masks; 0 where there is none.
        last_slate: [B, K] int64 in [0, N], N before the first step.
        last_events: [B, K] int64 event masks of the last slate.
        segment: [B] int64 in [0, S).
        session_step: [B, 1] int64, decisions taken so far in this visit.
        hours_away: [B, R] int64, hours since the visit before, rounded up; 0 in the first.
        hour: [B, T] int64, whole hours since the run began.
        candidates: [B, M] int64, the candidate items, ~item where one is not on offer.
    """

    history_items: NDArray[np.int64]
    history_events: NDArray[np.int64]
    last_slate: NDArray[np.int64]
    last_events: NDArray[np.int64]
    segment: NDArray[np.int64]
    session_step: NDArray[np.int64]
    hours_away: NDArray[np.int64]
    hour: NDArray[np.int64]
    candidates: NDArray[np.int64]

    def visible(self, num_items: int) -> dict[str, NDArray[np.int64]]:
        """What a policy sees: the arrays that this world has, candidates that are not on offer as item N."""
        seen = {name: array for name, array in self._asdict().items() if array.ndim < 2 or array.shape[1]}
        if "candidates" in seen:
            seen["candidates"] = np.where(self.candidates < 0, num_items, self.candidates)
        return seen


def user_state_dtype(config: WorldConfig) -> np.dtype[Any]:
    """USER_STATE: everything that changes or belongs to one user, so that copying a record forks the user.

    ``visit`` counts from 0; ``step`` counts the decisions of this visit, ``decisions`` those of the episode;
    ``arrival`` and ``hour``: when the first and this visit began, in hours; ``hours_away``: since the visit
    before, rounded up; ``ended`` says that the visit is over; ``appeal_shift``: level of the drift of appeal;
    ``interest`` z, ``taste`` theta (unit), ``satiation`` s in [0, 1] per topic, ``satisfaction`` h in [0, 1],
    ``patience`` m in steps; the history is right-aligned, the latest last, padded with item N.
    """
    dim, history, slate = config.catalog.embedding_dim, config.history_length, config.slate_size
    return np.dtype(
        [
            ("user_id", "<i8"),
            ("arrival", "<f8"),
            ("hour", "<f8"),
            ("visit", "<i4"),
            ("step", "<i4"),
            ("decisions", "<i4"),
            ("hours_away", "<i4"),
            ("segment", "<i4"),
            ("ended", "?"),
            ("appeal_shift", "<f4"),
            ("satisfaction", "<f4"),
            ("patience", "<f4"),
            ("conformity", "<f4"),
            ("price_sensitivity", "<f4"),
            ("interest", "<f4", (dim,)),
            ("taste", "<f4", (dim,)),
            ("satiation", "<f4", (config.catalog.num_topics,)),
            ("history_items", "<i4", (history,)),
            ("last_slate", "<i4", (slate,)),
            ("history_events", "u1", (history,)),
            ("last_events", "u1", (slate,)),
        ],
        align=True,
    )


def item_dtype(embedding_dim: int) -> np.dtype[Any]:
    """ITEM: one item, padded to whole cache lines.

    ``embedding`` is unit; ``log_popularity`` has mean 0 over the catalog, so that its scale does not depend
    on N; ``quality`` in (0, 1); ``appeal``, and the ``later_appeal`` that drift goes to, in units of utility;
    ``price`` in currency units; on offer from hour ``born`` to before hour ``gone``, both whole.
    """
    scalars = ["appeal", "log_popularity", "quality", "log_price", "price", "later_appeal", "born", "gone"]
    names = ["embedding", *scalars, "topic"]
    formats = [f"({embedding_dim},)<f4", *["<f4"] * len(scalars), "<i4"]
    widths = np.cumsum([0, 4 * embedding_dim, *[4] * len(scalars)]).tolist()
    size = -(-(widths[-1] + 4) // CACHE_LINE) * CACHE_LINE
    return np.dtype({"names": names, "formats": formats, "offsets": widths, "itemsize": size})


def whole_vectors(count: int, length: int = VECTOR) -> int:
    """The next multiple of the vector length: loops over whole vectors compile to the fastest code."""
    return -(-count // length) * length


def scratch_dtype(config: WorldConfig, room: Mapping[str, int]) -> np.dtype[Any]:
    """SCRATCH: what one thread needs beside the state while it serves a user; meaningless between calls.

    ``<group>_lanes``, ``<group>_keys`` and ``words`` belong to the draws that are made together, with
    ``room`` for the blocks of each group, of which ``<group>_blocks`` are drawn (see ``kernel/draws.py``).
    What belongs to positions is padded to whole vectors, ``width``: behind the K positions stands the option
    of no click, then nothing. ``<group>_blocks``, ``width``, ``dim`` and ``num_topics`` are counts that the
    compiler does not know: it makes vector code of loops over them, while it writes out short loops of known
    length one element after the other.
    """
    dim, options = config.catalog.embedding_dim, whole_vectors(config.slate_size + 1)
    places = min(1 << (16 * config.slate_size**2 - 1).bit_length(), MOST_PLACES)
    fields: list[tuple[Any, ...]] = [
        *((f"{name}_lanes", "<u4", (count,)) for name, count in room.items()),
        *((f"{name}_keys", "<u4", (count,)) for name, count in room.items()),
        *((f"{name}_blocks", "<i8") for name in room),
        ("fault", "<i8", (2,)),
        ("width", "<i8"),
        ("dim", "<i8"),
        ("num_topics", "<i8"),
        ("words", "<u4", (4, max(*room.values(), room["step"] + options))),
        ("candidates", "<i8", (config.population.organic_candidates,)),
        ("uniforms", "<f4", (dim,)),
        ("noise", "<f4", (dim,)),
        ("match", "<f4", (options,)),
        ("utility", "<f4", (options,)),
        ("examination", "<f4", (options,)),
        ("option_uniforms", "<f4", (options,)),
        ("race", "<f4", (options,)),
        ("clicked", "<i8", (options,)),
        ("events", "u1", (options,)),
        ("num_seen", "<u4"),
        ("seen", "<u4", (places,)),
    ]
    return np.dtype(fields, align=True)


def _kernel_sections(config: WorldConfig) -> list[Section]:
    """The sections whose fields the kernel reads as parameters; the catalog reaches it as items."""
    parts = [getattr(config, spec.name) for spec in dataclasses.fields(config)]
    return [part for part in parts if isinstance(part, Section) and part is not config.catalog]


def pack_params(config: WorldConfig) -> Records:
    """PARAMS: the config as [1] record, each field under its own name; reals float32, whole numbers int64.

    ``examination`` [K] holds e_k = (k + 1)^-gamma, ``num_items`` is N, ``model`` the code of the choice
    model. ``changing`` says that there is a run; ``num_changes`` counts the changes of drift, and
    change_<field> [MAX_CHANGES] holds each field of them.
    """
    values: dict[str, Any] = {}
    for section in _kernel_sections(config):
        for spec in dataclasses.fields(section):
            if spec.name in values:
                raise ValueError(f"two sections have a field {spec.name!r}")
            values[spec.name] = getattr(section, spec.name)
    values["model"] = int(ChoiceModel[values["model"].upper()])
    values["num_items"] = config.catalog.num_items
    values["num_changes"] = len(config.drift)
    values["changing"] = int(config.run.run_hours > 0)
    formats = [(name, "<i8" if isinstance(value, int) else "<f4") for name, value in values.items()]
    columns = {spec.name: spec.metadata.get("type", int) for spec in dataclasses.fields(Change)}
    arrays = [
        ("examination", "<f4", (config.slate_size,)),
        *(
            (f"change_{name}", "<i8" if kind is int else "<f4", (MAX_CHANGES,))
            for name, kind in columns.items()
        ),
    ]
    params = np.zeros(1, np.dtype([*formats, *arrays], align=True))
    for name, value in values.items():
        params[name] = value
    for place, change in enumerate(config.drift):
        for name, value in dataclasses.asdict(change).items():
            params[f"change_{name}"][0, place] = ChangeKind[value.upper()] if name == "kind" else value
    params["examination"] = np.arange(1, config.slate_size + 1) ** -float(config.choice.position_exponent)
    return params


def aligned_zeros(count: int, dtype: np.dtype[Any]) -> Records:
    """Zeroed records whose first byte starts a cache line."""
    buffer = np.zeros(count * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE
    return buffer[start : start + count * dtype.itemsize].view(dtype)
