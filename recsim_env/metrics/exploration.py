"""How much of the catalog a policy uses: coverage and entropy of what it shows."""

from __future__ import annotations

import numpy as np


def catalog_coverage(counts: np.ndarray) -> float:
    """The share of the catalog that was shown at least once, in [0, 1].

    coverage = #{i : counts_i > 0} / N

    Args:
        counts: [N] impressions per item, >= 0.

    Source: Ge, Delgado-Battenfeld and Jannach (2010), catalog coverage. It grows with the number of
    impressions: compare policies on the same users only.
    """
    return float(np.count_nonzero(counts)) / len(counts)


def coverage_by_step(first_step: np.ndarray, num_steps: int) -> np.ndarray:
    """[T] float64: the share of the catalog shown to anyone by session step t, over all users.

    Args:
        first_step: [N] int, the earliest step at which each item was shown; a value >= num_steps counts
            as not shown.
        num_steps: T.

    Source: Ours, `catalog_coverage` of the impressions up to step t.
    """
    seen = first_step[first_step < num_steps]
    return np.cumsum(np.bincount(seen, minlength=num_steps)) / len(first_step)


def coverage_by_user(first_user: np.ndarray, user_ids: np.ndarray) -> np.ndarray:
    """[P] float64: the share of the catalog shown to anyone, once the users up to each id have been served.

    Users are taken in the order of their ids, whatever the order in which they were served, so that the curve
    does not depend on it and tallies merge.

    Args:
        first_user: [N] int, the smallest id of a user to whom each item was shown (`ItemTally.first_user`).
        user_ids: [P] int, ascending; the last one of all users gives `catalog_coverage`.

    Source: Ours, a species accumulation curve (Gotelli and Colwell 2001) of the catalog, in the order of ids.
    """
    return np.searchsorted(np.sort(first_user), user_ids, side="right") / len(first_user)


def total_of(name: str, amounts: np.ndarray) -> float:
    """The sum of counts, exposure or another amount per item; an error that names it where there is none."""
    total = float(np.sum(amounts))
    if not total > 0:
        raise ValueError(f"{name}: expected at least one impression, got amounts that sum to {total:g}")
    return total


def action_entropy(counts: np.ndarray) -> float:
    """The Shannon entropy of the shown items, in nats: from 0 (one item takes all) to log N (all N equally).

    H = - sum_i p_i log p_i,  p_i = counts_i / sum_j counts_j

    Args:
        counts: [N] impressions per item, >= 0, not all 0.

    Source: Shannon (1948), sec. 6; the plug-in estimate, which is low by about (N - 1) / (2 sum counts)
    (Miller 1955). exp(H) reads as the number of items effectively in use.

    Raises:
        ValueError: nothing was shown.
    """
    total = total_of("counts", counts)
    share = counts[counts > 0] / total
    return float(max(0.0, -np.sum(share * np.log(share))))
