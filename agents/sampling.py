"""Drawing actions from item probabilities, with the exact probability of what was drawn (NumPy, no state)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def sample_categorical(prob: FloatArray, generator: np.random.Generator) -> IntArray:
    """Draw one index per row by inverting the cumulative distribution; one uniform per row.

    Args:
        prob: [B, N] float64, non-negative; each row is normalised by its own sum.
        generator: source of the B uniforms.

    Returns:
        [B] int64 in [0, N); an index of probability 0 is never drawn.
    """
    cumulative = np.cumsum(prob, axis=1)
    threshold = generator.random((len(prob), 1)) * cumulative[:, -1:]
    # Rounding may put the threshold on the total itself: never step past the last index with mass.
    last = prob.shape[1] - 1 - np.argmax(prob[:, ::-1] > 0, axis=1)
    return np.minimum((cumulative <= threshold).sum(axis=1), last).astype(np.int64)


def sample_slate(log_prob: FloatArray, num_slots: int, generator: np.random.Generator) -> IntArray:
    """Draw an ordered slate without replacement: the K largest of log p + Gumbel noise.

    This is the Plackett-Luce distribution: each slot is drawn from p restricted to the items not shown
    above it.

    Args:
        log_prob: [B, N] float64, log-probabilities up to a constant per row.
        num_slots: K <= N.
        generator: source of B x N Gumbel variates.

    Returns:
        [B, K] int64, slot 0 first.

    Source: Kool, van Hoof and Welling (2019), "Stochastic beams and where to find them", section 2.3.
    """
    return top_k(log_prob + generator.gumbel(size=log_prob.shape), num_slots)


def slate_log_propensity(slate: IntArray, log_prob: FloatArray) -> FloatArray:
    """Log-probability of an ordered slate under `sample_slate`.

    log P(a_0..a_{K-1}) = sum_k [ log p(a_k) - log(1 - sum_{j<k} p(a_j)) ]

    Args:
        slate: [B, K] int64, distinct items per row.
        log_prob: [B, N] float64, normalised (rows of exp sum to 1).

    Returns:
        [B] float64 <= 0.

    Source: Plackett (1975), "The analysis of permutations".
    """
    shown = np.take_along_axis(log_prob, slate, axis=1)
    return plackett_luce_log_prob(shown)


def plackett_luce_log_prob(shown_log_prob: FloatArray) -> FloatArray:
    """The same from the K shown items' own log-probabilities alone: [B, K] float64 -> [B] float64."""
    prob = np.exp(shown_log_prob)
    taken = np.cumsum(prob, axis=1) - prob
    return (shown_log_prob - np.log1p(-np.minimum(taken, 1.0 - 1e-12))).sum(axis=1)


def offered_log_propensity(slate: IntArray, log_weight: FloatArray) -> FloatArray:
    """The same for weights that need not sum to 1, -inf where an index is not on offer: [B] float64 <= 0."""
    total: FloatArray = offered_log_conditional(slate, log_weight).sum(axis=1)
    return total


def offered_log_conditional(slate: IntArray, log_weight: FloatArray) -> FloatArray:
    """Log-probability of each item of an ordered slate given those above it.

    A slot for which nothing is left on offer is filled without chance: it leaves the probability alone. What
    is left for a slot is added up from the last one backwards, so nothing cancels however little it is.

    Args:
        slate: [B, K] int64 from `sample_slate`.
        log_weight: [B, n] float64, the weights that it was drawn by.

    Returns:
        [B, K] float64 <= 0.
    """
    shown = np.take_along_axis(log_weight, slate, axis=1)
    others = log_weight.copy()
    np.put_along_axis(others, slate, -np.inf, axis=1)
    highest = others.max(axis=1, keepdims=True)
    shift = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = shift + np.log(np.exp(others - shift).sum(axis=1, keepdims=True))
        left = np.logaddexp.accumulate(np.hstack([rest, shown[:, ::-1]]), axis=1)[:, :0:-1]
        return np.where(np.isfinite(shown), shown - left, 0.0)


def top_k(score: FloatArray, num_slots: int) -> IntArray:
    """The K highest-scoring indices per row, best first; ties go to the smaller index.

    Args:
        score: [B, N] floating.
        num_slots: K <= N.

    Returns:
        [B, K] int64.
    """
    if num_slots == 1:
        return np.argmax(score, axis=1)[:, None].astype(np.int64)
    num_items = score.shape[1]
    if num_slots < num_items:
        boundary = -np.partition(-score, num_slots - 1, axis=1)[:, num_slots - 1 : num_slots]
        above = score > boundary
        # Of the items on the boundary, keep the first ones: argpartition alone would choose arbitrarily.
        tied = score == boundary
        room = num_slots - above.sum(axis=1, keepdims=True)
        kept = above | (tied & (np.cumsum(tied, axis=1) <= room))
        candidate = np.nonzero(kept)[1].reshape(len(score), num_slots)
    else:
        candidate = np.broadcast_to(np.arange(num_items), score.shape)
    order = np.argsort(-np.take_along_axis(score, candidate, axis=1), axis=1, kind="stable")
    return np.take_along_axis(candidate, order, axis=1).astype(np.int64)


def as_action(slate: IntArray) -> IntArray:
    """[B, K] -> the environment's action: [B] when K is 1, else unchanged."""
    return slate[:, 0] if slate.shape[1] == 1 else slate


def as_slate(action: IntArray) -> IntArray:
    """The environment's action -> [B, K], the inverse of `as_action`."""
    return action[:, None] if action.ndim == 1 else action
