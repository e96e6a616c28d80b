"""The policy that `recsim-env ope` evaluates: by name and settings, or from the folder of a saved agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import UsageError
from recsim_env.checked import nearest

if TYPE_CHECKING:
    from agents import LoggingConfig
    from recsim_env import Policy, World

NAMES = ("random", "popular", "logging")


def find_policy(option: str, spec: str, world: World) -> Policy:
    """A policy ready to act in a world, without its hidden state.

    Args:
        option: where it was asked for, for messages.
        spec: random, popular or logging, the last with settings such as logging:temperature=0.5,epsilon=0.1;
            or the folder of a saved agent.
        world: whose catalog the policy must know.

    Raises:
        UsageError: no such policy or setting, or an agent that was made for another catalog.
    """
    from safetensors import SafetensorError

    from agents import LoggingPolicy, Popular, RandomPolicy, load_saved

    catalog, slate_size = world.public_catalog, world.config.slate_size
    name, _, rest = spec.partition(":")
    if rest and name != "logging":
        raise UsageError(f"{option}: {name!r} has no settings, got {rest!r}")
    policy: Any
    if name in NAMES:
        makers: dict[str, Callable[[], Any]] = {
            "random": lambda: RandomPolicy(len(catalog.topic), slate_size, catalog),
            "popular": lambda: Popular(catalog, slate_size),
            "logging": lambda: LoggingPolicy(catalog, slate_size, _config(option, rest)),
        }
        policy = makers[name]()
        return policy
    if not Path(spec).is_dir():
        raise UsageError(
            f"{option}: no folder of a saved agent, and no name: {spec!r}; {nearest(name, NAMES)}"
        )
    try:
        policy = load_saved(spec)
        if hasattr(policy, "check_catalog"):
            policy.check_catalog(catalog)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise UsageError(f"{option}: {spec}: {error}") from error
    return policy


def _config(option: str, text: str) -> LoggingConfig:
    from agents import LoggingConfig

    known = [one.name for one in fields(LoggingConfig)]
    settings = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key.strip() not in known:
            raise UsageError(f"{option}: unknown setting {key.strip()!r}; expected one of {', '.join(known)}")
        try:
            settings[key.strip()] = float(value)
        except ValueError:
            raise UsageError(f"{option}: {key.strip()}: expected a number, got {value!r}") from None
    try:
        return LoggingConfig(**settings)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
