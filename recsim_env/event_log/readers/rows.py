"""Text files of one record per line as columns; lines of another form are counted, reported and set aside."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsim_env.event_log.files import replacing

CHUNK = 2**24
"""Bytes read at a time."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NUM_EXAMPLES = 3


class MalformedRowsWarning(UserWarning):
    """Lines of a file could not be read and are not in the log."""


class Field(NamedTuple):
    """One value of a line.

    Attributes:
        name: of the column.
        expected: for messages, such as "a whole number".
        pattern: regular expression of a whole value.
        parse: [n] strings that match -> ([n] array, [n] bool, which of them are in range).
    """

    name: str
    expected: str
    pattern: str
    parse: Callable[[pa.Array], tuple[np.ndarray, np.ndarray]]


@dataclass
class ReadReport:
    """What became of the lines of a file.

    Attributes:
        file: its name.
        rows: lines that are in the log.
        malformed: lines that are not; reasons: what was wrong -> how many lines.
        examples: the first few, as (line number, reason, text).
        set_aside: the file that holds all of them, if one was asked for.
    """

    file: str
    rows: int = 0
    malformed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[int, str, str]] = field(default_factory=list)
    set_aside: str | None = None

    def summary(self) -> dict[str, Any]:
        """The counts, as JSON can hold them."""
        return {"rows": self.rows, "malformed": self.malformed, "reasons": dict(self.reasons)}


