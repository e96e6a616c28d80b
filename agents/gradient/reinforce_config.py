"""Settings of off-policy REINFORCE, and the published methods as named presets of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from agents.learning.offline import TrainingConfig
from agents.losses import DEFAULT_WEIGHT_CAP, WEIGHTINGS, Weighting

Advantage = Literal["positive", "centred", "raw"]
Behaviour = Literal["recorded", "estimated", "uniform", "popularity"]
Slates = Literal["joint", "items"]


@dataclass(frozen=True)
class ReinforceConfig(TrainingConfig):
    """Settings of off-policy REINFORCE. The defaults are what works on our logs; see `Reinforce` for why.

    Attributes:
        gamma: discount of the return-to-go, in [0, 1].
        weighting: "ips", "snips" (self-normalised within the minibatch), or "none" for no correction.
        weight_cap: upper bound of the importance weights; e^3 as published, `math.inf` for none.
        advantage: what a decision's gradient is scaled by: "raw" return G; "centred" G - b(s); "positive"
            max(G - b(s), 0).
        warm_start: share of the updates, from the start, without importance weights.
        behaviour: the ratio's denominator: "recorded" in the log; "estimated" by a head on the encoder; or,
            wrong on purpose, "uniform", or "popularity" of the item in the log, whoever the user.
        variance_penalty: POEM's factor of the standard error, at least 0.
        doubly_robust: a reward model stands in for what was not shown; needs raw advantages, one stage, and
            of slates "items".
        slates: "joint" takes a slate as one action; "items" every shown item as one, with its own reward and
            the top-K multiplier.
        num_candidates: M, the agent acts in two stages: the policy nominates its M best, the reward model
            picks one of them. 0: one stage.
        candidate_draws: candidate sets drawn per decision for the two-stage correction; 0 corrects as if
            there were one stage.
        ranker_temperature: of the softmax over predicted rewards by which the correction believes that the
            second stage picks.
        entropy_weight: factor of the entropy bonus.
        acting: "greedy" shows the most probable items, "sample" draws from the policy (one stage only).
        shuffled_reward: rewards are exchanged among all rows of the log: the control without anything to
            learn.
    """

    gamma: float = 0.3
    weighting: Weighting = "ips"
    weight_cap: float = DEFAULT_WEIGHT_CAP
    advantage: Advantage = "positive"
    warm_start: float = 0.5
    behaviour: Behaviour = "recorded"
    variance_penalty: float = 0.0
    doubly_robust: bool = False
    slates: Slates = "joint"
    num_candidates: int = 0
    candidate_draws: int = 8
    ranker_temperature: float = 0.1
    entropy_weight: float = 0.0
    acting: Literal["greedy", "sample"] = "greedy"
    shuffled_reward: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("gamma", "warm_start"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: expected in [0, 1], got {getattr(self, name)}")
        if not self.weight_cap > 0:
            raise ValueError(f"weight_cap: expected above 0, got {self.weight_cap}")
        for name in ("entropy_weight", "variance_penalty", "num_candidates", "candidate_draws"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name}: expected a finite number of at least 0, got {value}")
        if not (math.isfinite(self.ranker_temperature) and self.ranker_temperature > 0):
            raise ValueError(
                f"ranker_temperature: expected a finite number above 0, got {self.ranker_temperature}"
            )
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                expected = " or ".join(repr(choice) for choice in known)
                raise ValueError(f"{name}: expected {expected}, got {getattr(self, name)!r}")
        if self.doubly_robust and self.advantage != "raw":
            raise ValueError(
                "advantage: expected 'raw' where doubly_robust is set, for the reward model is the baseline, "
                f"got {self.advantage!r}"
            )
        if self.doubly_robust and self.num_candidates:
            raise ValueError(
                "num_candidates: expected 0 where doubly_robust is set, which values one "
                f"stage; got {self.num_candidates}"
            )
        if self.num_candidates and self.acting == "sample":
            raise ValueError(
                "acting: expected 'greedy' where num_candidates is set, since the probability of what two "
                "stages draw has no closed form; got 'sample'"
            )

    @property
    def has_reward_model(self) -> bool:
        """Whether the network predicts the return of every item."""
        return self.doubly_robust or self.num_candidates > 0

    @property
    def two_stage_correction(self) -> bool:
        """Whether the policy is learned with the second stage in mind."""
        return self.num_candidates > 0 and self.candidate_draws > 0


CHOICES: dict[str, tuple[str, ...]] = {
    "weighting": WEIGHTINGS,
    "advantage": ("positive", "centred", "raw"),
    "behaviour": ("recorded", "estimated", "uniform", "popularity"),
    "slates": ("joint", "items"),
    "acting": ("greedy", "sample"),
}

TEXTBOOK: dict[str, Any] = {"advantage": "raw", "warm_start": 0.0}
"""REINFORCE as its source has it: every return counts, from the first update on."""
UNCAPPED: dict[str, Any] = {**TEXTBOOK, "weight_cap": math.inf}

PRESETS = MappingProxyType(
    {
        "ips": ReinforceConfig(),
        "uncorrected": ReinforceConfig(**TEXTBOOK, weighting="none"),
        "plain-ips": ReinforceConfig(**UNCAPPED),
        "capped": ReinforceConfig(**TEXTBOOK),
        "snips": ReinforceConfig(**UNCAPPED, weighting="snips"),
        "poem": ReinforceConfig(**TEXTBOOK, variance_penalty=1.0),
        "doubly-robust": ReinforceConfig(**TEXTBOOK, doubly_robust=True),
        "estimated": ReinforceConfig(**TEXTBOOK, behaviour="estimated"),
        "top-k": ReinforceConfig(**TEXTBOOK, behaviour="estimated", slates="items"),
        "two-stage": ReinforceConfig(**TEXTBOOK, num_candidates=10),
    }
)
"""Name -> settings. "ips" is the default; the others are textbook forms:

uncorrected     Williams (1992): REINFORCE as if the log were its own
plain-ips       the exact ratio, without a cap
capped          Chen et al. (2019), with the recorded propensities
snips           Swaminathan and Joachims (2015), Norm-POEM without the penalty
poem            Swaminathan and Joachims (2015), capped weights and the variance penalty
doubly-robust   Dudik et al. (2011), capped weights
estimated       Chen et al. (2019), with the behaviour head
top-k           Chen et al. (2019), for slates, with the behaviour head
two-stage       Ma et al. (2020), capped weights
"""


def preset(name: str, **changes: Any) -> ReinforceConfig:
    """The settings of a preset with some fields changed.

    Raises:
        ValueError: there is none of this name, or a field is out of bounds.
    """
    if name not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}")
    return replace(PRESETS[name], **changes)
