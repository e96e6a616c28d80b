"""Logging policies by specification: a name such as softmax:temperature=0.5, or a saved agent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.controls import MyopicOracle, Popular, RandomPolicy
from agents.loggers.epsilon_greedy import EpsilonGreedy, EpsilonGreedyConfig
from agents.loggers.logging_policy import LoggingConfig, LoggingPolicy
from agents.registry import load_saved
from agents.spec_text import split_spec
from agents.storage import agent_folder
from recsim_env.checked import nearest

if TYPE_CHECKING:
    from recsim_env import Policy, World


class NamedPolicy(NamedTuple):
    """A policy and what it is.

    Attributes:
        policy: ready to act.
        origin: JSON-serialisable: what the same policy can be made from again, or recognised by.
    """

    policy: Policy
    origin: dict[str, Any]


class _Kind(NamedTuple):
    make: Callable[[World, dict[str, float]], Any]
    settings: tuple[str, ...]
    purpose: str


def _uniform(world: World, settings: dict[str, float]) -> Any:
    return RandomPolicy(world.config.catalog.num_items, world.config.slate_size, world.public_catalog)


def _popular(world: World, settings: dict[str, float]) -> Any:
    return Popular(world.public_catalog, world.config.slate_size)


def _myopic(world: World, settings: dict[str, float]) -> Any:
    return MyopicOracle(world)


def _soft(**defaults: float) -> Callable[[World, dict[str, float]], Any]:
    def make(world: World, settings: dict[str, float]) -> Any:
        config = LoggingConfig(**{**defaults, **settings})
        return LoggingPolicy(world.public_catalog, world.config.slate_size, config)

    return make


def _greedy(**defaults: float) -> Callable[[World, dict[str, float]], Any]:
    def make(world: World, settings: dict[str, float]) -> Any:
        config = EpsilonGreedyConfig(**{**defaults, **settings})
        return EpsilonGreedy(world.public_catalog, world.config.slate_size, config)

    return make


SOFT = tuple(spec.name for spec in fields(LoggingConfig))
GREEDY = tuple(spec.name for spec in fields(EpsilonGreedyConfig))

POLICIES: dict[str, _Kind] = {
    "uniform": _Kind(_uniform, (), "every slate alike; full support"),
    "popularity": _Kind(
        _soft(epsilon=0.0, topic_weight=0.0, popularity_weight=1.0),
        ("temperature", "epsilon"),
        "items in proportion to their base popularity; full support, thin in the tail",
    ),
    "softmax": _Kind(
        _soft(epsilon=0.0),
        SOFT,
        "softmax over utility / temperature; full support, the thinner the lower the temperature",
    ),
    "logging": _Kind(_soft(), SOFT, "softmax with a share of uniform exploration: the one behind `compare`"),
    "epsilon-greedy": _Kind(_greedy(), GREEDY, "the best items, explored around; full support"),
    "greedy": _Kind(_greedy(epsilon=0.0), GREEDY[1:], "the best items; deterministic, no support elsewhere"),
    "popular": _Kind(_popular, (), "the popularity ranking from the top; deterministic"),
    "myopic": _Kind(_myopic, (), "highest expected immediate reward, from the hidden state; deterministic"),
}
"""Name -> how the policy is made. The utility of softmax and greedy is that of `LoggingPolicy`."""

ALIASES = {"random": "uniform"}
"""As the agent is called elsewhere."""


def make_logging_policy(spec: str, world: World) -> NamedPolicy:
    """The policy of a specification.

    Args:
        spec: NAME or NAME:setting=value,setting=value with a name of `POLICIES`; or the folder of a saved
            agent.
        world: in which it will act.

    Raises:
        ValueError: neither a name nor a folder; an unknown setting, or one out of bounds; an agent that was
            made for another catalog, or cannot be read.
    """
    name = spec.partition(":")[0]
    name = ALIASES.get(name, name)
    if name not in POLICIES:
        if not Path(spec).is_dir():
            raise ValueError(
                f"policy: no folder of a saved agent, and no name: {spec!r}; "
                f"{nearest(name, [*POLICIES, *ALIASES])}"
            )
        return _saved(Path(spec), world)
    kind = POLICIES[name]
    settings = _settings(spec, kind.settings)
    try:
        policy = kind.make(world, settings)
    except ValueError as error:
        raise ValueError(f"policy: {spec}: {error}") from error
    if hasattr(policy, "config") and name != "logging":
        policy.name = name
    config = getattr(policy, "config", None)
    return NamedPolicy(policy, {"spec": name, "settings": {} if config is None else asdict(config)})


def _settings(spec: str, known: tuple[str, ...]) -> dict[str, float]:
    settings: dict[str, float] = {}
    for key, value in split_spec(spec)[1].items():
        if key not in known:
            expected = f"one of {', '.join(known)}" if known else "none"
            raise ValueError(f"policy: {spec}: unknown setting {key!r}; expected {expected}")
        try:
            settings[key] = float(value)
        except ValueError:
            raise ValueError(f"policy: {spec}: {key}: expected a number, got {value!r}") from None
    return settings


def _saved(folder: Path, world: World) -> NamedPolicy:
    from safetensors import SafetensorError

    try:
        folder = agent_folder(folder)
        policy = load_saved(folder)
        if hasattr(policy, "check_catalog"):
            policy.check_catalog(world.public_catalog)
        digest = hashlib.sha256()
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(file.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"policy: {folder}: {error}") from error
    if getattr(policy, "world", world).config != world.config:
        raise ValueError(f"policy: {folder} knows the hidden state of another world than this one")
    return NamedPolicy(policy, {"agent": type(policy).__name__, "sha256": digest.hexdigest()})
