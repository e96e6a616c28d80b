"""A log on disk in parts: a folder of Parquet files, and a manifest that says what belongs there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from recsim_env.event_log.columns import READABLE_VERSIONS
from recsim_env.event_log.log import EventLog
from recsim_env.event_log.parquet import from_table, read_table

MANIFEST = "manifest.jsonl"
FORMAT = "recsim_env event log"


@dataclass(frozen=True)
class Partition:
    """One file of a folder: users number first_user .. first_user + num_users - 1, see `World.users`.

    Attributes:
        file: its name.
        first_user, num_users: int.
        rows: decisions.
        sha256: of the file's bytes, in hexadecimal.
    """

    file: str
    first_user: int
    num_users: int
    rows: int
    sha256: str


def partition_name(number: int) -> str:
    """Names sort in the order of the users."""
    return f"part-{number:06d}.parquet"


@dataclass(frozen=True)
class LogFolder:
    """A folder of partitions, as its manifest has them.

    The manifest is one JSON object per line: what the log is, then one line per finished partition, in
    order. It only grows, so a run that was killed leaves at most one unfinished line, which counts as none.

    Attributes:
        path: the folder.
        header: "settings" (where the log comes from), "policy", "num_users", "partition_users".
        partitions: those that are finished.
    """

    path: Path
    header: Mapping[str, Any]
    partitions: tuple[Partition, ...]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read the manifest.

        Raises:
            FileNotFoundError: the folder has none.
            ValueError: the manifest is damaged, or of another version.
        """
        path = Path(path)
        manifest = path / MANIFEST
        if not manifest.is_file():
            raise FileNotFoundError(f"path: {path} holds no event log ({MANIFEST} is missing)")
        lines = manifest.read_bytes().split(b"\n")[:-1]  # behind the last line break: nothing, or half a line
        try:
            header, *entries = [json.loads(line) for line in lines]
            partitions = tuple(Partition(**entry) for entry in entries)
            version, known = header["schema_version"], header["format"] == FORMAT
            complete = {"settings", "policy", "num_users", "partition_users"} <= header.keys()
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"path: {manifest} is damaged ({error})") from error
        if not known or not complete:
            raise ValueError(f"path: {manifest} is no manifest of an event log")
        if version not in READABLE_VERSIONS:
            raise ValueError(
                f"path: {path} has event log schema {version}, this version reads "
                f"{' and '.join(map(str, READABLE_VERSIONS))}"
            )
        wrong = [i for i, entry in enumerate(partitions) if entry.file != partition_name(i)]
        if wrong:
            raise ValueError(f"path: {manifest} is damaged: line {wrong[0] + 2} is out of order")
        return cls(path, header, partitions)

    @property
    def num_rows(self) -> int:
        """Decisions in the finished partitions."""
        return sum(entry.rows for entry in self.partitions)

    @property
    def num_users(self) -> int:
        """Users in the finished partitions."""
        return sum(entry.num_users for entry in self.partitions)

    @property
    def is_complete(self) -> bool:
        """Whether every user that was asked for is there."""
        return self.num_users == self.header["num_users"]

    def read(self, partition: Partition) -> bytes:
        """The bytes of one file, checked.

        Raises:
            ValueError: the file is missing, cut or changed; the message names it.
        """
        file = self.path / partition.file
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ValueError(f"path: {file} cannot be read ({error.strerror or error})") from error
        if hashlib.sha256(content).hexdigest() != partition.sha256:
            raise ValueError(
                f"path: {file} is damaged: its {len(content)} bytes do not have the checksum of {MANIFEST}. "
                "Remove the file, and the command that made the log makes it again"
            )
        return content

    def verify(self) -> None:
        """Check every file against the manifest.

        Raises:
            ValueError: one is missing, cut or changed; the message names it.
        """
        for partition in self.partitions:
            self.read(partition)

    def logs(self) -> Iterator[EventLog]:
        """The partitions one after the other, each checked before it is read."""
        for partition in self.partitions:
            path = self.path / partition.file
            header, table = read_table(path, self.read(partition))
            yield EventLog.from_columns(from_table(str(path), table), header["policy"], header["provenance"])

    def load(self) -> EventLog:
        """The whole log in memory.

        Raises:
            ValueError: a file is damaged, or the log is not finished.
        """
        if not self.is_complete:
            raise ValueError(
                f"path: {self.path} holds {self.num_users} of {self.header['num_users']} users; run the "
                "command that made it again to finish it, or read what is there with LogFolder.logs"
            )
        read = [read_table(self.path / entry.file, self.read(entry)) for entry in self.partitions]
        columns = from_table(f"path: {self.path}", pa.concat_tables([table for _, table in read]))
        header = read[0][0]
        return EventLog.from_columns(columns, header["policy"], header["provenance"])
