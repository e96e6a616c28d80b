"""MIPS: importance weights of what an action is like (category, embedding), not of the action itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import distributions, indices, probabilities
from recsim_env.ope.decisions import LoggedDecisions
from recsim_env.ope.estimate import Estimate
from recsim_env.ope.intervals import NORMAL, Interval
from recsim_env.ope.single_step import ips

CHUNK = 2**22
"""Values of [rows, N] that are worked on at a time."""


def embedding_propensity(
    probs: ArrayLike, embedding: ArrayLike, embedding_probs: ArrayLike
) -> NDArray[np.float64]:
    """[n] float64: the probability that a policy's action has the logged embedding.

    p(e | x) = sum_a pi(a | x) prod_d p(e_d | a)

    Args:
        probs: [n, N] probabilities of all actions, each row sums to 1.
        embedding: [n] or [n, D] int, the discrete embedding logged with the action, each in [0, E).
        embedding_probs: [N, E] or [N, E, D], the distribution of each embedding dimension given the action;
            `one_hot` makes it from one category an item.

    Source: Saito and Joachims (2022), sec. 3, the marginal distribution of embeddings.
    """
    policy = distributions("probs", probs, None, None)
    n, N = policy.shape
    given = np.asarray(embedding_probs, dtype=np.float64)
    if given.ndim == 2:
        given = given[:, :, None]
    table = np.moveaxis(distributions("embedding_probs", np.moveaxis(given, 1, -1), N, None, None), -1, 1)
    E, D = table.shape[1:]
    logged = np.asarray(embedding)
    logged = indices("embedding", logged[:, None] if logged.ndim == 1 else logged, E, n, D)
    found = np.empty(n)
    for rows in _chunks(n, N):
        if D == 1:
            by_embedding = policy[rows] @ table[:, :, 0]
            found[rows] = by_embedding[np.arange(len(by_embedding)), logged[rows, 0]]
            continue
        joint = policy[rows].copy()
        for dimension in range(D):
            joint *= table[:, logged[rows, dimension], dimension].T
        found[rows] = joint.sum(axis=1)
    return found


def one_hot(category: ArrayLike, num_categories: int) -> NDArray[np.float64]:
    """[N, E] float64: `embedding_probs` for items that have one category each.

    Args:
        category: [N] int in [0, E), the category of each item.
        num_categories: E.
    """
    which = indices("category", category, num_categories, None)
    return np.eye(num_categories)[which]


def mips(
    decisions: LoggedDecisions,
    logging_embedding_propensity: ArrayLike,
    target_embedding_propensity: ArrayLike,
    *,
    unsupported: NDArray[np.float64] | None = None,
    interval: Interval = NORMAL,
) -> Estimate:
    """Marginalised IPS: mean(w(x, e) r), w(x, e) = p(e | x, target policy) / p(e | x, logging policy).

    Unbiased when the action moves the reward through its embedding only and the logging policy reaches every
    embedding that the target policy reaches; of no more variance than IPS then. Otherwise biased by what the
    embedding does not tell.

    Args:
        decisions: the log; only its rewards and units are used.
        logging_embedding_propensity: [n] in (0, 1], the probability of the logged embedding under the
            logging policy, from `embedding_propensity`.
        target_embedding_propensity: [n] in [0, 1], the same under the target policy.
        unsupported: [n] in [0, 1], the target policy's probability of embeddings that the logging policy
            never reaches; None if it is not known.
        interval: how to make it.

    Source: Saito and Joachims (2022), sec. 3.
    """
    n = len(decisions)
    marginal = LoggedDecisions(
        decisions.reward,
        probabilities("logging_embedding_propensity", logging_embedding_propensity, n, positive=True),
        probabilities("target_embedding_propensity", target_embedding_propensity, n),
        decisions.unit,
        unsupported,
    )
    return replace(ips(marginal, interval=interval), estimator="mips")


def _chunks(num_rows: int, width: int) -> Iterator[slice]:
    size = max(1, CHUNK // width)
    for start in range(0, num_rows, size):
        yield slice(start, min(start + size, num_rows))
