"""Means and variances of linear models for every choice, without writing out its features.

What two items of one topic share for a user is worked out once per user and topic. The plain way, features
times theta, is `ContextFeatures.shared` and `.disjoint`; both agree.

Symbols: b users, n items, C topics, S segments; items are [b, n], or [1, n] where all users have the same.
"""

from __future__ import annotations

import numpy as np

from agents.bandits.context import NUM_AFFINITY, ContextFeatures
from agents.sampling import FloatArray, IntArray
from agents.spec import Observation


def _per_item(per_topic: FloatArray, topic: IntArray) -> FloatArray:
    """[b, C] -> [b, n] for topics [b, n] or [1, n]."""
    if len(topic) == 1:
        return per_topic[:, topic[0]]
    return np.take_along_axis(per_topic, topic, axis=1)


def shared_mean(
    features: ContextFeatures, observation: Observation, items: IntArray, theta: FloatArray
) -> FloatArray:
    """[b, n] float64: x' theta, theta [1, d] or one per user, [b, d]."""
    topics, split = features.num_topics, features.num_segments * features.num_topics
    segment = features.segment(observation)
    cell = theta[:, :split].reshape(len(theta), features.num_segments, topics)
    own = cell[0][segment] if len(theta) == 1 else cell[np.arange(len(segment)), segment]
    weight = theta[:, split : split + NUM_AFFINITY]
    per_topic = own + (features.affinity(observation) * weight[:, None]).sum(axis=2)
    mean = _per_item(per_topic, features.topic[items])
    for column, of_item in zip(theta[:, split + NUM_AFFINITY :].T, features.item.T, strict=True):
        mean = mean + column[:, None] * of_item[items]
    return mean


def shared_variance(
    features: ContextFeatures, observation: Observation, items: IntArray, covariance: FloatArray
) -> FloatArray:
    """[b, n] float64: x' covariance x, covariance [1, d, d].

    With x = e_i + w, i the cell of segment and topic: covariance_ii + 2 covariance_iw w + w' covariance_ww w.
    """
    topics, split = features.num_topics, features.num_segments * features.num_topics
    cov, last = covariance[0], split + NUM_AFFINITY
    cell = features.segment(observation)[:, None] * topics + np.arange(topics)
    affinity = features.affinity(observation)
    toward = 2 * cov[:split, split:last][cell] + affinity @ cov[split:last, split:last]
    per_topic = np.diagonal(cov)[cell] + (affinity * toward).sum(axis=2)
    topic = features.topic[items]
    variance = _per_item(per_topic, topic)
    with_item = 2 * (cov[:split, last:][cell] + affinity @ cov[split:last, last:])
    for column in range(features.item.shape[1]):
        variance = variance + _per_item(with_item[..., column], topic) * features.item[:, column][items]
    alone = ((features.item @ cov[last:, last:]) * features.item).sum(axis=1)
    return variance + alone[items]


def disjoint_mean(
    features: ContextFeatures, observation: Observation, items: IntArray, theta: FloatArray
) -> FloatArray:
    """[b, n] float64: x' theta of each item's own theta, [N, d]."""
    segment, topic = features.segment(observation), features.topic[items]
    mean: FloatArray = theta[items, segment[:, None]]
    affinity = features.affinity(observation)
    for column in range(NUM_AFFINITY):
        mean = mean + _per_item(affinity[..., column], topic) * theta[items, features.num_segments + column]
    return mean


def disjoint_variance(
    features: ContextFeatures, observation: Observation, items: IntArray, covariance: FloatArray
) -> FloatArray:
    """[b, n] float64: x' covariance x of each item's own covariance, [N, d, d]."""
    segment, topic = features.segment(observation)[:, None], features.topic[items]
    variance: FloatArray = covariance[items, segment, segment]
    affinity = [_per_item(column, topic) for column in np.moveaxis(features.affinity(observation), 2, 0)]
    for i, own in enumerate(affinity):
        row = features.num_segments + i
        variance = variance + 2 * own * covariance[items, segment, row]
        for j, other in enumerate(affinity):
            variance = variance + own * other * covariance[items, row, features.num_segments + j]
    return variance
