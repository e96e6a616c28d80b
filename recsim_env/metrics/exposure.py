"""Who gets shown: inequality of exposure over items, and the share of the long tail."""

from __future__ import annotations

import numpy as np

from recsim_env.metrics.exploration import action_entropy, total_of

HEAD_SHARE = 0.8


def gini(exposure: np.ndarray) -> float:
    """The Gini coefficient of exposure over the whole catalog, items with zero exposure included.

    G = sum_i (2 i - N - 1) x_(i) / (N sum_i x_i),  x_(1) <= ... <= x_(N)

    0 when all items are equally exposed, (N - 1) / N when one item takes all.

    Args:
        exposure: [N] float or int, >= 0, not all 0.

    Source: Dixon et al. (1987), eq. 2, without the small-sample factor N / (N - 1).

    Raises:
        ValueError: nothing was shown.
    """
    ordered = np.sort(np.asarray(exposure, dtype=np.float64))
    total = total_of("exposure", ordered)
    n = len(ordered)
    weight = 2.0 * np.arange(1, n + 1) - n - 1.0
    return float(weight @ ordered / (n * total))


def exposure_entropy(exposure: np.ndarray) -> float:
    """The Shannon entropy of exposure over its largest value: from 0 (one item takes all) to 1 (all alike).

    - sum_i p_i log p_i / log N,  p_i = x_i / sum_j x_j

    Args:
        exposure: [N] float or int, >= 0, not all 0; N >= 2.

    Source: the evenness of Pielou (1966) over the whole catalog; Shannon (1948), sec. 6.

    Raises:
        ValueError: nothing was shown.
    """
    return action_entropy(exposure) / float(np.log(len(exposure)))


def lorenz_curve(exposure: np.ndarray, num_points: int = 101) -> np.ndarray:
    """[P] float64: the share of exposure that the least exposed share p of items gets.

    The piecewise linear curve through (k / N, sum of the k smallest / total), read off at
    p = 0, 1 / (P - 1), ..., 1. The area between it and the diagonal is half the Gini coefficient.

    Args:
        exposure: [N] float or int, >= 0, not all 0.
        num_points: P >= 2.

    Source: Lorenz (1905); Gastwirth (1971).

    Raises:
        ValueError: nothing was shown.
    """
    ordered = np.sort(np.asarray(exposure, dtype=np.float64))
    total = total_of("exposure", ordered)
    cumulative = np.concatenate([[0.0], np.cumsum(ordered) / total])
    cumulative[-1] = 1.0
    return np.interp(np.linspace(0.0, 1.0, num_points), np.linspace(0.0, 1.0, len(cumulative)), cumulative)


def tail_items(base_popularity: np.ndarray, head_share: float = HEAD_SHARE) -> np.ndarray:
    """[N] bool: True for the items of the long tail.

    The head is the smallest set of most popular items that draws at least `head_share` of base
    popularity; the tail is the rest. Ties are broken by item id. Base popularity belongs to the catalog,
    so the tail is the same for every policy.

    Args:
        base_popularity: [N] float, >= 0, not all 0; need not sum to 1.
        head_share: float in (0, 1].

    Source: the short head / long tail split of Abdollahpouri, Burke and Mobasher (2017), at 80 %.
    """
    popularity = np.asarray(base_popularity, dtype=np.float64)
    order = np.argsort(-popularity, kind="stable")
    cumulative = np.cumsum(popularity[order])
    head_size = int(np.searchsorted(cumulative, head_share * cumulative[-1] * (1.0 - 1e-12))) + 1
    tail = np.ones(len(popularity), dtype=bool)
    tail[order[:head_size]] = False
    return tail


def tail_share(exposure: np.ndarray, tail: np.ndarray) -> float:
    """The share of exposure that falls on the tail, in [0, 1].

    Args:
        exposure: [N] float or int, >= 0, not all 0.
        tail: [N] bool from `tail_items`.

    Source: Abdollahpouri, Burke and Mobasher (2019), average percentage of long-tail items, pooled over
    users.

    Raises:
        ValueError: nothing was shown.
    """
    total = total_of("exposure", exposure)
    return float(exposure[tail].sum() / total)


def average_popularity(exposure: np.ndarray, base_popularity: np.ndarray) -> float:
    """The mean base popularity of what was shown, as a multiple of the catalog's mean: 1 for uniform showing.

    (sum_i x_i pi_i / sum_i x_i) / (sum_i pi_i / N)

    Args:
        exposure: [N] float or int, >= 0, not all 0.
        base_popularity: [N] float, >= 0, not all 0.

    Source: the average recommendation popularity of Yin et al. (2012), pooled over users, divided by the
    catalog's mean so that catalogs of different size compare.

    Raises:
        ValueError: nothing was shown.
    """
    total = total_of("exposure", exposure)
    return float(exposure @ base_popularity / total / base_popularity.mean())
