"""The writing end of a folder's manifest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recsim_env.event_log.files import replacing
from recsim_env.event_log.folder import MANIFEST, LogFolder, Partition


class Manifest:
    """The manifest of a folder that is being written.

    Opening it makes the folder, or takes up one that was left unfinished: the files that it has are checked,
    half a line at the end of the manifest is cut off, and temporary files are removed.

    Args:
        folder: where the log goes.
        header: what the log is; JSON-serialisable.

    Attributes:
        folder, header: as given.
        partitions: the finished ones, by file.

    Raises:
        ValueError: the folder holds another log, or a damaged file, or another process is writing to it; the
            message says which.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        self.folder, self.path = folder, folder / MANIFEST
        self.partitions: dict[str, Partition] = {}
        self.header: dict[str, Any] = json.loads(json.dumps(header))
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        try:
            if self.path.exists():
                self._take_up()
            else:
                self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        strangers = sorted(entry.name for entry in self.folder.glob("*.parquet"))
        if strangers:
            raise ValueError(
                f"out: {self.folder} holds {strangers[0]} but no {MANIFEST}; take another folder"
            )
        self._clear()
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(self.header) + "\n", encoding="utf-8")

    def _clear(self) -> None:
        for leftover in self.folder.glob(".*.partial"):
            leftover.unlink(missing_ok=True)

    def _take_up(self) -> None:
        found = LogFolder.open(self.folder)
        if found.header != self.header:
            raise ValueError(
                f"out: {self.folder} holds another log ({first_difference(found.header, self.header)}); "
                "give another folder, or remove that one first"
            )
        self._clear()
        for entry in found.partitions:
            if (self.folder / entry.file).exists():
                found.read(entry)
            self.partitions[entry.file] = entry
        content = self.path.read_bytes()
        os.truncate(self.path, content.rfind(b"\n") + 1)

    def close(self) -> None:
        """Let other processes write to the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def has(self, file: str) -> bool:
        """Whether a partition is finished and there."""
        return file in self.partitions and (self.folder / file).exists()

    def add(self, partition: Partition) -> None:
        """Write a finished partition down; one that was made again must be what it was.

        Raises:
            ValueError: it is not.
        """
        known = self.partitions.setdefault(partition.file, partition)
        if known != partition:
            raise ValueError(
                f"out: {self.folder / partition.file} was made again and came out different: the code or a "
                "library has changed; remove the folder to make all of it anew"
            )
        if known is partition:
            with open(self.path, "ab") as manifest:
                manifest.write(json.dumps(asdict(partition)).encode() + b"\n")
                manifest.flush()
                os.fsync(manifest.fileno())


def _locked(folder: Path) -> int | None:
    """A descriptor that keeps other processes from writing to a folder until it is closed, or this one ends.

    None on systems without such locks.

    Raises:
        ValueError: another process holds the lock.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ValueError(f"out: another process is writing to {folder}") from None
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def first_difference(old: Any, new: Any, path: str = "") -> str:
    """'name.name: old there, new here' of the first difference between two JSON values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            before, after = old.get(key), new.get(key)
            if before != after:
                return first_difference(before, after, f"{path}.{key}" if path else key)
    if isinstance(old, str) and isinstance(new, str) and old[:1] == new[:1] == "{":
        try:
            return first_difference(json.loads(old), json.loads(new), path)
        except ValueError:
            pass
    return f"{path}: {_short(old)} there, {_short(new)} here"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
