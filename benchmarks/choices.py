"""Names and folders from the command line, checked before any work: each mistake is one clear error."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium as gym

from benchmarks.errors import UsageError
from benchmarks.summary import REFERENCES

if TYPE_CHECKING:
    from recsim_env.config import WorldConfig

NAMESPACE = "recsim_env"


def check_agents_package() -> None:
    """Raise UsageError unless the package that `import agents` finds is this project's."""
    try:
        agents = importlib.import_module("agents")
    except ImportError as error:
        raise UsageError(
            f"the agents cannot be imported ({error}). "
            "Install them with: pip install 'recsim_env[benchmarks]'"
        ) from error
    if getattr(agents, "PROJECT", None) != NAMESPACE:
        raise UsageError(
            f"`import agents` finds another project's package, at {getattr(agents, '__file__', None)}. "
            "Other distributions install a package of that name (openai-agents for one): "
            "use an environment without it."
        )


def nearest(kind: str, name: str, valid: Iterable[str]) -> str:
    """An error text that lists the valid names, the likeliest first."""
    names = list(valid)
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"unknown {kind} {name!r}.{hint} There are: {', '.join(names)}."


def scenario_ids() -> list[str]:
    """Ids of all registered scenarios."""
    importlib.import_module(NAMESPACE)
    return sorted(spec.id for spec in gym.registry.values() if spec.namespace == NAMESPACE)


def find_scenario(name: str) -> str:
    """The full id of a scenario, given with or without its namespace.

    Raises:
        UsageError: there is none of this name; the message names the nearest.
    """
    ids = scenario_ids()
    full = name if "/" in name else f"{NAMESPACE}/{name}"
    if full not in ids:
        raise UsageError(nearest("scenario", name, (one.split("/")[1] for one in ids)))
    return full


def find_agents(names: str | None, config: WorldConfig) -> list[str]:
    """The agents to compare: those asked for, and the references that every comparison has.

    Args:
        names: comma-separated; None for all agents that can act in this world.
        config: of the world.

    Raises:
        UsageError: an unknown agent, or one that cannot act in this world.
    """
    from agents import AGENTS

    slates = config.slate_size > 1
    unable = {"dqn"} if slates else set()
    if names is None:
        chosen = [name for name in AGENTS if name not in unable]
    else:
        chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in AGENTS:
            raise UsageError(nearest("agent", name, AGENTS))
        if name in unable:
            raise UsageError(
                f"agent {name!r} recommends single items; this scenario asks for {config.slate_size}"
            )
    return ordered([*REFERENCES, *chosen])


def ordered(names: Sequence[str]) -> list[str]:
    """Without repeats, first come first."""
    return list(dict.fromkeys(names))


def check_file(path: Path | None) -> None:
    """Raise UsageError when a file of this name could not be written."""
    from benchmarks.tasks import check_writable

    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--json: {path} is a folder; give the name of a file")
    check_writable(path.parent)
