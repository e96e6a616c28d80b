"""The best items by a stated utility, with some exploration or none: logs of little support."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.choices import Choices
from agents.epsilon_slots import epsilon_conditional, epsilon_slates
from agents.loggers.topic_utility import TopicUtilityPolicy, check_settings
from agents.sampling import FloatArray, IntArray, as_action, top_k
from agents.spec import Observation
from recsim_env import Decision

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class EpsilonGreedyConfig:
    """Settings of `EpsilonGreedy`.

    Attributes:
        epsilon: share of positions filled uniformly from the items not yet on the slate, in [0, 1]. At 0 the
            policy is deterministic: of other actions its log says nothing.
        popularity_weight: utility of one unit of log base popularity.
        topic_weight: utility of a topic that fills the whole visible history.
    """

    epsilon: float = 0.1
    popularity_weight: float = 0.5
    topic_weight: float = 6.0

    def __post_init__(self) -> None:
        check_settings(asdict(self))


class EpsilonGreedy(TopicUtilityPolicy):
    """Position by position: the best item that is not yet on the slate, or with probability epsilon any such.

    utility(a) = topic_weight * share of topic(a) in the visible history + popularity_weight * log base
    popularity(a), as that of `LoggingPolicy`
    p(a_k | a_0..a_{k-1}) = (1 - epsilon) [a_k is the best one left] + epsilon / (N - k)

    Ties go to the item of higher popularity, then to the smaller id. The propensity of a slate is the product
    over its positions. In dated and two-stage worlds N are the items, or candidates, on offer.

    Source: Watkins (1989), "Learning from delayed rewards", for epsilon-greedy; the rest ours.

    Args:
        catalog: public catalog.
        slate_size: K.
        config: see EpsilonGreedyConfig.
    """

    name = "epsilon-greedy"
    config_class = EpsilonGreedyConfig
    config: EpsilonGreedyConfig

    def _prepare(self) -> None:
        config, log_popularity, topic = self.config, self.log_popularity, self.topic
        # Within a topic the order never changes: the K best of each are all that a slate can need.
        ranking = np.lexsort((-log_popularity, -config.popularity_weight * log_popularity))
        by_topic = [ranking[topic[ranking] == own][: self.slate_size] for own in range(self.num_topics)]
        leading = np.concatenate(by_topic).astype(np.int64)
        self._leading = leading[np.lexsort((leading, -log_popularity[leading]))]

    def _utility(self, observation: Observation, choices: Choices) -> FloatArray:
        """[B, n] float64: utility of every choice, -inf for what is not on offer."""
        items = choices.items[choices.row]
        own = self.config.popularity_weight * self.log_popularity[items]
        topical = np.take_along_axis(self.topic_share(observation), self.topic[items], axis=1)
        return np.where(choices.available[choices.row], own + self.config.topic_weight * topical, -np.inf)

    def best(self, observation: Observation) -> IntArray:
        """[B, K] int64: the K choices of highest utility, best first; in plain worlds items."""
        choices = self.choices(observation)
        if choices is not None:
            return top_k(self._utility(observation, choices), self.slate_size)
        own = self.config.popularity_weight * self.log_popularity[self._leading]
        share = self.topic_share(observation)
        utility = self.config.topic_weight * share[:, self.topic[self._leading]] + own
        return self._leading[top_k(utility, self.slate_size)]

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Fill a slate per row and state its propensity; see the class."""
        best, choices = self.best(observation), self.choices(observation)
        count = np.full(len(best), len(self.topic)) if choices is None else choices.count
        # In dated worlds the choices on offer come first.
        available = choices.available[choices.row] if choices is not None and choices.numbered else None
        slate = epsilon_slates(best, self.config.epsilon, count, available, generator)
        propensity = epsilon_conditional(best, slate, self.config.epsilon, count).prod(axis=1)
        return Decision(as_action(slate) if choices is None else choices.action(slate), propensity)

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, n] float64: probability of every choice at position 0, in plain worlds of every item."""
        first, choices = self.best(observation)[:, :1], self.choices(observation)
        if choices is None:
            available: Any = np.ones((1, len(self.topic)), bool)
            count: Any = len(self.topic)
        else:
            available, count = choices.available[choices.row], np.maximum(choices.count, 1)[:, None]
        greedy = np.arange(available.shape[1]) == first
        return available * ((1 - self.config.epsilon) * greedy + self.config.epsilon / count)

    def item_propensity(self, observation: Observation, slate: IntArray) -> FloatArray:
        """[B, K] float64: probability of each choice of these slates given those above it."""
        best, choices = self.best(observation), self.choices(observation)
        count = np.full(len(best), len(self.topic)) if choices is None else choices.count
        offered = None if choices is None else choices.available[choices.row]
        stated = epsilon_conditional(best, slate, self.config.epsilon, count)
        if offered is None:
            return stated
        filled = np.arange(slate.shape[1]) >= count[:, None]
        return np.where(np.take_along_axis(offered, slate, axis=1), stated, filled)