def whole(name: str, high: int = 2**63 - 1) -> Field:
    """A whole number in [0, high]."""

    def parse(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        values = texts.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return values, values <= high

    bound = "" if high == 2**63 - 1 else f" up to {high}"
    return Field(name, f"a whole number{bound}", r"^[0-9]{1,18}$", parse)


def real(name: str, expected: str, accept: Callable[[np.ndarray], np.ndarray]) -> Field:
    """A finite decimal number that is acceptable."""

    def parse(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        values = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return values, np.isfinite(values) & accept(values)

    return Field(name, expected, r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$", parse)


def one_of(name: str, values: Sequence[str]) -> Field:
    """One of some words; the column holds their places."""

    def parse(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        places = pc.index_in(texts, pa.array(values)).to_numpy(zero_copy_only=False)
        return places.astype(np.int64), np.ones(len(places), bool)

    return Field(name, f"one of {', '.join(values)}", f"^({'|'.join(values)})$", parse)


def text(name: str, expected: str = "text", pattern: str = r"^[\x20-\x7e]*$") -> Field:
    """Printable ASCII; the column holds it as objects."""

    def parse(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        return np.array(texts.to_pylist(), object), np.ones(len(texts), bool)

    return Field(name, expected, pattern, parse)


def instant(name: str) -> Field:
    """A date and a time of day with its zone, ISO 8601; the column holds microseconds since 1970 (UTC)."""

    def cast(texts: pa.Array) -> np.ndarray:
        zoned = texts.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        found: np.ndarray = zoned.to_numpy(zero_copy_only=False)
        return found

    def parse(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        try:
            return cast(texts), np.ones(len(texts), bool)
        except pa.ArrowInvalid:  # some day or hour does not exist: find out which
            values, valid = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
            for place in range(len(texts)):
                try:
                    values[place], valid[place] = cast(texts[place : place + 1])[0], True
                except pa.ArrowInvalid:
                    continue
            return values, valid

    shape = (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
    )
    return Field(name, "a time such as 2014-04-07T10:51:09.277Z", shape, parse)


def read_header(path: Path) -> list[str]:
    """The names in the first line of a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, or not text.
    """
    first = next(_lines(path), pa.array([b""], pa.binary()))[0].as_py()
    try:
        names = str(first, "utf-8").split(",")
    except UnicodeDecodeError as error:
        raise ValueError(f"path: {path}: the first line is not text ({error})") from error
    return names


def read_rows(
    path: Path, fields: Sequence[Field | None], *, header: bool, set_aside: Path | None = None
) -> tuple[dict[str, np.ndarray], ReadReport]:
    """The columns of a file of comma-separated values without quotes.

    Args:
        path: a text file, or a compressed one (.gz, .bz2, .zst).
        fields: of a line, in order; None for one that is not read.
        header: whether the first line holds names, and is skipped.
        set_aside: file for the lines of another form, as JSON Lines of line (from 1), reason and text.

    Returns:
        Columns by name, in the order of the file, and the report.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no line has the form; the message names the first that has not.

    Warns:
        MalformedRowsWarning: some lines have not.
    """
    read = [named for named in fields if named is not None]
    report = ReadReport(path.name)
    parts: list[dict[str, np.ndarray]] = []
    rejected: list[tuple[int, str, str]] = []
    number = 1
    for lines in _lines(path):
        if header and number == 1:
            lines, number = lines[1:], 2
        columns, faults = _parse(lines, fields)
        parts.append(columns)
        report.rows += len(lines) - len(faults)
        for row, reason in faults:
            line = lines[row].as_py().decode("utf-8", "backslashreplace")
            rejected.append((number + row, reason, line))
        number += len(lines)
    report.malformed, report.examples = len(rejected), rejected[:NUM_EXAMPLES]
    report.reasons = Counter(reason.split(", got ")[0] for _, reason, _ in rejected)
    if set_aside is not None:
        with replacing(set_aside) as temporary, open(temporary, "w", encoding="utf-8") as file:
            for line_number, reason, line in rejected:
                file.write(json.dumps({"line": line_number, "reason": reason, "text": line}) + "\n")
        report.set_aside = str(set_aside)
    form = ",".join("..." if named is None else named.name for named in fields[:12])
    if not report.rows:
        first = f"; line {rejected[0][0]}: {rejected[0][1]}" if rejected else ", it is empty"
        raise ValueError(f"path: {path} holds no row of the form {form}{first}")
    if rejected:
        where = f", all of them in {set_aside}" if set_aside else ""
        warnings.warn(
            f"{path.name}: {report.malformed} of {report.rows + report.malformed} rows do not have the form "
            f"{form} and are left out; the first is line {rejected[0][0]}: {rejected[0][1]}{where}",
            MalformedRowsWarning,
            stacklevel=3,
        )
    joined = {named.name: np.concatenate([part[named.name] for part in parts]) for named in read}
    return joined, report


def _lines(path: Path) -> Iterator[pa.Array]:
    """The lines of a file without their ends, as binary arrays of many."""
    if not path.is_file():
        raise FileNotFoundError(f"path: {path} is not a file")
    rest, begun = b"", False
    try:
        with pa.input_stream(path, compression="detect") as stream:
            for chunk in chain(iter(lambda: stream.read(CHUNK), b""), [None]):
                if not begun and chunk is not None:
                    chunk, begun = chunk.removeprefix(BYTE_ORDER_MARK), True
                content = rest if chunk is None else rest + chunk
                whole, end, rest = content.rpartition(b"\n")
                if chunk is None:
                    whole, end = content, content and b"\n"
                if end:
                    lines = pc.split_pattern(pa.array([whole], pa.binary()), pattern="\n").flatten()
                    yield pc.replace_substring_regex(lines, pattern="\r$", replacement="")
                    rest = b"" if chunk is None else rest
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"path: {path} cannot be read ({error})") from error


def _parse(
    lines: pa.Array, fields: Sequence[Field | None]
) -> tuple[dict[str, np.ndarray], list[tuple[int, str]]]:
    """Columns of the lines that have the form; (place, reason) of the others."""
    values = pc.split_pattern(lines, pattern=",")
    widths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
    faults = {
        row: f"expected {len(fields)} values, got {widths[row]}"
        for row in np.flatnonzero(widths != len(fields)).tolist()
    }
    good = np.flatnonzero(widths == len(fields))
    values = values.take(pa.array(good))
    columns: dict[str, np.ndarray] = {}
    for place, named in enumerate(fields):
        if named is None:
            continue
        texts = pc.list_element(values, place)
        fits = pc.match_substring_regex(texts, named.pattern).to_numpy(zero_copy_only=False)
        parsed, in_range = named.parse(texts.filter(pa.array(fits)).cast(pa.string()))
        kept = fits.copy()
        kept[fits] = in_range
        for row in np.flatnonzero(~kept).tolist():
            found = str(texts[row].as_py(), "utf-8", "backslashreplace")
            faults[int(good[row])] = f"{named.name}: expected {named.expected}, got {found!r}"
        if not kept.all():
            columns = {name: column[kept] for name, column in columns.items()}
            good, values = good[kept], values.filter(pa.array(kept))
        columns[named.name] = parsed[in_range]
    return columns, sorted(faults.items())


class RealLog(NamedTuple):
    """A real log in the schema of the simulator's.

    Attributes:
        log: what the log lacks is missing; see `EventLog`.
        reports: of each file that was read.
        items: what the files say of items, [M] each: "item" are their ids, ascending.
    """

    log: Any
    reports: tuple[ReadReport, ...]
    items: Mapping[str, np.ndarray]
