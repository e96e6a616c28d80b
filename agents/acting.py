"""Acting rules: any scorer shows its best slate, draws one, or explores, and states the exact probability.

A scorer gives every choice of every user a score. The rules turn scores into slates:

    top-k     the K highest scores, best first; propensity 1
    gumbel    drawn without replacement from softmax(score / temperature), slot by slot: the K largest of
              score / temperature + Gumbel noise. Propensity: Plackett-Luce, of the ordered slate.
              With one slot this is Boltzmann exploration
    epsilon   slot by slot the best choice left, or with probability epsilon any choice left

Scores of what is not on offer are -inf; slots for which nothing is left on offer are filled without chance.
Symbols: B users, K slots, n choices.

Source: Kool, van Hoof and Welling (2019), "Stochastic beams and where to find them", for Gumbel top-K;
Plackett (1975); Watkins (1989) for epsilon-greedy; Sutton and Barto (2018), section 2.8, for Boltzmann.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, get_args

import numpy as np

from agents.choices import Choices, action_of
from agents.epsilon_slots import epsilon_conditional, epsilon_slates
from agents.sampling import (
    FloatArray,
    IntArray,
    offered_log_conditional,
    offered_log_propensity,
    sample_slate,
    top_k,
)
from agents.spec import Observation, ObservationSpec
from agents.storage import load_agent, save_agent
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog

Rule = Literal["top-k", "gumbel", "epsilon"]
RULES: tuple[str, ...] = get_args(Rule)


class Scorer(Protocol):
    """An agent that ranks what it can show: what the rules can be put on."""

    name: str
    spec: ObservationSpec

    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """([B, n] float64, the score of every choice, -inf where it is not on offer; the choices)."""
        ...

    def check_catalog(self, public_catalog: PublicCatalog) -> None: ...

    def save(self, folder: str | Path) -> None: ...


def draw_slates(
    rule: Rule, amount: float, score: FloatArray, num_slots: int, generator: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Slates by a rule, with their propensities.

    Args:
        rule: one of `RULES`.
        amount: temperature (gumbel) or epsilon (epsilon); not used by top-k.
        score: [B, n] float64, -inf for what is not on offer.
        num_slots: K <= n.
        generator: source of the draws.

    Returns:
        (slates [B, K] int64, distinct per row; the exact probability of each ordered slate, [B] float64).
    """
    if rule == "gumbel":
        log_weight = score / amount
        slate = sample_slate(log_weight, num_slots, generator)
        return slate, np.exp(offered_log_propensity(slate, log_weight))
    best = top_k(score, num_slots)
    if rule == "top-k":
        return best, np.ones(len(best))
    available = np.isfinite(score)
    count = np.count_nonzero(available, axis=1)
    slate = epsilon_slates(best, amount, count, None if available.all() else available, generator)
    return slate, epsilon_conditional(best, slate, amount, count).prod(axis=1)


def slate_conditional(rule: Rule, amount: float, score: FloatArray, slate: IntArray) -> FloatArray:
    """Probability under a rule of each choice of given slates given those above it, [B, K] float64.

    Arguments as `draw_slates`; `slate` [B, K] int64, distinct per row. The product is the propensity of the
    ordered slate; 0 for a choice that is not on offer while others are.
    """
    if rule == "gumbel":
        return _of_offered(np.exp(offered_log_conditional(slate, score / amount)), score, slate)
    best = top_k(score, slate.shape[1])
    count = np.count_nonzero(np.isfinite(score), axis=1)
    epsilon = amount if rule == "epsilon" else 0.0
    return _of_offered(epsilon_conditional(best, slate, epsilon, count), score, slate)


def _of_offered(prob: FloatArray, score: FloatArray, slate: IntArray) -> FloatArray:
    """The same, but 0 for what is not on offer at a slot for which something is left."""
    offered = np.isfinite(np.take_along_axis(score, slate, axis=1))
    left = np.count_nonzero(np.isfinite(score), axis=1)[:, None] - (np.cumsum(offered, axis=1) - offered)
    return np.where(offered | (left <= 0), prob, 0.0)


