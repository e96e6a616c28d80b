"""Logs of any length on disk: in constant memory, whole partitions or none, the same bytes if cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from recsim_env.event_log.collect import BLOCK_USERS, find_world, provenance_of, serve_block
from recsim_env.event_log.columns import COLUMNS, OPTIONAL_COLUMNS, SCHEMA_VERSION
from recsim_env.event_log.files import replacing
from recsim_env.event_log.folder import FORMAT, LogFolder, Partition, partition_name
from recsim_env.event_log.log import EventLog
from recsim_env.event_log.manifest import Manifest
from recsim_env.event_log.parquet import header_metadata, make_header, to_table, write_options
from recsim_env.policy import Policy
from recsim_env.rollout import check_whole
from recsim_env.streams import MAX_SEED, MAX_USER_ID
from recsim_env.world import World

DEFAULT_PARTITION = 16 * BLOCK_USERS
PROBABILITY_CELLS = 2**23
"""Probabilities in memory at a time: rows are written in pieces of so many values."""

Columns = dict[str, np.ndarray]


class Progress(NamedTuple):
    """How far a run has come.

    Attributes:
        users: of all users, those whose decisions are written, or were found written; rows: their decisions.
        reused: users of partitions that an earlier run had finished.
    """

    users: int
    rows: int
    reused: int


def simulate(
    world: World | str,
    policy: Policy,
    num_users: int,
    out: str | Path,
    *,
    seed: int = 0,
    max_steps: int | None = None,
    hours: tuple[float, float] | None = None,
    partition_users: int = DEFAULT_PARTITION,
    probabilities: bool = False,
    policy_origin: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> LogFolder:
    """Log the whole sessions of a world's users number 0 .. num_users - 1 into a folder of Parquet files.

    Every `BLOCK_USERS` users are served side by side, with a generator of their own for the policy, and
    become one row group; so rows depend neither on the size of the partitions nor on what was there before,
    and memory does not grow with the number of users. A partition appears when it is complete and is then
    written down in the manifest with its checksum. Run again after an interruption, only missing partitions
    are made, and the folder's bytes are those of a run that was not interrupted.

    Args:
        world: a world, or the name or id of a registered scenario.
        policy: the logging policy. With ``item_propensity(observation, slate)`` -> [b, K] its slates are
            logged with the column ``item_propensity`` too, in worlds without a clock or candidates.
        num_users: how many users; where there is a run they arrive evenly over it, as `World.users` has them.
        out: the folder.
        seed: of the users' luck; the policy draws from generators seeded with (seed, block of users).
        max_steps: horizon of a session; that of the scenario by default.
        hours: (start, stop), log only users who arrive at start <= hour < stop of the world's run.
        partition_users: users per file, a multiple of `BLOCK_USERS`.
        probabilities: whether to log the column ``item_prob``, for which the policy must have
            ``item_prob(observation)`` -> [b, N].
        policy_origin: what makes the policy what it is, beside its name; JSON-serialisable.
        progress: called after every block.

    Returns:
        The finished folder.

    Raises:
        ValueError: a bad argument; the folder holds another log, or a damaged file.
        OSError: a file could not be written; what was finished before stays, nothing is left half-written.
    """
    check_whole("num_users", num_users, 1, MAX_USER_ID + 1)
    check_whole("seed", seed, 0, MAX_SEED)
    check_whole("partition_users", partition_users, 1, MAX_USER_ID + 1)
    if partition_users % BLOCK_USERS:
        raise ValueError(f"partition_users: expected a multiple of {BLOCK_USERS}, got {partition_users}")
    if probabilities and (not hasattr(policy, "item_prob") or getattr(policy, "needs_state", False)):
        raise ValueError(
            f"probabilities: the policy {policy.name!r} does not state the probability of every item"
        )
    world, max_steps, scenario = find_world(world, max_steps)
    if probabilities and world.public_catalog.born is not None and not world.config.candidates.num_candidates:
        raise ValueError(
            "probabilities: expected a world whose items are always on offer, or a two-stage one"
        )
    world.user_ids(np.zeros(1, np.int64), num_users, hours)  # an error comes before any file
    provenance = {
        **provenance_of(world, scenario, max_steps, seed),
        "policy": {"name": policy.name, **(policy_origin or {})},
        "probabilities": probabilities,
        "block_users": BLOCK_USERS,
        **({} if hours is None else {"hours": list(hours)}),
    }
    header = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "policy": policy.name,
        "num_users": num_users,
        "partition_users": partition_users,
        "settings": provenance,
    }

    def serve(block: int, stop: int) -> Columns:
        numbers = np.arange(block * BLOCK_USERS, min((block + 1) * BLOCK_USERS, stop))
        return serve_block(world, policy, seed, block, world.user_ids(numbers, num_users, hours), max_steps)

    with closing(Manifest(Path(out), header)) as manifest:
        _write_missing(manifest, serve, policy, probabilities, progress or (lambda done: None))
    return LogFolder.open(out)


def _write_missing(
    manifest: Manifest,
    serve: Callable[[int, int], Columns],
    policy: Policy,
    probabilities: bool,
    progress: Callable[[Progress], None],
) -> None:
    """Make the partitions that the folder does not have yet; serve(block, stop) gives a block's columns."""
    num_users, partition_users = manifest.header["num_users"], manifest.header["partition_users"]
    wanted = [
        (partition_name(number), first, min(first + partition_users, num_users))
        for number, first in enumerate(range(0, num_users, partition_users))
    ]
    todo = [part for part in wanted if not manifest.has(part[0])]
    reused = num_users - sum(stop - first for _, first, stop in todo)
    rows = sum(manifest.partitions[file].rows for file, _, _ in wanted if manifest.has(file))
    users = reused
    progress(Progress(users, rows, reused))
    calls = (partial(serve, block, stop) for _, first, stop in todo for block in _blocks(first, stop))
    with closing(_ahead(calls)) as served:
        for file, first, stop in todo:
            with replacing(manifest.folder / file) as temporary:
                pieces = _pieces(served, _blocks(first, stop), stop, policy, probabilities)
                for written, done in _write(temporary, pieces, policy.name, manifest.header["settings"]):
                    progress(Progress(users + done - first, rows + written, reused))
                with open(temporary, "rb") as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
            manifest.add(Partition(file, first, stop - first, written, digest))
            users, rows = users + stop - first, rows + written


