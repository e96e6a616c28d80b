"""From an event log, in memory or in a folder larger than memory, to what a training reads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agents.learning.batches import LogTensors
from agents.learning.held_out import MOST_ROWS, HeldOut, held_out_users
from agents.spec import ObservationSpec
from recsim_env import WorldConfig
from recsim_env.event_log import EventLog, LogFolder

if TYPE_CHECKING:
    from agents.learning.training import Training
    from recsim_env.catalog import PublicCatalog


@contextmanager
def read_log(
    log: EventLog | LogFolder,
    public_catalog: PublicCatalog,
    spec: ObservationSpec,
    training: Training,
    seed: int,
) -> Iterator[tuple[LogTensors, HeldOut | None]]:
    """What is learned from and what is held out.

    A log in memory stays there. A folder is read file by file, into files of columns that exist inside the
    block: memory holds one file of it at a time, and on a GPU all of it.

    Args:
        log: with recorded propensities.
        public_catalog: that it was made with; the prices of a folder are compared with it.
        spec: sizes of its scenario.
        training: says how many users are held out.
        seed: says which.

    Raises:
        ValueError: the log cannot be learned from; all users are held out, or none; the training is to stop
            by a return that cannot be estimated.
    """
    if spec.slate_size > 1 and training.patience and training.monitor == "return":
        raise ValueError(
            f"monitor: a slate's return cannot be estimated from a log (slates of {spec.slate_size} items "
            "are next to never the same); stop by 'loss'"
        )
    kept_out: list[EventLog] = []

    def learned_from() -> Iterator[EventLog]:
        for part in parts_of(log):
            if isinstance(log, LogFolder):
                check_prices(part, public_catalog)
            if not training.held_out:
                yield part
                continue
            away = held_out_users(part.user_id, training.held_out, seed)
            if sum(map(len, kept_out)) < MOST_ROWS:
                kept_out.append(part.select(away))
            yield part.select(~away)

    with tempfile.TemporaryDirectory(prefix="recsim_env-", dir=training.scratch) as folder:
        if isinstance(log, LogFolder):
            data = LogTensors.from_logs(learned_from(), spec, Path(folder))
        else:
            data = LogTensors.from_log(next(learned_from()), spec)
        held_out = None
        if training.held_out:
            away = EventLog.concatenate(kept_out)
            if len(away) == 0:
                raise ValueError(
                    f"held_out: {training.held_out} of the log's users are none of them; expected a larger "
                    "share, or more users"
                )
            away = away.first_users(min(MOST_ROWS, len(away)))
            held_out = HeldOut(away, LogTensors.from_log(away, spec))
        yield data, held_out


def whole_log(log: EventLog | LogFolder) -> EventLog:
    """The log in memory."""
    return log.load() if isinstance(log, LogFolder) else log


def parts_of(log: EventLog | LogFolder) -> Iterator[EventLog]:
    """The log itself, or the files of a folder one after the other.

    Raises:
        ValueError: the folder is not finished, or damaged.
    """
    if isinstance(log, EventLog):
        yield log
    elif log.is_complete:
        yield from log.logs()
    else:
        raise ValueError(
            f"log: {log.path} holds {log.num_users} of {log.header['num_users']} users; run the command that "
            "made it again to finish it"
        )


def config_of(log: EventLog) -> WorldConfig | None:
    """The config of the world that made a log, if the log's provenance has it."""
    text = log.provenance.get("config")
    return None if text is None else WorldConfig.from_json(text)


def spec_of_log(log: EventLog, public_catalog: PublicCatalog) -> ObservationSpec:
    """Sizes of the scenario that made a log.

    The number of segments comes from the config in the log's provenance, or else is the largest one seen
    plus one; so do candidates and hours, or else there are no candidates, and hours where the catalog has
    dates.

    Raises:
        ValueError: the prices of the shown items are not the catalog's, so the log comes from another
            catalog.
    """
    check_prices(log, public_catalog)
    num_segments = int(log.segment.max(initial=0)) + 1
    num_candidates, returns, has_hour = 0, False, public_catalog.born is not None
    config = config_of(log)
    if config is not None:
        num_segments = max(num_segments, config.population.num_segments)
        num_candidates = config.candidates.num_candidates
        returns, has_hour = config.returns.lifetime_hours > 0, config.run.run_hours > 0
    history_length, slate_size = log.history_items.shape[1], log.action.shape[1]
    return ObservationSpec(
        len(public_catalog.topic),
        history_length,
        slate_size,
        num_segments,
        num_candidates,
        returns,
        has_hour,
    )


def check_prices(log: EventLog, public_catalog: PublicCatalog) -> None:
    """Raise ValueError unless the shown items have the catalog's prices: else it is not the log's catalog."""
    num_items = len(public_catalog.topic)
    known = (log.action >= 0) & (log.action < num_items)
    shown_price = public_catalog.price[np.where(known, log.action, 0)]
    if not (known & (shown_price == log.price)).all():
        row, slot = (int(axis[0]) for axis in np.nonzero(~known | (shown_price != log.price)))
        raise ValueError(
            f"public_catalog: the log was made with another one: row {row}, slot {slot} shows item "
            f"{int(log.action[row, slot])} at {float(log.price[row, slot])!r}, "
            f"which this catalog of {num_items} items does not"
        )
