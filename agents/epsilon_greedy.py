"""The best items by a stated utility, with some exploration or none: logs of little support."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from agents.choices import Choices, Dates, choices_in, saved_dates
from agents.logging_policy import topic_share
from agents.sampling import FloatArray, IntArray, as_action, top_k
from agents.spec import Observation, catalog_fingerprint, check_catalog
from agents.storage import load_agent, save_agent
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


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
        for name, value in asdict(self).items():
            if not math.isfinite(value):
                raise ValueError(f"{name}: expected a finite number, got {value}")
        if not 0.0 <= self.epsilon <= 1.0:
            raise ValueError(f"epsilon: expected in [0, 1], got {self.epsilon}")


class EpsilonGreedy:
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

    name: str = "epsilon-greedy"
    needs_state: ClassVar[bool] = False

    def __init__(
        self, catalog: PublicCatalog, slate_size: int = 1, config: EpsilonGreedyConfig | None = None
    ) -> None:
        log_popularity = np.log(np.asarray(catalog.base_popularity, dtype=np.float64))
        topic, num_topics = np.array(catalog.topic, dtype=np.int64), int(catalog.num_topics)
        chosen = config or EpsilonGreedyConfig()
        self._set(log_popularity, topic, num_topics, slate_size, chosen, Dates.of(catalog))
        self.fingerprint = catalog_fingerprint(catalog)

    def _set(
        self,
        log_popularity: FloatArray,
        topic: IntArray,
        num_topics: int,
        slate_size: int,
        config: EpsilonGreedyConfig,
        dates: Dates | None,
    ) -> None:
        if not 1 <= slate_size <= len(topic):
            raise ValueError(f"slate_size: expected in [1, {len(topic)}], got {slate_size}")
        self.config, self.slate_size, self.dates = config, slate_size, dates
        self.log_popularity, self.topic, self.num_topics = log_popularity, topic, num_topics
        # Within a topic the order never changes: the K best of each are all that a slate can need.
        ranking = np.lexsort((-log_popularity, -config.popularity_weight * log_popularity))
        by_topic = [ranking[topic[ranking] == own][:slate_size] for own in range(num_topics)]
        leading = np.concatenate(by_topic).astype(np.int64)
        self._leading = leading[np.lexsort((leading, -log_popularity[leading]))]

    def _utility(self, observation: Observation, choices: Choices) -> FloatArray:
        """[B, n] float64: utility of every choice, -inf for what is not on offer."""
        items = choices.items[choices.row]
        own = self.config.popularity_weight * self.log_popularity[items]
        topical = np.take_along_axis(
            topic_share(observation, self.topic, self.num_topics), self.topic[items], axis=1
        )
        return np.where(choices.available[choices.row], own + self.config.topic_weight * topical, -np.inf)

    def choices(self, observation: Observation) -> Choices | None:
        """What each user can be shown; None when that is every item, always."""
        return choices_in(observation, len(self.topic), self.dates, self.slate_size)

    def best(self, observation: Observation) -> IntArray:
        """[B, K] int64: the K choices of highest utility, best first; in plain worlds items."""
        choices = self.choices(observation)
        if choices is not None:
            return top_k(self._utility(observation, choices), self.slate_size)
        own = self.config.popularity_weight * self.log_popularity[self._leading]
        share = topic_share(observation, self.topic, self.num_topics)
        utility = self.config.topic_weight * share[:, self.topic[self._leading]] + own
        return self._leading[top_k(utility, self.slate_size)]

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Fill a slate per row and state its propensity; see the class."""
        best, choices = self.best(observation), self.choices(observation)
        count = np.full(len(best), len(self.topic)) if choices is None else choices.count
        slate = np.empty_like(best)
        for slot in range(self.slate_size):
            explore = generator.random(len(best)) < self.config.epsilon
            drawn = generator.integers(np.maximum(count - slot, 1))
            drawn = _nth_left(drawn, slate[:, :slot], choices)
            left = _best_left(best, slate[:, :slot])
            slate[:, slot] = np.where(explore & (count > slot), drawn, left)
        propensity = self._conditional(best, slate, count).prod(axis=1)
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
        stated = self._conditional(best, slate, count)
        if offered is None:
            return stated
        filled = np.arange(slate.shape[1]) >= count[:, None]
        return np.where(np.take_along_axis(offered, slate, axis=1), stated, filled)

    def _conditional(self, best: IntArray, slate: IntArray, count: IntArray) -> FloatArray:
        """[B, K] for slates of choices on offer, of which there are count: [B]."""
        prob = np.ones(slate.shape)
        for slot in range(slate.shape[1]):
            greedy = slate[:, slot] == _best_left(best, slate[:, :slot])
            stated = (1 - self.config.epsilon) * greedy + self.config.epsilon / np.maximum(count - slot, 1)
            prob[:, slot] = np.where(
                count > slot, stated, 1.0
            )  # nothing left on offer: filled without chance
        return prob

    def check_catalog(self, public_catalog: PublicCatalog) -> None:
        """Raise ValueError when `public_catalog` is not the one that the policy was made with."""
        check_catalog(public_catalog, self.fingerprint)

    def save(self, folder: str | Path) -> None:
        """Write the policy to a folder."""
        card = {
            "config": asdict(self.config),
            "slate_size": self.slate_size,
            "num_topics": self.num_topics,
            "catalog": self.fingerprint,
        }
        arrays = {
            "log_popularity": torch.from_numpy(self.log_popularity),
            "topic": torch.from_numpy(self.topic),
            **saved_dates(self.dates),
        }
        save_agent(folder, "EpsilonGreedy", card, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        card, arrays = load_agent(folder, "EpsilonGreedy")
        policy = cls.__new__(cls)
        config = EpsilonGreedyConfig(**card["config"])
        log_popularity, topic = arrays["log_popularity"].numpy(), arrays["topic"].numpy()
        dates = Dates.from_arrays(arrays)
        policy._set(log_popularity, topic, card["num_topics"], card["slate_size"], config, dates)
        policy.fingerprint = card["catalog"]
        return policy


def _nth_left(place: IntArray, shown: IntArray, choices: Choices | None) -> IntArray:
    """[B] int64: of the choices on offer that are not among the [B, k] shown ones, the one at [B] place."""
    if choices is None or not choices.numbered:  # those on offer come first
        for earlier in np.sort(shown, axis=1).T:
            place = place + (earlier <= place)
        return place
    free = choices.available[choices.row].copy()
    np.put_along_axis(free, shown, False, axis=1)
    found: IntArray = np.argmax(np.cumsum(free, axis=1) > place[:, None], axis=1)
    return found


def _best_left(best: IntArray, shown: IntArray) -> IntArray:
    """[B] int64: the first of [B, K] best items that is not among the [B, k] shown ones, k < K."""
    free = ~(best[:, :, None] == shown[:, None, :]).any(axis=2)
    return np.take_along_axis(best, np.argmax(free, axis=1)[:, None], axis=1)[:, 0]
