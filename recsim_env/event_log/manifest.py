"""The writing end of a folder's manifest."""

from __future__ import annotations

import json
import os
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
        partitions: the finished ones, by file.

    Raises:
        ValueError: the folder holds another log, or a damaged file; the message says which.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        self.folder, self.path = folder, folder / MANIFEST
        self.partitions: dict[str, Partition] = {}
        header = json.loads(json.dumps(header))
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._take_up(header)
        else:
            strangers = sorted(entry.name for entry in folder.glob("*.parquet"))
            if strangers:
                raise ValueError(f"out: {folder} holds {strangers[0]} but no {MANIFEST}; give another folder")
            with replacing(self.path) as temporary:
                temporary.write_text(json.dumps(header) + "\n", encoding="utf-8")
        for leftover in folder.glob(".*.partial"):
            leftover.unlink(missing_ok=True)

    def _take_up(self, header: Mapping[str, Any]) -> None:
        found = LogFolder.open(self.folder)
        if found.header != header:
            raise ValueError(
                f"out: {self.folder} holds another log ({first_difference(found.header, header)}); "
                "give another folder, or remove that one first"
            )
        for entry in found.partitions:
            if (self.folder / entry.file).exists():
                found.read(entry)
            self.partitions[entry.file] = entry
        content = self.path.read_bytes()
        os.truncate(self.path, content.rfind(b"\n") + 1)

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