def _pieces(
    served: Iterator[Columns], blocks: range, stop: int, policy: Policy, probabilities: bool
) -> Iterator[tuple[Columns, int]]:
    """(columns, number of the user behind the last one) of the row groups of a partition."""
    for block in blocks:
        for columns in _with_probabilities(next(served), policy, probabilities):
            yield columns, min((block + 1) * BLOCK_USERS, stop)


def _write(
    path: Path, pieces: Iterable[tuple[Columns, int]], policy: str, provenance: Mapping[str, Any]
) -> Iterator[tuple[int, int]]:
    """Write pieces as the row groups of one file; yields (rows so far, next user's number) after each."""
    with ExitStack() as stack:
        writer, metadata, rows = None, {}, 0
        for columns, done in pieces:
            if writer is None:
                extra = [name for name in columns if name not in COLUMNS and name not in OPTIONAL_COLUMNS]
                metadata = header_metadata(make_header(columns, extra, policy, provenance))
                schema = to_table(columns, metadata).schema
                writer = stack.enter_context(pq.ParquetWriter(path, schema, **write_options(schema)))
            writer.write_table(to_table(columns, metadata))
            rows += len(columns["action"])
            yield rows, done


def _blocks(first: int, stop: int) -> range:
    return range(first // BLOCK_USERS, -(-stop // BLOCK_USERS))


def _with_probabilities(columns: Columns, policy: Any, every_item: bool) -> Iterator[Columns]:
    """The rows of a block in pieces, with what the policy says of the probabilities of single items.

    Both are functions of what the policy saw, so they are asked for when the rows are written: a block's
    probabilities need not be in memory at once.
    """
    plain = "candidates" not in columns and "hour" not in columns  # elsewhere choices are not items
    of_slate = plain and columns["action"].shape[1] > 1 and hasattr(policy, "item_propensity")
    if not of_slate and not every_item:
        yield columns
        return
    log = EventLog.from_columns(columns, policy.name)
    num_items = policy.item_prob(log.observation(slice(0, 1))).shape[1] if every_item else 1
    piece = max(1, PROBABILITY_CELLS // (num_items + log.slate_size))
    for start in range(0, len(log), piece):
        part = slice(start, start + piece)
        seen = log.observation(part)
        added: Columns = {}
        if of_slate:
            shown = log.action[part].astype(np.int64)
            added["item_propensity"] = np.asarray(policy.item_propensity(seen, shown), np.float64)
        if every_item:
            added["item_prob"] = np.asarray(policy.item_prob(seen), np.float32)
        yield {**{name: column[part] for name, column in columns.items()}, **added}


def _ahead(calls: Iterable[Callable[[], Columns]]) -> Generator[Columns, None, None]:
    """The results of calls, each made in another thread while the one before it is used."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="recsim_env.simulate")
    try:
        waiting: Future[Columns] | None = None
        for call in calls:
            following = pool.submit(call)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
