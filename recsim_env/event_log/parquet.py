"""Columns as Parquet files: zstd, checksums on every page, and the header in the file's metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsim_env.event_log.columns import COLUMNS, OPTIONAL_COLUMNS, READABLE_VERSIONS, SCHEMA_VERSION
from recsim_env.event_log.files import replacing

METADATA_KEY = b"recsim_env.event_log"
DIGEST_KEY = b"recsim_env.event_log.sha256"
"""SHA-256 of the header: pages have checksums of their own, metadata has not."""

OPTIONS: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "write_page_checksum": True}
WITHOUT_DICTIONARY = ("history_items", "history_events", "item_prob")
"""Columns in which rows repeat those before them, or nothing: smaller and faster without a dictionary."""


def make_header(
    columns: Mapping[str, np.ndarray], extra: Sequence[str], policy: str, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """What a file says of itself."""
    return {
        "schema_version": SCHEMA_VERSION,
        "policy": policy,
        "provenance": dict(provenance),
        "missing": [name for name in COLUMNS if name not in columns],
        "extra_observation": list(extra),
    }


def header_metadata(header: Mapping[str, Any]) -> dict[bytes, bytes]:
    """The header as Parquet metadata, with its digest."""
    text = json.dumps(header).encode()
    return {METADATA_KEY: text, DIGEST_KEY: hashlib.sha256(text).hexdigest().encode()}


def write_options(schema: pa.Schema) -> dict[str, Any]:
    """How a file with these columns is written."""
    paths = [
        f"{column.name}.list.element" if pa.types.is_fixed_size_list(column.type) else column.name
        for column in schema
        if column.name not in WITHOUT_DICTIONARY
    ]
    return {**OPTIONS, "use_dictionary": paths}


def to_table(columns: Mapping[str, np.ndarray], metadata: Mapping[bytes, bytes]) -> pa.Table:
    """[n] columns as they are, [n, M] columns as lists of fixed size."""
    arrays = [_to_arrow(column) for column in columns.values()]
    return pa.Table.from_arrays(arrays, names=list(columns)).replace_schema_metadata(dict(metadata))


def write_log(
    path: str | Path,
    columns: Mapping[str, np.ndarray],
    extra: Sequence[str],
    policy: str,
    provenance: Mapping[str, Any],
) -> None:
    """Write one file; it appears under its name only when it is complete."""
    table = to_table(columns, header_metadata(make_header(columns, extra, policy, provenance)))
    with replacing(path) as temporary:
        pq.write_table(table, temporary, **write_options(table.schema))


def read_table(path: str | Path, content: bytes | None = None) -> tuple[dict[str, Any], pa.Table]:
    """Header and columns of a file.

    Args:
        path: of the file, also for messages.
        content: its bytes, if they are at hand already.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not an event log, a damaged one, or one of another schema version; the message says which.
    """
    path = Path(path)
    if content is None and not path.is_file():
        raise FileNotFoundError(f"path: {path} is not a file")
    try:
        source = path if content is None else pa.BufferReader(content)
        table = pq.read_table(source, page_checksum_verification=True)
        names, metadata = table.column_names, table.schema.metadata or {}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(
            f"path: {path} is not a readable Parquet file: another format, cut or damaged ({error})"
        ) from error
    header = _read_header(path, metadata)
    expected = [name for name in COLUMNS if name not in header["missing"]] + header["extra_observation"]
    absent = [name for name in expected if name not in names]
    if absent:
        raise ValueError(f"path: {path} lacks the columns {absent}")
    known = {*expected, *OPTIONAL_COLUMNS}
    return header, table.select([name for name in names if name in known])


def _read_header(path: Path, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    if METADATA_KEY not in metadata:
        raise ValueError(f"path: {path} is a Parquet file, but not an event log of recsim_env")
    text = metadata[METADATA_KEY]
    try:
        header = json.loads(text)
        version = header["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"path: {path} is damaged: its header cannot be read ({error})") from error
    if version not in READABLE_VERSIONS:
        readable = " and ".join(map(str, READABLE_VERSIONS))
        raise ValueError(f"path: {path} has event log schema {version}, this version reads {readable}")
    if version > 1 and metadata.get(DIGEST_KEY) != hashlib.sha256(text).hexdigest().encode():
        raise ValueError(f"path: {path} is damaged: its header does not have its checksum")
    return {"missing": [], "extra_observation": [], **header}


def _to_arrow(column: np.ndarray) -> pa.Array:
    if column.ndim == 1:
        return pa.array(column)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(column).ravel()), column.shape[1])


def from_table(where: str, table: pa.Table) -> dict[str, np.ndarray]:
    """Columns of a table as arrays; the inverse of `to_table`.

    Raises:
        ValueError: a column has empty values; the message begins with ``where``.
    """
    return {name: _from_arrow(where, name, table.column(name)) for name in table.column_names}


def _from_arrow(where: str, name: str, column: pa.ChunkedArray) -> np.ndarray:
    if column.null_count:
        raise ValueError(f"{where}: column {name} has empty values; a log has a column whole or not at all")
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    empty = np.zeros(0, dtype=column.type.value_type.to_pandas_dtype())
    return np.concatenate([empty, *flat]).reshape(-1, column.type.list_size)
