"""Agents on disk: a folder with `agent.json` (what it is) and `arrays.safetensors` (what it learned)."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

FORMAT = 1
CARD = "agent.json"
ARRAYS = "arrays.safetensors"
TRAINED = "agent"
"""Where the folder of a training (`recsim-env train`) keeps its agent."""


def save_agent(
    folder: str | Path,
    kind: str,
    card: Mapping[str, Any],
    arrays: Mapping[str, torch.Tensor],
    inside: Mapping[str, Callable[[Path], None]] | None = None,
) -> None:
    """Write an agent's folder in one move: a reader finds the old agent or the new one, never half of either.

    Args:
        folder: destination; replaced when it already holds an agent, refused when it holds anything else.
        kind: the agent's class name, checked again by `load_agent`.
        card: JSON-serialisable settings.
        arrays: tensors by name, any shape and dtype.
        inside: name of a folder inside -> what writes it, the `save` of another agent.

    Raises:
        FileExistsError: `folder` exists and is not an agent's folder.
    """
    target = Path(folder)
    if target.exists() and not (target / CARD).is_file():
        raise FileExistsError(f"folder: {target} exists and holds no {CARD}; choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        new = staging / "new"
        new.mkdir()
        text = json.dumps({"format": FORMAT, "kind": kind, **card}, indent=2, sort_keys=True)
        (new / CARD).write_text(text + "\n", encoding="utf-8")
        save_file(
            {name: tensor.detach().contiguous().clone() for name, tensor in arrays.items()}, new / ARRAYS
        )
        for name, write in (inside or {}).items():
            write(new / name)
        if target.exists():
            os.replace(target, staging / "old")
        os.replace(new, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def agent_folder(folder: str | Path) -> Path:
    """The folder of an agent: this one, or that of the agent of a training's folder.

    Raises:
        FileNotFoundError: neither.
    """
    for place in (Path(folder), Path(folder) / TRAINED):
        if (place / CARD).is_file():
            return place
    raise FileNotFoundError(
        f"folder: {folder} holds no saved agent ({CARD} is missing there and in {TRAINED}/)"
    )


def saved_kind(folder: str | Path) -> str:
    """The class name of the agent that a folder holds.

    Raises:
        FileNotFoundError: it holds none.
    """
    return str(_read_card(Path(folder)).get("kind"))


def load_agent(folder: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read what `save_agent` wrote.

    Returns:
        The card, and the tensors by name.

    Raises:
        FileNotFoundError: `folder` holds no agent.
        ValueError: it holds another kind of agent, or one of an unknown format.
    """
    source = Path(folder)
    card = _read_card(source)
    if card.get("format") != FORMAT:
        raise ValueError(f"folder: {source} has format {card.get('format')!r}, this version reads {FORMAT}")
    if card.get("kind") != kind:
        raise ValueError(f"folder: {source} holds a {card.get('kind')!r} agent, expected {kind!r}")
    return card, load_file(source / ARRAYS)


def _read_card(folder: Path) -> dict[str, Any]:
    if not (folder / CARD).is_file():
        raise FileNotFoundError(f"folder: {folder} holds no saved agent ({CARD} is missing)")
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    if not isinstance(card, dict):
        raise ValueError(f"folder: {folder / CARD}: expected a JSON object, got {type(card).__name__}")
    return card
