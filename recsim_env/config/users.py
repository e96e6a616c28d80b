"""The users: who they are, how they choose and change, when they leave and return."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from recsim_env.checked import Section, nearest, real, whole


class ChoiceModel(IntEnum):
    """How a user turns a slate into clicks; the member's name in lower case is its name in configs."""

    LOGIT = 0
    CASCADE = 1
    POSITION = 2


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
        freshness_weight: utility that an item has beyond its appeal when it arrives.
        freshness_half_life: hours in which that halves.
    """

    model: str = "logit"
    affinity_weight: float = real(8.0, 0.0, 60.0)
    no_click_utility: float = real(4.0, -60.0, 60.0)
    position_exponent: float = real(0.66, 0.0, 10.0)
    freshness_weight: float = real(0.0, 0.0, 60.0)
    freshness_half_life: float = real(48.0, 1e-3, 1e6)

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
class ReturnConfig(Section):
    """What follows a session: the user churns for good, or is back after a while.

    The log of the gap is normal with mean log gap_median - gap_satisfaction (h - 1/2); the logit of churn is
    churn_bias - churn_satisfaction (h - 1/2). Sessions themselves take no time.

    Attributes:
        lifetime_hours: an episode holds all visits that begin within so many hours of the first; 0: one.
        gap_median: hours from one visit to the next at satisfaction 1/2.
        gap_log_std: standard deviation of the log of the gap.
        gap_satisfaction: how much shorter its log is at satisfaction 1 than at 0.
        churn_bias: logit of churn at satisfaction 1/2.
        churn_satisfaction: how much lower that logit is at satisfaction 1 than at 0.
        satiation_half_life: hours away in which satiation halves.
        satisfaction_kept: share of what distinguishes satisfaction from ``satisfaction_initial`` that is left
            at the next visit.
    """

    lifetime_hours: float = real(0.0, 0.0, 1e6)
    gap_median: float = real(24.0, 1e-3, 1e6)
    gap_log_std: float = real(1.2, 0.0, 5.0)
    gap_satisfaction: float = real(2.0, 0.0, 60.0)
    churn_bias: float = real(-1.5, -60.0, 60.0)
    churn_satisfaction: float = real(4.0, 0.0, 60.0)
    satiation_half_life: float = real(12.0, 1e-3, 1e6)
    satisfaction_kept: float = real(1.0, 0.0, 1.0)
