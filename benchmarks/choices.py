"""Names and folders from the command line, checked before any work: each mistake is one clear error."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UsageError
from benchmarks.summary import REFERENCES

if TYPE_CHECKING:
    from recsim_env import Policy, World
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


def find_scenario(name: str) -> str:
    """The full id of a scenario, given with or without its namespace.

    Raises:
        UsageError: there is none of this name; the message names the nearest.
    """
    from recsim_env import get_scenario

    try:
        return get_scenario(name).id
    except ValueError as error:
        raise UsageError(str(error)) from error


def find_agents(names: str | None, config: WorldConfig) -> list[str]:
    """The agents to compare: those asked for, and the references that every comparison has.

    Args:
        names: comma-separated specifications (`AgentSpec`); None for all agents that can act in this world.
        config: of the world.

    Raises:
        UsageError: an unknown agent, or one that cannot act in this world.
    """
    from agents import COMPARED, AgentSpec, split_specs

    if names is None:
        chosen = [name for name in COMPARED if why_unable(name, config) is None]
    else:
        try:
            chosen = [AgentSpec.parse(text).text for text in split_specs(names)]
        except ValueError as error:
            raise UsageError(str(error)) from error
    for text in chosen:
        why = why_unable(text.partition(":")[0], config)
        if why is not None:
            raise UsageError(why)
    return ordered([*REFERENCES, *chosen])


def why_unable(name: str, config: WorldConfig) -> str | None:
    """Why a registered agent can not learn in a world; None where it can."""
    from agents.learning.offline import OfflineAgent
    from agents.registry import AGENTS

    kind, candidates = AGENTS[name], config.candidates.num_candidates
    single = getattr(kind, "single_item", False)
    if single and config.slate_size > 1:
        return f"agent {name!r} recommends single items; this scenario asks for {config.slate_size}"
    if candidates and (single or issubclass(kind, OfflineAgent)):
        return f"agent {name!r} learns where all items can be chosen; this scenario offers {candidates}"
    most, num_items = getattr(kind, "most_items", None), config.catalog.num_items
    if most is not None and num_items > most:
        return f"agent {name!r} keeps all pairs of at most {most:,} items; this scenario has {num_items:,}"
    return None


def ordered(names: Sequence[str]) -> list[str]:
    """Without repeats, first come first."""
    return list(dict.fromkeys(names))


def parse_sizes(option: str, text: str, least: int) -> list[int]:
    """Whole numbers from a comma-separated list, ascending; k and m stand for a thousand and a million.

    Raises:
        UsageError: names the option and the part that is not a number of at least `least`.
    """
    sizes = set()
    for part in text.lower().replace("_", "").split(","):
        digits, unit = part.strip(), 1
        if digits[-1:] in ("k", "m"):
            digits, unit = digits[:-1], 1_000 if digits[-1] == "k" else 1_000_000
        if not digits.isdecimal() or int(digits) * unit < least:
            raise UsageError(
                f"{option}: expected whole numbers from {least} on, such as 20k,2m, got {part.strip()!r}"
            )
        sizes.add(int(digits) * unit)
    return sorted(sizes)


def one_size(option: str, text: str, least: int = 1) -> int:
    """A whole number; k and m stand for a thousand and a million.

    Raises:
        UsageError: it is none, or too small, or there are several.
    """
    sizes = parse_sizes(option, text, least)
    if len(sizes) != 1:
        raise UsageError(f"{option}: expected one number, got {text}")
    return sizes[0]


def preset_of(preset: str | None, full: bool) -> str:
    """The preset that --preset and --full ask for; quick by default.

    Raises:
        UsageError: there is none of this name, or the two contradict each other.
    """
    known = ("quick", "standard", "full")
    name = preset or ("full" if full else "quick")
    if name not in known:
        raise UsageError(f"--preset: expected one of {', '.join(known)}, got {preset!r}")
    if full and name != "full":
        raise UsageError(f"--full contradicts --preset {name}")
    return name


def check_file(path: Path | None, option: str = "--json") -> None:
    """Raise UsageError when a file of this name could not be written; ``option`` is where it was given."""
    from benchmarks.tasks import check_writable

    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"{option}: {path} is a folder; give the name of a file")
    check_writable(path.parent)


def find_policy(option: str, spec: str, world: World, hidden: bool = False) -> Policy:
    """A policy by its specification (`agents.make_logging_policy`); `hidden`: it may read the hidden state.

    Raises:
        UsageError: there is none of this name or folder, or it reads the hidden state.
    """
    from agents import make_logging_policy

    try:
        policy: Policy = make_logging_policy(spec, world).policy
    except ValueError as error:
        raise UsageError(f"{option}: {str(error).removeprefix('policy: ')}") from error
    if not hidden and getattr(policy, "needs_state", False):
        raise UsageError(f"{option}: expected a policy that observations are enough for, got {spec!r}")
    return policy
