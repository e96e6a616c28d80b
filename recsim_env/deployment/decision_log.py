"""The decision log: what was decided, when and on what evidence; lines are added and never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recsim_env.deployment.controller import Decision


class DecisionLog:
    """Two files that grow: `<path>.jsonl`, one JSON object per line, and `<path>.txt`, one sentence.

    A deployment that goes on in the same files appends to them.

    Args:
        path: without suffix; its folder must exist.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.json_path = path.with_name(path.name + ".jsonl")
        self.text_path = path.with_name(path.name + ".txt")

    def write(self, decisions: Iterable[Decision]) -> None:
        """Append, whole lines at a time."""
        decisions = list(decisions)
        if not decisions:
            return
        with open(self.json_path, "a", encoding="utf-8") as lines:
            lines.write("".join(json_line(one) for one in decisions))
        with open(self.text_path, "a", encoding="utf-8") as lines:
            lines.write("".join(text_line(one) for one in decisions))

    def read(self) -> list[dict[str, Any]]:
        """Every decision so far, as written."""
        return [json.loads(line) for line in self.json_path.read_text(encoding="utf-8").splitlines()]


def json_line(decision: Decision) -> str:
    """One line of JSON."""
    return json.dumps(asdict(decision), allow_nan=False) + "\n"


def text_line(decision: Decision) -> str:
    """One line for a person."""
    return (
        f"batch {decision.batch:>5}  request {decision.requests:>9,}  {decision.kind:<8}  {decision.text}\n"
    )