@dataclass(frozen=True)
class ActingConfig:
    """Which rule, and how much chance.

    Attributes:
        rule: one of `RULES`.
        amount: temperature above 0 (gumbel), in units of the score, or epsilon in [0, 1] (epsilon).
        final_amount: what it falls or rises to; None: it stays.
        schedule_decisions: over how many decisions, linearly; then it stays.
    """

    rule: Rule = "top-k"
    amount: float = 0.1
    final_amount: float | None = None
    schedule_decisions: int = 0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"rule: expected one of {', '.join(RULES)}, got {self.rule!r}")
        for name in ("amount", "final_amount"):
            value = getattr(self, name)
            if value is None and name == "final_amount":
                continue
            good = 0 < value < math.inf if self.rule == "gumbel" else 0 <= value <= 1
            if not good:
                bound = "a finite temperature above 0" if self.rule == "gumbel" else "in [0, 1]"
                raise ValueError(f"{name}: expected {bound}, got {value}")
        if self.schedule_decisions < 0 or (self.final_amount is None) != (self.schedule_decisions == 0):
            raise ValueError(
                "schedule_decisions: expected above 0 with a final_amount and 0 without, got "
                f"{self.schedule_decisions} with {self.final_amount}"
            )
        if self.rule == "top-k" and self.final_amount is not None:
            raise ValueError(f"final_amount: expected None, since top-k has none, got {self.final_amount}")

    def amount_at(self, decision: int) -> float:
        """The amount after so many decisions."""
        if self.final_amount is None:
            return self.amount
        share = min(1.0, decision / self.schedule_decisions)
        return (1 - share) * self.amount + share * self.final_amount


class Acting:
    """A scorer that acts by a rule; with a schedule, less by chance the more decisions it has made.

    Args:
        agent: the scorer; learned already.
        config: see ActingConfig.

    Attributes:
        decisions: how many it has made; the rows of one `act` share the amount at its beginning.

    Raises:
        TypeError: the agent has no `score`.
    """

    name: ClassVar[str] = "acting"
    needs_state: ClassVar[bool] = False

    def __init__(self, agent: Scorer, config: ActingConfig | None = None, decisions: int = 0) -> None:
        if not hasattr(agent, "score"):
            raise TypeError(f"agent: expected one that scores what it can show, got {type(agent).__name__}")
        self.agent, self.config, self.decisions = agent, config or ActingConfig(), decisions

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """A slate per row and the exact propensity of it; see the module."""
        score, choices = self.agent.score(observation)
        amount = self.config.amount_at(self.decisions)
        num_slots = self.agent.spec.slate_size
        slate, propensity = draw_slates(self.config.rule, amount, score, num_slots, generator)
        self.decisions += len(slate)
        return Decision(action_of(slate, choices), propensity)

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, n] float64: probability of every choice, in plain worlds of every item, at position 0."""
        score, _ = self.agent.score(observation)
        config, amount = self.config, self.config.amount_at(self.decisions)
        if config.rule == "gumbel":
            weight = score / amount
            highest = weight.max(axis=1, keepdims=True)
            weight = np.exp(weight - np.where(np.isfinite(highest), highest, 0.0))
            total: FloatArray = weight.sum(axis=1, keepdims=True)
            return weight / np.where(total > 0, total, 1.0)
        epsilon = amount if config.rule == "epsilon" else 0.0
        available = np.isfinite(score)
        greedy = available & (np.arange(score.shape[1]) == top_k(score, 1))
        count = np.maximum(available.sum(axis=1, keepdims=True), 1)
        return (1 - epsilon) * greedy + epsilon * available / count

    def item_propensity(self, observation: Observation, slate: IntArray) -> FloatArray:
        """[B, K] float64: probability of each choice of these slates given those above it."""
        score, _ = self.agent.score(observation)
        return slate_conditional(self.config.rule, self.config.amount_at(self.decisions), score, slate)

    def check_catalog(self, public_catalog: PublicCatalog) -> None:
        """Raise ValueError when `public_catalog` is not the one that the agent learned with."""
        self.agent.check_catalog(public_catalog)

    def save(self, folder: str | Path) -> None:
        """Write the rule, how far its schedule is, and the agent, to a folder."""
        card: dict[str, Any] = {"config": asdict(self.config), "decisions": self.decisions}
        save_agent(folder, "Acting", card, {}, inside={"scorer": self.agent.save})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        from agents.registry import load_saved

        card, _ = load_agent(folder, "Acting")
        return cls(load_saved(Path(folder) / "scorer"), ActingConfig(**card["config"]), card["decisions"])
