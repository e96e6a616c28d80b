"""The best items by a stated utility, with some exploration or none: logs of little support."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch

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
    over its positions.

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
        self._set(
            log_popularity,
            np.array(catalog.topic, dtype=np.int64),
            int(catalog.num_topics),
            slate_size,
            config or EpsilonGreedyConfig(),
        )
        self.fingerprint = catalog_fingerprint(catalog)

    def _set(
        self,
        log_popularity: FloatArray,
        topic: IntArray,
        num_topics: int,
        slate_size: int,
        config: EpsilonGreedyConfig,
    ) -> None:
        if not 1 <= slate_size <= len(topic):
            raise ValueError(f"slate_size: expected in [1, {len(topic)}], got {slate_size}")
        self.config, self.slate_size = config, slate_size
        self.log_popularity, self.topic, self.num_topics = log_popularity, topic, num_topics
        # Within a topic the order never changes: the K best of each are all that a slate can need.
        ranking = np.lexsort((-log_popularity, -config.popularity_weight * log_popularity))
        by_topic = [ranking[topic[ranking] == own][:slate_size] for own in range(num_topics)]
        leading = np.concatenate(by_topic).astype(np.int64)
        self._leading = leading[np.lexsort((leading, -log_popularity[leading]))]

    def best(self, observation: Observation) -> IntArray:
        """[B, K] int64: the K items of highest utility, best first; in two-stage worlds their numbers."""
        history, num_items = observation["history_items"], len(self.topic)
        if history.size and history.max() > num_items:
            raise ValueError(
                f"observation['history_items']: expected in [0, {num_items}], got {int(history.max())}"
            )
        column = np.append(self.topic, self.num_topics)[history]
        flat = column + (self.num_topics + 1) * np.arange(len(history))[:, None]
        counts = np.bincount(flat.ravel(), minlength=len(history) * (self.num_topics + 1))
        counts = counts.reshape(len(history), self.num_topics + 1)[:, :-1]
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        if "candidates" in observation:
            return self._best_candidates(observation["candidates"], share)
        own = self.config.popularity_weight * self.log_popularity[self._leading]
        utility = self.config.topic_weight * share[:, self.topic[self._leading]] + own
        return self._leading[top_k(utility, self.slate_size)]

    def _best_candidates(self, candidates: IntArray, share: FloatArray) -> IntArray:
        item = np.minimum(candidates, len(self.topic) - 1)
        utility = self.config.popularity_weight * self.log_popularity[item]
        utility += self.config.topic_weight * np.take_along_axis(share, self.topic[item], axis=1)
        return top_k(np.where(candidates < len(self.topic), utility, -np.inf), self.slate_size)

    def _num_choices(self, observation: Observation) -> int:
        return int(observation["candidates"].shape[1]) if "candidates" in observation else len(self.topic)

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Fill a slate per row and state its propensity; see the class."""
        best, num_items = self.best(observation), self._num_choices(observation)
        slate = np.empty_like(best)
        for slot in range(self.slate_size):
            explore = generator.random(len(best)) < self.config.epsilon
            drawn = generator.integers(num_items - slot, size=len(best))
            for taken in np.sort(slate[:, :slot], axis=1).T:
                drawn += taken <= drawn
            slate[:, slot] = np.where(explore, drawn, _best_left(best, slate[:, :slot]))
        return Decision(as_action(slate), self._propensity(best, slate, num_items).prod(axis=1))

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, N] float64: probability of every item, or of every candidate, at position 0."""
        num_items = self._num_choices(observation)
        first = self.best(observation)[:, :1]
        return (1 - self.config.epsilon) * (np.arange(num_items) == first) + self.config.epsilon / num_items

    def item_propensity(self, observation: Observation, slate: IntArray) -> FloatArray:
        """[B, K] float64: probability of every item of these slates given those above it."""
        return self._propensity(self.best(observation), slate, self._num_choices(observation))

    def _propensity(self, best: IntArray, slate: IntArray, num_items: int) -> FloatArray:
        prob = np.empty(slate.shape)
        for slot in range(slate.shape[1]):
            greedy = slate[:, slot] == _best_left(best, slate[:, :slot])
            prob[:, slot] = (1 - self.config.epsilon) * greedy + self.config.epsilon / (num_items - slot)
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
        }
        save_agent(folder, "EpsilonGreedy", card, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        card, arrays = load_agent(folder, "EpsilonGreedy")
        policy = cls.__new__(cls)
        config = EpsilonGreedyConfig(**card["config"])
        log_popularity, topic = arrays["log_popularity"].numpy(), arrays["topic"].numpy()
        policy._set(log_popularity, topic, card["num_topics"], card["slate_size"], config)
        policy.fingerprint = card["catalog"]
        return policy


def _best_left(best: IntArray, shown: IntArray) -> IntArray:
    """[B] int64: the first of [B, K] best items that is not among the [B, k] shown ones, k < K."""
    free = ~(best[:, :, None] == shown[:, None, :]).any(axis=2)
    return np.take_along_axis(best, np.argmax(free, axis=1)[:, None], axis=1)[:, 0]
