"""The worlds of `recsim-env ope --study`: short sessions, a logging policy, targets ever further from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recsim_env import World, get_scenario

Kind = Literal["sessions", "decisions", "slates"]


@dataclass(frozen=True)
class StudyWorld:
    """One world of the study, JSON-serialisable by `dataclasses.asdict`.

    Attributes:
        name: in tables and files.
        kind: what is estimated: the return of a session, the reward of a decision, or that of a slate.
        scenario: its name.
        max_steps: horizon T; a world of decisions or slates has 1, so that the situations met do not depend
            on the policy.
        logging: settings of the logging policy (`agents.LoggingConfig`); None for the popularity ranking,
            which leaves nothing to chance.
        targets: name -> settings of the target policy, the nearest to the logging policy first.
        sizes: how many sessions a log has, ascending; shorter logs are prefixes of the longest.
        overrides: of the scenario's config.
        unbiased: estimators that theory calls unbiased here.
    """

    name: str
    kind: Kind
    scenario: str
    max_steps: int
    logging: Mapping[str, float] | None
    targets: Mapping[str, Mapping[str, float]]
    sizes: tuple[int, ...]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    unbiased: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The name as part of a file's."""
        return "".join(letter for letter in self.name.replace(" ", "-") if letter not in "()")

    def world(self) -> World:
        """The simulator."""
        return World(get_scenario(self.scenario).config.replace(**self.overrides))


OF_SESSIONS = ("trajectory_is", "per_decision_is", "sequential_dr")
OF_DECISIONS = ("ips", "dr", "mrdr")
ITEMS_OF_SLATES = {"catalog": {"num_items": 20}, "slate_size": 3}
LOGGING = {"epsilon": 0.5, "temperature": 1.0, "topic_weight": 2.0, "popularity_weight": 0.5}


def _graded(**last: float) -> dict[str, dict[str, float]]:
    """Four targets on the way from the logging policy's settings to the last one's, evenly spaced."""
    return {
        name: {key: value + share * (last.get(key, value) - value) for key, value in LOGGING.items()}
        for name, share in (("near", 0.25), ("middling", 0.5), ("far", 0.75), ("farthest", 1.0))
    }


def _slates(model: str, unbiased: tuple[str, ...]) -> StudyWorld:
    return StudyWorld(
        f"StorefrontSlate-v0 ({model})",
        "slates",
        "StorefrontSlate-v0",
        1,
        LOGGING,
        _graded(epsilon=0.1, popularity_weight=0.9),
        (1_000, 2_000, 8_000),
        {**ITEMS_OF_SLATES, "choice": {"model": model}},
        unbiased,
    )


STUDY = (
    StudyWorld(
        "Tiny-v0",
        "sessions",
        "Tiny-v0",
        6,
        LOGGING,
        _graded(epsilon=0.05, topic_weight=4.0),
        (250, 1_000, 4_000),
        unbiased=OF_SESSIONS,
    ),
    StudyWorld(
        "Tiny-v0 (log without chance)",
        "sessions",
        "Tiny-v0",
        6,
        None,
        _graded(epsilon=0.05, topic_weight=4.0),
        (250, 1_000),
    ),
    StudyWorld(
        "LongTermSatisfaction-v0",
        "sessions",
        "LongTermSatisfaction-v0",
        4,
        LOGGING,
        _graded(epsilon=0.1, popularity_weight=0.8),
        (250, 1_000, 4_000),
        unbiased=OF_SESSIONS,
    ),
    StudyWorld(
        "Storefront-v0",
        "sessions",
        "Storefront-v0",
        5,
        LOGGING,
        _graded(epsilon=0.1, topic_weight=2.4),
        (500, 1_000, 4_000),
        unbiased=OF_SESSIONS,
    ),
    StudyWorld(
        "Memoryless-v0",
        "decisions",
        "Memoryless-v0",
        1,
        LOGGING,
        _graded(epsilon=0.1, topic_weight=6.0),
        (500, 2_000, 8_000),
        unbiased=OF_DECISIONS,
    ),
    _slates("position", ("slate_ips", "independent_ips", "reward_interaction_ips")),
    _slates("cascade", ("slate_ips", "reward_interaction_ips")),
)


def study_world(name: str) -> StudyWorld:
    """One of `STUDY` by name.

    Raises:
        KeyError: there is none.
    """
    return {world.name: world for world in STUDY}[name]


def policy_of(settings: Mapping[str, float] | None, world: World) -> Any:
    """A softmax with exploration, or the popularity ranking, ready to act in a world."""
    from agents import LoggingConfig, LoggingPolicy, Popular

    if settings is None:
        return Popular(world.public_catalog, world.config.slate_size)
    return LoggingPolicy(world.public_catalog, world.config.slate_size, LoggingConfig(**settings))
