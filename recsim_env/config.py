"""Every parameter of a world: frozen dataclasses, checked when they are made, with a JSON round trip."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

from recsim_env.checked import Section, known_fields, nearest, real, whole
from recsim_env.streams import MAX_SEED

CONFIG_SCHEMA = 1


class ChoiceModel(IntEnum):
    """How a user turns a slate into clicks; the member's name in lower case is its name in configs."""

    LOGIT = 0
    CASCADE = 1
    POSITION = 2


@dataclass(frozen=True)
class CatalogConfig(Section):
    """The items. The catalog is a function of this section alone, so every seed of a world has the same one.

    Attributes:
        seed: key of the catalog's streams.
        num_items: N.
        embedding_dim: D; a multiple of 4.
        num_topics: C; every item has one, drawn uniformly.
        topic_spread: length of an item's own direction relative to its topic's, so 0 puts all items on the
            topic centres.
        popularity_exponent: s of the Zipf law pi_a ~ rank^-s of base popularity.
        appeal_scale: standard deviation of appeal, in units of utility.
        quality_appeal_correlation: correlation of appeal with the normal score of quality; negative is
            clickbait.
        topic_quality_share: share of an item's quality that its topic decides; the rest is its own.
        price_median: median price, in currency units.
        price_log_std: standard deviation of log price.
    """

    seed: int = whole(0, 0, MAX_SEED)
    num_items: int = whole(1_000, 1, 2**31 - 2)
    embedding_dim: int = whole(16, 4, 1_024)
    num_topics: int = whole(20, 1, 10_000)
    topic_spread: float = real(0.5, 0.0, 1e6)
    popularity_exponent: float = real(1.0, 0.0, 10.0)
    appeal_scale: float = real(1.2, 0.0, 1e6)
    quality_appeal_correlation: float = real(-0.8, -1.0, 1.0)
    topic_quality_share: float = real(0.0, 0.0, 1.0)
    price_median: float = real(20.0, 1e-6, 1e12)
    price_log_std: float = real(0.8, 0.0, 5.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedding_dim % 4:
            raise ValueError(
                f"CatalogConfig.embedding_dim: expected a multiple of 4, got {self.embedding_dim}"
            )


@dataclass(frozen=True)
class PopulationConfig(Section):
    """The users: how their fixed traits and their organic history are drawn.

    Attributes:
        num_segments: S observable segments; segment g prefers the topics c with c mod S = g.
        segment_strength: probability that a favourite topic comes from the user's segment rather than from
            all topics.
        second_topic_weight: weight of the second favourite topic in the taste, the first having 1.
        taste_noise: length of the taste's own direction beside its topics.
        interest_noise: length of a visit's deviation of interest from taste.
        conformity_mean, conformity_std: of eta_u, the weight of log popularity in affinity (normal, cut at
            0).
        price_sensitivity_mean, price_sensitivity_std: of the weight of log price in the purchase logit
            (normal, cut at 0).
        cold_share: probability that a user arrives with no history.
        organic_min, organic_max: a warm user's number of organic items, uniform between the two, cut at the
            history length.
        organic_candidates: an organic item is the one of highest affinity among so many drawn uniformly.
    """

    num_segments: int = whole(4, 1, 10_000)
    segment_strength: float = real(0.5, 0.0, 1.0)
    second_topic_weight: float = real(0.6, 0.0, 1e6)
    taste_noise: float = real(0.4, 0.0, 1e6)
    interest_noise: float = real(0.2, 0.0, 1e6)
    conformity_mean: float = real(0.3, 0.0, 1e6)
    conformity_std: float = real(0.1, 0.0, 1e6)
    price_sensitivity_mean: float = real(0.6, 0.0, 1e6)
    price_sensitivity_std: float = real(0.2, 0.0, 1e6)
    cold_share: float = real(0.1, 0.0, 1.0)
    organic_min: int = whole(5, 1, 10_000)
    organic_max: int = whole(10, 1, 10_000)
    organic_candidates: int = whole(8, 1, 1_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.organic_min > self.organic_max:
            raise ValueError(
                f"PopulationConfig.organic_min: expected at most "
                f"organic_max={self.organic_max}, got {self.organic_min}"
            )


@dataclass(frozen=True)
class ChoiceConfig(Section):
    """From a slate to clicks.

    Attributes:
        model: 'logit' (one click or none), 'cascade' (one click or none) or 'position' (several clicks).
        affinity_weight: beta, utility of a perfect match of interest and item.
        no_click_utility: utility of clicking nothing; an item alone at the top is clicked with sigmoid(v -
            this).
        position_exponent: gamma of the examination curve (k + 1)^-gamma.
    """

    model: str = "logit"
    affinity_weight: float = real(8.0, 0.0, 60.0)
    no_click_utility: float = real(4.0, -60.0, 60.0)
    position_exponent: float = real(0.66, 0.0, 10.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [member.name.lower() for member in ChoiceModel]
        if self.model not in names:
            raise ValueError(f"ChoiceConfig.model: got {self.model!r}; {nearest(str(self.model), names)}")


@dataclass(frozen=True)
class FunnelConfig(Section):
    """From a click to a like and a purchase; each weight multiplies one term of a logit.

    Attributes:
        like_bias, like_match, like_quality: constant, <z, x_a> and q_a in the logit of a like.
        purchase_bias, purchase_match, purchase_quality, purchase_like: the same for a purchase, and whether
            the item was liked.
    """

    like_bias: float = real(-3.5, -60.0, 60.0)
    like_match: float = real(3.0, -60.0, 60.0)
    like_quality: float = real(1.0, -60.0, 60.0)
    purchase_bias: float = real(-1.5, -60.0, 60.0)
    purchase_match: float = real(2.5, -60.0, 60.0)
    purchase_quality: float = real(0.5, -60.0, 60.0)
    purchase_like: float = real(1.0, -60.0, 60.0)


@dataclass(frozen=True)
class PreferenceConfig(Section):
    """What carries over from step to step inside the user.

    Attributes:
        satiation_weight: lambda, utility lost on a fully satiated topic.
        satiation_recovery: rho, share of satiation kept from one step to the next.
        satiation_shown: growth of a topic's satiation when shown, per unit of examination.
        satiation_consumed: growth when clicked.
        pull_click, pull_like, pull_purchase: alpha_e, how far interest moves towards a consumed item, by its
            strongest event.
        taste_pull: mu, how far interest returns to taste per step.
        drift_scale: sigma, standard deviation per coordinate of the noise on interest per step.
        satisfaction_initial: h at the start of a visit.
        satisfaction_memory: rho_h, weight of the old satisfaction when an item is consumed.
        satisfaction_weight: kappa, utility that every item gains from satisfaction 0 to 1; half of it is lost
            at 0.
    """

    satiation_weight: float = real(2.0, 0.0, 60.0)
    satiation_recovery: float = real(0.9, 0.0, 1.0)
    satiation_shown: float = real(0.05, 0.0, 1.0)
    satiation_consumed: float = real(0.2, 0.0, 1.0)
    pull_click: float = real(0.03, 0.0, 1.0)
    pull_like: float = real(0.06, 0.0, 1.0)
    pull_purchase: float = real(0.06, 0.0, 1.0)
    taste_pull: float = real(0.05, 0.0, 1.0)
    drift_scale: float = real(0.02, 0.0, 10.0)
    satisfaction_initial: float = real(0.5, 0.0, 1.0)
    satisfaction_memory: float = real(0.7, 0.0, 1.0)
    satisfaction_weight: float = real(0.0, 0.0, 60.0)


@dataclass(frozen=True)
class SessionConfig(Section):
    """When a session ends: when patience is spent.

    Attributes:
        patience_scale, patience_shape: of the Lomax law of initial patience; its median is scale (2^(1/shape)
            - 1).
        step_cost: patience that one step costs.
        refund: share of that cost which a step with a click gives back at full satisfaction.
        boredom_cost: how much dearer a step is that shows fully satiated topics, in units of that cost.
    """

    patience_scale: float = real(22.0, 1e-3, 1e6)
    patience_shape: float = real(2.0, 0.1, 100.0)
    step_cost: float = real(1.0, 1e-3, 1e6)
    refund: float = real(1.0, 0.0, 1.0)
    boredom_cost: float = real(0.0, 0.0, 1e3)


@dataclass(frozen=True)
class RewardConfig(Section):
    """What the modeller values.

    reward = click * clicks + like * likes + purchase * sum of price^price_exponent over purchases.

    Attributes:
        click, like, purchase: weight of one event; the defaults are those of the project's scenarios.
        price_exponent: 0 counts purchases, 1 counts revenue.
    """

    click: float = real(0.2, -1e6, 1e6)
    like: float = real(0.5, -1e6, 1e6)
    purchase: float = real(1.0, -1e6, 1e6)
    price_exponent: float = real(0.0, -2.0, 2.0)


_SECTIONS: dict[str, type[Section]] = {
    "catalog": CatalogConfig,
    "population": PopulationConfig,
    "choice": ChoiceConfig,
    "funnel": FunnelConfig,
    "preferences": PreferenceConfig,
    "session": SessionConfig,
    "reward": RewardConfig,
}


@dataclass(frozen=True)
class WorldConfig(Section):
    """A whole world: the sections, and the two sizes that shape actions and observations.

    Attributes:
        catalog, population, choice, funnel, preferences, session, reward: see each class.
        slate_size: K items shown per step.
        history_length: H, how many of the latest interacted items an observation holds.
    """

    catalog: CatalogConfig = field(default_factory=CatalogConfig)
    population: PopulationConfig = field(default_factory=PopulationConfig)
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    funnel: FunnelConfig = field(default_factory=FunnelConfig)
    preferences: PreferenceConfig = field(default_factory=PreferenceConfig)
    session: SessionConfig = field(default_factory=SessionConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    slate_size: int = whole(1, 1, 1_000)
    history_length: int = whole(10, 1, 10_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        for spec in dataclasses.fields(self):
            if "low" not in spec.metadata:
                value, kind = getattr(self, spec.name), _SECTIONS[spec.name]
                if not isinstance(value, kind):
                    raise TypeError(f"WorldConfig.{spec.name}: expected {kind.__name__}, got {value!r}")
        if self.slate_size > self.catalog.num_items:
            raise ValueError(
                f"WorldConfig.slate_size: expected at most catalog.num_items={self.catalog.num_items}, "
                f"got {self.slate_size}"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from nested dicts, as ``dataclasses.asdict`` gives; what is missing keeps its default."""
        return cls().replace(**values)

    def replace(self, **changes: Any) -> Self:
        """A copy with some parts changed; a section takes its config or a dict of some of its fields."""
        parts: dict[str, Any] = {}
        for name, value in known_fields(type(self), changes).items():
            current = getattr(self, name)
            parts[name] = (
                current.replace(**value)
                if isinstance(current, Section) and isinstance(value, dict)
                else value
            )
        return dataclasses.replace(self, **parts)

    def to_json(self) -> str:
        """The config as JSON text; floats survive exactly."""
        return json.dumps({"config_schema": CONFIG_SCHEMA, **dataclasses.asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of ``to_json``."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"WorldConfig.from_json: expected a JSON object, got {type(values).__name__}")
        schema = values.pop("config_schema", None)
        if schema != CONFIG_SCHEMA:
            raise ValueError(f"WorldConfig.from_json: expected config_schema {CONFIG_SCHEMA}, got {schema!r}")
        return cls.from_dict(values)
