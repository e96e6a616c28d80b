"""The policy that makes the logs: a stochastic recommender with full support and exact propensities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents.choices import Choices
from agents.controls import distinct_draws
from agents.loggers.topic_utility import TopicUtilityPolicy, check_settings
from agents.sampling import (
    FloatArray,
    IntArray,
    as_action,
    offered_log_conditional,
    offered_log_propensity,
    plackett_luce_log_prob,
    sample_slate,
)
from agents.spec import Observation
from recsim_env import Decision

if TYPE_CHECKING:
    pass


LARGEST_EXPONENT = 600.0
"""Beyond some 700, exp leaves what float64 holds."""
ROW_CELLS = 2**22
"""Probabilities in memory at a time where a decision needs them all."""


@dataclass(frozen=True)
class LoggingConfig:
    """Settings of the logging policy.

    Attributes:
        epsilon: share of decisions drawn uniformly over all items on offer, in [0, 1]; keeps every
            propensity above epsilon / N. At 0 the policy is a softmax: it can draw everything, but some of it
            hardly ever.
        temperature: of the softmax; above 0.
        popularity_weight: utility of one unit of log base popularity.
        topic_weight: utility of a topic that fills the whole visible history.
    """

    epsilon: float = 0.2
    temperature: float = 1.0
    popularity_weight: float = 0.5
    topic_weight: float = 6.0

    def __post_init__(self) -> None:
        check_settings(asdict(self))
        if self.temperature <= 0.0:
            raise ValueError(f"temperature: expected above 0, got {self.temperature}")


class LoggingPolicy(TopicUtilityPolicy):
    """A plausible production recommender: topics of the visible clicks, popularity, some exploration.

    utility(a) = topic_weight * share of topic(a) in the visible history + popularity_weight * log base
    popularity(a) p(a)       = (1 - epsilon) softmax(utility / temperature)(a) + epsilon / N

    Slates are drawn from p without replacement, slot by slot, so the recorded propensity of an ordered
    slate is exact: prod_k p(a_k) / (1 - sum_{j<k} p(a_j)).

    In dated and two-stage worlds both parts of p are over the m items, or candidates, on offer: the softmax
    over them, and epsilon / m. Slots for which nothing is left on offer are filled without chance.

    Since the utility is a topic's part plus an item's part, p factorises: draw a topic, then an item within
    it by popularity. A decision costs O(C), not O(N); O(m) where not everything is on offer; O(N) for slates
    without exploration, since what a peaked softmax leaves for the next slot must be summed up item by item.

    Source: Ours.

    Args:
        catalog: public catalog.
        slate_size: K.
        config: see LoggingConfig.
    """

    name = "logging"
    config_class = LoggingConfig
    config: LoggingConfig

    def _prepare(self) -> None:
        config, log_popularity, topic = self.config, self.log_popularity, self.topic
        spread = abs(config.popularity_weight) * np.ptp(log_popularity) + abs(config.topic_weight)
        if spread > LARGEST_EXPONENT * config.temperature:
            raise ValueError(
                f"temperature: expected at least {spread / LARGEST_EXPONENT:.3g} for utilities that "
                f"differ by up to {spread:.3g}, got {config.temperature}; EpsilonGreedy is the limit at 0"
            )
        weight = np.exp(
            config.popularity_weight * (log_popularity - log_popularity.max()) / config.temperature
        )
        self._topic_weight = np.bincount(topic, weights=weight, minlength=self.num_topics)
        self._within = weight / self._topic_weight[topic]
        # Items sorted by topic; topic c owns the interval [c, c + 1) of the cumulative weights.
        self._by_topic = np.argsort(topic, kind="stable").astype(np.int64)
        self._cumulative = _cumulative_by_group(weight[self._by_topic], topic[self._by_topic])

    def topic_prob(self, observation: Observation) -> FloatArray:
        """[B, C] float64: probability of each topic under the softmax part, everything on offer."""
        share = self.topic_share(observation)
        weight = self._topic_weight * np.exp(self.config.topic_weight / self.config.temperature * (share - 1))
        return weight / weight.sum(axis=1, keepdims=True)

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, n] float64: p of every choice, in plain worlds of every item.

        Rows sum to 1, or to 0 where nothing is on offer.
        """
        choices = self.choices(observation)
        if choices is not None:
            return self._offered_prob(observation, choices)
        soft = self.topic_prob(observation)[:, self.topic] * self._within
        return (1 - self.config.epsilon) * soft + self.config.epsilon / len(self.topic)

    def _offered_prob(self, observation: Observation, choices: Choices) -> FloatArray:
        """`item_prob` restricted to what is on offer, 0 elsewhere."""
        config, items = self.config, choices.items[choices.row]
        of_topic = config.topic_weight / config.temperature * self.topic_share(observation)
        of_item = config.popularity_weight / config.temperature * self.log_popularity
        utility = np.take_along_axis(of_topic, self.topic[items], axis=1) + of_item[items]
        available = choices.available[choices.row]
        utility -= utility.max(axis=1, keepdims=True, where=available, initial=-np.inf)
        soft = np.exp(utility, where=available, out=np.zeros_like(utility))
        number = np.maximum(choices.count, 1)[:, None]
        soft *= (1 - config.epsilon) / np.maximum(soft.sum(axis=1, keepdims=True), 1.0)
        return soft + available * (config.epsilon / number)

    def item_propensity(self, observation: Observation, slate: IntArray) -> FloatArray:
        """[B, K] float64: probability of each choice of these slates given those above it."""
        if slate.shape[1] == 1 and self.choices(observation) is None:
            return self._shown_prob(self.topic_prob(observation), slate)
        parts = [
            offered_log_conditional(slate[rows], self._log_prob(seen))
            for seen, rows in self._by_rows(observation)
        ]
        return np.exp(np.concatenate([np.empty((0, slate.shape[1])), *parts]))

    def _shown_prob(self, topic_prob: FloatArray, slate: IntArray) -> FloatArray:
        soft = np.take_along_axis(topic_prob, self.topic[slate], axis=1) * self._within[slate]
        return (1 - self.config.epsilon) * soft + self.config.epsilon / len(self.topic)

    def _log_prob(self, observation: Observation) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.log(self.item_prob(observation))

    def _by_rows(self, observation: Observation) -> Iterator[tuple[Observation, slice]]:
        """The observation in parts of so few rows that their [b, N] can be held."""
        size, count = max(1, ROW_CELLS // len(self.topic)), len(observation["history_items"])
        for start in range(0, count, size):
            rows = slice(start, start + size)
            yield {key: column[rows] for key, column in observation.items()}, rows

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Draw a slate per row and state its propensity; see the class."""
        choices = self.choices(observation)
        if choices is not None:
            with np.errstate(divide="ignore"):
                log_prob = np.log(self._offered_prob(observation, choices))
            slate = sample_slate(log_prob, self.slate_size, generator)
            return Decision(choices.action(slate), np.exp(offered_log_propensity(slate, log_prob)))
        if self.config.epsilon == 0 and self.slate_size > 1:
            return self._act_softly(observation, generator)
        topic_prob = self.topic_prob(observation)
        batch, num_items = len(topic_prob), len(self.topic)
        cumulative_topic = np.cumsum(topic_prob, axis=1)
        cumulative_topic /= cumulative_topic[:, -1:]

        def draw(shape: tuple[int, ...]) -> IntArray:
            explore = generator.random(shape) < self.config.epsilon
            uniform = generator.integers(num_items, size=shape)
            level = generator.random(shape).reshape(batch, -1)
            topic = (cumulative_topic[:, None, :] <= level[:, :, None]).sum(axis=2).reshape(shape)
            place = np.searchsorted(self._cumulative, topic + generator.random(shape), side="right")
            return np.where(explore, uniform, self._by_topic[place])

        slate = distinct_draws(draw, batch, self.slate_size)
        prob = self._shown_prob(topic_prob, slate)
        return Decision(as_action(slate), np.exp(plackett_luce_log_prob(np.log(prob))))

    def _act_softly(self, observation: Observation, generator: np.random.Generator) -> Decision:
        slates, log_propensities = [], []
        for seen, _ in self._by_rows(observation):
            log_prob = self._log_prob(seen)
            slates.append(sample_slate(log_prob, self.slate_size, generator))
            log_propensities.append(offered_log_propensity(slates[-1], log_prob))
        return Decision(np.concatenate(slates), np.exp(np.concatenate(log_propensities)))


def _cumulative_by_group(weight: FloatArray, group: IntArray) -> FloatArray:
    """Cumulative shares within each group g, shifted by g, so that they end at exactly g + 1: [n]."""
    result = np.empty(len(weight))
    for own in np.unique(group):
        rows = np.flatnonzero(group == own)
        cumulative = np.cumsum(weight[rows])
        result[rows] = own + cumulative / cumulative[-1]
    return result
