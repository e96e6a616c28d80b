"""Epsilon-greedy slates: position by position the best choice left, or any choice left.

p(a_k | a_0..a_{k-1}) = (1 - epsilon) [a_k is the best one left] + epsilon / (m - k), of m choices on offer

Slots for which nothing is left on offer are filled without chance. Symbols: B users, K slots, n choices.

Source: Watkins (1989), "Learning from delayed rewards", for epsilon-greedy; slot by slot, Ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.sampling import FloatArray, IntArray

Available = NDArray[np.bool_] | None


def epsilon_slates(
    best: IntArray, epsilon: float, count: IntArray, available: Available, generator: np.random.Generator
) -> IntArray:
    """Draw slates.

    Args:
        best: [B, K] int64, the K best choices, best first.
        epsilon: in [0, 1].
        count: [B] int64, m.
        available: [B, n] bool, which choices are on offer; None when they are the first `count`.
        generator: source of 2 K draws per row.

    Returns:
        [B, K] int64, distinct per row.
    """
    slate = np.empty_like(best)
    for slot in range(best.shape[1]):
        explore = generator.random(len(best)) < epsilon
        drawn = generator.integers(np.maximum(count - slot, 1))
        drawn = _nth_left(drawn, slate[:, :slot], available)
        left = _best_left(best, slate[:, :slot])
        slate[:, slot] = np.where(explore & (count > slot), drawn, left)
    return slate


def epsilon_conditional(best: IntArray, slate: IntArray, epsilon: float, count: IntArray) -> FloatArray:
    """Probability of each choice of such slates given those above it, [B, K] float64.

    Their product is the slate's propensity. Arguments as `epsilon_slates`; of slates of choices on offer.
    """
    prob = np.ones(slate.shape)
    for slot in range(slate.shape[1]):
        greedy = slate[:, slot] == _best_left(best, slate[:, :slot])
        stated = (1 - epsilon) * greedy + epsilon / np.maximum(count - slot, 1)
        prob[:, slot] = np.where(count > slot, stated, 1.0)  # nothing left on offer: filled without chance
    return prob


def _nth_left(place: IntArray, shown: IntArray, available: Available) -> IntArray:
    """[B] int64: of the choices on offer that are not among the [B, k] shown ones, the one at [B] place."""
    if available is None:
        for earlier in np.sort(shown, axis=1).T:
            place = place + (earlier <= place)
        return place
    free = available.copy()
    np.put_along_axis(free, shown, False, axis=1)
    found: IntArray = np.argmax(np.cumsum(free, axis=1) > place[:, None], axis=1)
    return found


def _best_left(best: IntArray, shown: IntArray) -> IntArray:
    """[B] int64: the first of [B, K] best items that is not among the [B, k] shown ones, k < K."""
    free = ~(best[:, :, None] == shown[:, None, :]).any(axis=2)
    return np.take_along_axis(best, np.argmax(free, axis=1)[:, None], axis=1)[:, 0]
