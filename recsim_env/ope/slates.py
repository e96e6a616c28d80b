"""Estimators of the mean reward of a slate, each right under its own assumption on how users read slates.

r_k is the reward at position k of K, c_k the weight of the position; probabilities are of what was logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import numbers, probabilities
from recsim_env.ope.decisions import ratio_of, support_of
from recsim_env.ope.estimate import Basis, Estimate, conclude, mean_weight_warnings
from recsim_env.ope.intervals import NORMAL, Interval, Terms
from recsim_env.ope.units import Units


@dataclass(frozen=True, eq=False)
class SlatePropensity:
    """The probability of what was logged under both policies.

    Which event it is, says the field of `LoggedSlates` that holds it.

    Attributes:
        logging: [n] or [n, K] float64 in (0, 1].
        target: of the same shape, in [0, 1].
    """

    logging: NDArray[np.float64]
    target: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoggedSlates:
    """Slates that a logging policy showed, and how probable they are under a target policy.

    Of the three kinds of propensity only the ones that an estimator uses need to be there. They are different
    numbers: a policy that fills positions one after the other has `slate` = the last column of `prefix`.

    Attributes:
        reward: [n, K] float64, at each position.
        slate: [n], of the whole slate.
        item: [n, K], marginally, of this item at this position, whatever else is shown.
        prefix: [n, K], of the items at positions 0..k together.
        position_weight: [K] float64 >= 0, c_k in the slate's reward sum_k c_k r_k; 1 by default.
        unit: [n] ids of users or sessions, whose slates depend on one another; None when slates do not.
        unsupported: [n] float64 in [0, 1] or None: the target policy's probability of slates that the logging
            policy never shows in this situation.

    Raises:
        ValueError: an array of another shape, or a value out of its range.
    """

    reward: NDArray[np.float64]
    slate: SlatePropensity | None = None
    item: SlatePropensity | None = None
    prefix: SlatePropensity | None = None
    position_weight: NDArray[np.float64] | None = None
    unit: ArrayLike | None = None
    unsupported: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        reward = numbers("reward", self.reward, None, None)
        n, K = reward.shape
        if n == 0 or K == 0:
            raise ValueError(f"reward: expected at least one slate of one position, got shape [{n}, {K}]")
        object.__setattr__(self, "reward", reward)
        for name, shape in (("slate", (n,)), ("item", (n, K)), ("prefix", (n, K))):
            given: SlatePropensity | None = getattr(self, name)
            if given is not None:
                logging = probabilities(f"{name}.logging", given.logging, *shape, positive=True)
                target = probabilities(f"{name}.target", given.target, *shape)
                object.__setattr__(self, name, SlatePropensity(logging, target))
        if self.position_weight is not None:
            weight = numbers("position_weight", self.position_weight, K)
            object.__setattr__(self, "position_weight", weight)
        if self.unsupported is not None:
            object.__setattr__(self, "unsupported", probabilities("unsupported", self.unsupported, n))
        _ = self.units

    def __len__(self) -> int:
        return len(self.reward)

    @cached_property
    def units(self) -> Units:
        """The independent units."""
        return Units.of(self.unit, len(self))

    @property
    def weighted_reward(self) -> NDArray[np.float64]:
        """[n, K] float64: c_k r_k."""
        return self.reward if self.position_weight is None else self.reward * self.position_weight

    def weight(self, kind: str) -> NDArray[np.float64]:
        """[n, K] or [n] float64: target over logging propensity of one kind (slate, item or prefix).

        Raises:
            ValueError: that kind of propensity was not given.
        """
        given: SlatePropensity | None = getattr(self, kind)
        if given is None:
            raise ValueError(f"slates.{kind}: expected the propensities that this estimator uses, got None")
        return ratio_of(given.target, given.logging)


def slate_ips(slates: LoggedSlates, *, interval: Interval = NORMAL) -> Estimate:
    """Standard slate IPS: mean(w sum_k c_k r_k), w the weight of the whole slate.

    Unbiased under support whatever users do; the variance grows exponentially with K.

    Source: McInerney et al. (2020), eq. 1; IPS of Horvitz and Thompson (1952) with the slate as the action.
    """
    weight = slates.weight("slate")
    values = weight * slates.weighted_reward.sum(axis=1)
    return _conclude("slate_ips", slates, values, "slate", [weight], "weights", interval)


def independent_ips(slates: LoggedSlates, *, interval: Interval = NORMAL) -> Estimate:
    """Independent IPS: mean(sum_k w_k c_k r_k), w_k the weight of the item at position k by itself.

    Unbiased when the reward at a position depends on the item there and the position only (the position-based
    model of users); of small variance.

    Source: Li et al. (2018), the item-position model; McInerney et al. (2020), eq. 2.
    """
    weight = slates.weight("item")
    values = (weight * slates.weighted_reward).sum(axis=1)
    return _conclude("independent_ips", slates, values, "item", list(weight.T), "weights", interval)


def reward_interaction_ips(slates: LoggedSlates, *, interval: Interval = NORMAL) -> Estimate:
    """Reward-interaction IPS: mean(sum_k w_{0:k} c_k r_k), w_{0:k} the weight of the items down to k.

    Unbiased when users read downwards: the reward at a position depends on the items there and above, not on
    those below (the cascade model is one such).

    Source: McInerney et al. (2020), eq. 3 and 4.
    """
    weight = slates.weight("prefix")
    values = (weight * slates.weighted_reward).sum(axis=1)
    return _conclude("reward_interaction_ips", slates, values, "prefix", list(weight.T), "weights", interval)


def cascade_dr(
    slates: LoggedSlates, q_logged: ArrayLike, q_target: ArrayLike, *, interval: Interval = NORMAL
) -> Estimate:
    """Cascade doubly robust: mean(sum_k w_{0:k} (c_k r_k - q_k) + w_{0:k-1} v_k).

    Unbiased under the assumption of `reward_interaction_ips`, whatever q is; of less variance when q is good.

    Args:
        slates: the log, with `prefix` propensities.
        q_logged: [n, K], predicted sum of c_j r_j over positions j >= k, given the logged items 0..k, the
            rest filled by the target policy.
        q_target: [n, K], v_k: the mean of that over the target policy's item at k, given the logged items
            above.
        interval: how to make it.

    Source: Kiyohara et al. (2022), sec. 3.1.
    """
    weight = slates.weight("prefix")
    n, K = slates.reward.shape
    q = numbers("q_logged", q_logged, n, K)
    v = numbers("q_target", q_target, n, K)
    values = (weight * (slates.weighted_reward - q)).sum(axis=1) + v[:, 0]
    values += (weight[:, :-1] * v[:, 1:]).sum(axis=1)
    return _conclude("cascade_dr", slates, values, "prefix", list(weight.T), "both", interval)


def _conclude(
    name: str,
    slates: LoggedSlates,
    values: NDArray[np.float64],
    kind: str,
    weights: list[NDArray[np.float64]],
    basis: Basis,
    interval: Interval,
) -> Estimate:
    """The estimate, with the figures of the position whose weights are least even."""
    units = slates.units
    propensity: SlatePropensity = getattr(slates, kind)
    n = len(slates)
    remarks: list[str] = []
    for weight in weights:
        remarks = remarks or mean_weight_warnings(Terms((units.ratio(weight, None),)))
    return conclude(
        name,
        Terms((units.ratio(values, None),)),
        interval,
        num_rows=n,
        support=support_of(
            propensity.logging.reshape(n, -1).min(axis=1),
            propensity.target.reshape(n, -1).min(axis=1),
            slates.unsupported,
        ),
        basis=basis,
        weights=weights,
        remarks=remarks,
    )
