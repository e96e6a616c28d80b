"""Which arm serves which user: a function of (seed, user) and the shares, so that it needs no table."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

WORD = np.uint64
_GAMMA = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
CONTROL_LANE = 2**32 - 1
"""Stands where the arm's number would, in the draw that decides about the control slice."""


def mix(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64, a bijection of 64 bits.

    Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators"; constants of
    Stafford's variant 13.
    """
    word = (word ^ (word >> WORD(30))) * WORD(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> WORD(27))) * WORD(0x94D049BB133111EB)
    return word ^ (word >> WORD(31))


def user_uniforms(seed: int, users: NDArray[np.int64], lane: int, epoch: int = 0) -> NDArray[np.float64]:
    """A uniform number in (0, 1) for each user: a hash of (seed, user, lane, epoch).

    Args:
        seed: in [0, 2^64); users: [n] int64; lane, epoch: in [0, 2^32).

    Returns:
        [n] float64, multiples of 2^-53 plus half of it.
    """
    if not 0 <= seed <= _MASK:
        raise ValueError(f"seed: expected an integer in [0, 2^64), got {seed}")
    key = np.array([(seed + _GAMMA) & _MASK, (lane << 32 | epoch) & _MASK], WORD)
    word = mix(mix(np.asarray(users).astype(WORD) + mix(key[:1])) + mix(key[1:] ^ WORD(_GAMMA)))
    return ((word >> WORD(11)).astype(np.float64) + 0.5) * 2.0**-53


def control_slice(
    seed: int, users: NDArray[np.int64], control_share: float, epoch: int = 0
) -> NDArray[np.bool_]:
    """[n] bool: whether the user belongs to the control slice, for good where epoch is fixed."""
    return user_uniforms(seed, users, CONTROL_LANE, epoch) < control_share


def assign(
    seed: int, users: ArrayLike, shares: NDArray[np.float64], control_share: float, epoch: int = 0
) -> NDArray[np.int64]:
    """The arm of each user, by weighted rendezvous hashing.

    Users of the control slice get arm 0. Of the others, user i gets the arm a of the smallest
    -log(u_ia) / w_a, with w the shares without the slice: an exponential race that a wins with probability
    w_a. When shares change, a user moves only from an arm that lost share, relative to the others, or to one
    that gained; arms may be added and dropped.

    Args:
        seed: of the deployment.
        users: [n] int64.
        shares: [n, A] float64, rows sum to 1, the slice included; all of it is the propensity.
        control_share: of the slice.
        epoch: a number that draws everyone anew when it changes.

    Returns:
        [n] int64.

    Source: Thaler and Ravishankar (1998), rendezvous hashing, in the logarithmic form of Schindelhauer and
    Schomaker (2005), "Weighted distributed hash tables".
    """
    users = np.asarray(users)
    weight = shares.copy()
    weight[:, 0] = np.maximum(weight[:, 0] - control_share, 0.0)
    score = np.full(weight.shape, np.inf)
    for arm in range(weight.shape[1]):
        some = weight[:, arm] > 0
        score[some, arm] = -np.log(user_uniforms(seed, users[some], arm, epoch)) / weight[some, arm]
    arm = score.argmin(axis=1)
    arm[control_slice(seed, users, control_share, epoch)] = 0
    return arm
