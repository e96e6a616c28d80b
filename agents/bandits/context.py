"""What linear bandits know of a user and an item: the features of a decision, in one place.

Public and visible alone. For user u with segment s, and item a of topic c:

    affinity(u, c)   share of topic c in the visible history
                     [the latest interacted item is of topic c]
                     share of the last slate that was of topic c and not clicked
    item(a)          log price and log base popularity, each standardised over the catalog

    shared   x = [one-hot of (s, c), affinity(u, c), item(a)], d = S C + 5: one regression for all items
    disjoint x = [one-hot of s, affinity(u, c(a))], d = S + 3: a regression for every item
    hybrid   both: z is the shared x, for all items, and x the disjoint one, for every item

Nothing of a user differs between two items of one topic but the items' own features, so scores are made per
user and topic first. Symbols: B users, S segments, C topics, N items, n choices, K slots.

Source: Ours, after the crossed user and article features of Li et al. (2010).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.encoders import public_features
from agents.learning.batches import CLICK
from agents.loggers.topic_utility import topic_share
from agents.sampling import FloatArray, IntArray
from agents.spec import Observation

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog

NUM_AFFINITY = 3


class ContextFeatures:
    """Features of decisions in one catalog.

    Attributes:
        topic: [N] int64; num_topics: C; num_segments: S.
        item: [N, 2] float64, standardised log price and log base popularity.
    """

    def __init__(self, topic: IntArray, item: FloatArray, num_topics: int, num_segments: int) -> None:
        self.topic, self.item = topic, item
        self.num_topics, self.num_segments = num_topics, num_segments

    @classmethod
    def of(cls, catalog: PublicCatalog, num_segments: int) -> ContextFeatures:
        """Those of a catalog."""
        topic = np.array(catalog.topic, np.int64)
        item = public_features(catalog).astype(np.float64)
        return cls(topic, item, int(catalog.num_topics), num_segments)

    @property
    def shared_dim(self) -> int:
        """Features of the shared model."""
        return self.num_segments * self.num_topics + NUM_AFFINITY + self.item.shape[1]

    @property
    def disjoint_dim(self) -> int:
        """Features of each item's own model."""
        return self.num_segments + NUM_AFFINITY

    def segment(self, observation: Observation) -> IntArray:
        """[B] int64 in [0, S)."""
        return np.asarray(observation["segment"], np.int64).reshape(-1)

    def affinity(self, observation: Observation) -> FloatArray:
        """[B, C, 3] float64 in [0, 1]; see the module."""
        num_items, num_topics = len(self.topic), self.num_topics
        history = np.asarray(observation["history_items"])
        slate, events = np.asarray(observation["last_slate"]), np.asarray(observation["last_events"])
        skipped = np.where((events & CLICK) > 0, num_items, slate)
        shares = np.empty((len(history), num_topics, NUM_AFFINITY))
        shares[..., 0] = topic_share(history, self.topic, num_topics)
        shares[..., 1] = topic_share(history[:, -1:], self.topic, num_topics)
        missed = (skipped < num_items).sum(axis=1) / slate.shape[1]
        shares[..., 2] = topic_share(skipped, self.topic, num_topics) * missed[:, None]
        return shares

    def shared(self, observation: Observation, items: IntArray) -> FloatArray:
        """[B, K, S C + 5] float64, x of [B, K] items in the shared model."""
        topic = self.topic[items]
        x = np.zeros((*items.shape, self.shared_dim))
        cell = self.segment(observation)[:, None] * self.num_topics + topic
        np.put_along_axis(x, cell[..., None], 1.0, axis=2)
        first = self.num_segments * self.num_topics
        own = np.take_along_axis(self.affinity(observation), topic[..., None], axis=1)
        x[..., first : first + NUM_AFFINITY] = own
        x[..., first + NUM_AFFINITY :] = self.item[items]
        return x

    def disjoint(self, observation: Observation, items: IntArray) -> FloatArray:
        """[B, K, S + 3] float64, x of [B, K] items in their own models."""
        x = np.zeros((*items.shape, self.disjoint_dim))
        np.put_along_axis(x, self.segment(observation)[:, None, None], 1.0, axis=2)
        own = np.take_along_axis(self.affinity(observation), self.topic[items][..., None], axis=1)
        x[..., self.num_segments :] = own
        return x

    def lift(self) -> tuple[IntArray, FloatArray]:
        """How the features of an item in its own model give those in the shared one: z = L_a x.

        Returns:
            places: [C, S + 5] int64, which features z of the shared model an item of a topic has.
            lift: [N, S + 5, S + 3] float64; z[places[c(a)]] = lift[a] x, and z is 0 elsewhere.
        """
        first = self.num_segments * self.num_topics
        cells = np.arange(self.num_segments) * self.num_topics + np.arange(self.num_topics)[:, None]
        others = np.broadcast_to(
            np.arange(first, self.shared_dim), (self.num_topics, self.shared_dim - first)
        )
        lift = np.zeros((len(self.topic), self.disjoint_dim + self.item.shape[1], self.disjoint_dim))
        lift[:, : self.disjoint_dim] = np.eye(self.disjoint_dim)
        lift[:, self.disjoint_dim :, : self.num_segments] = self.item[:, :, None]
        return np.concatenate([cells, others], axis=1), lift
