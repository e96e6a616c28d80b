"""Next-item accuracy: where a list has the one item that came next.

A rank counts the items above it: 0 is the top of the list. Symbols: n held-out interactions, N items.
"""

from __future__ import annotations

import numpy as np


def ranks_of(scores: np.ndarray, items: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Where each item stands among all of them by score, the highest first; ties are broken by lot.

    An item that shares its score with m others stands at each of the m + 1 places with the same probability,
    so that neither a constant score nor the order of item numbers earns anything.

    Args:
        scores: [n, N] float, -inf for what cannot be recommended.
        items: [n] int in [0, N).
        generator: source of one draw for each row, whether it has ties or not.

    Returns:
        [n] int64 in [0, N).

    Raises:
        ValueError: a score is NaN, or an item is none of the N.

    Source: Ours; the expected figure of a random order of ties, as in McSherry and Najork (2008).
    """
    scores, items = np.asarray(scores), np.asarray(items)
    if scores.ndim != 2 or items.shape != scores.shape[:1]:
        raise ValueError(
            f"scores: expected [n, N] with n = {len(items)} items, got {list(scores.shape)} and {items.shape}"
        )
    if items.size and not (items.min() >= 0 and items.max() < scores.shape[1]):
        row = int(np.flatnonzero((items < 0) | (items >= scores.shape[1]))[0])
        raise ValueError(f"items[{row}]: expected in [0, {scores.shape[1]}), got {items[row]}")
    if np.isnan(scores).any():
        row = int(np.flatnonzero(np.isnan(scores).any(axis=1))[0])
        raise ValueError(f"scores[{row}]: expected numbers or -inf, got NaN")
    own = scores[np.arange(len(items)), items][:, None]
    above = (scores > own).sum(axis=1)
    tied = (scores == own).sum(axis=1)
    return np.asarray(above + np.floor(generator.random(len(items)) * tied), np.int64)


def hit_rate(ranks: np.ndarray, k: int) -> float:
    """HR@k, the share of lists that have the item among their first k; with one item each also recall@k.

    HR@k = mean_i [rank_i < k]

    Args:
        ranks: [n] int >= 0, n >= 1; 0 is the top.
        k: at least 1.

    Source: Deshpande and Karypis (2004), sec. 4.1; as in Xin et al. (2020), sec. 4.1.3.
    """
    return float((_checked(ranks, k) < k).mean())


def ndcg(ranks: np.ndarray, k: int) -> float:
    """NDCG@k of lists with one relevant item each, whose ideal DCG is 1.

    NDCG@k = mean_i [rank_i < k] / log2(rank_i + 2)

    Args:
        ranks, k: as in `hit_rate`.

    Source: Jarvelin and Kekalainen (2002); as in Xin et al. (2020), sec. 4.1.3.
    """
    checked = _checked(ranks, k)
    return float(np.where(checked < k, 1.0 / np.log2(checked + 2.0), 0.0).mean())


def _checked(ranks: np.ndarray, k: int) -> np.ndarray:
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or ranks.size == 0 or not np.issubdtype(ranks.dtype, np.integer):
        raise ValueError(
            f"ranks: expected a non-empty [n] array of integers, got {ranks.dtype} {list(ranks.shape)}"
        )
    if ranks.min() < 0:
        row = int(np.flatnonzero(ranks < 0)[0])
        raise ValueError(f"ranks[{row}]: expected at least 0, got {ranks[row]}")
    if k < 1:
        raise ValueError(f"k: expected at least 1, got {k}")
    return ranks
