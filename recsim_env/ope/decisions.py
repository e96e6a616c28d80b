"""Single decisions as a log holds them, and the rewards that a model predicts for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import ROUNDING, distributions, indices, numbers, offending, probabilities
from recsim_env.ope.estimate import Support, mean_weight_warnings
from recsim_env.ope.intervals import Ratio, Terms
from recsim_env.ope.units import Units


@dataclass(frozen=True, eq=False)
class LoggedDecisions:
    """What a logging policy did and earned, and how probable the same actions are under a target policy.

    Each row counts by itself: what is estimated is the mean reward of a decision of the target policy in the
    situations that the *logging* policy met. For a policy's own sessions there is `LoggedSessions`.

    Attributes:
        reward: [n] float64.
        logging_propensity: [n] float64 in (0, 1], probability of the logged action under the logging policy.
        target_propensity: [n] float64 in [0, 1], of the same action under the target policy.
        unit: [n] ids of users or sessions, whose rows depend on one another; None when rows are independent.
        unsupported: [n] float64 in [0, 1], the target policy's probability of actions that the logging policy
            never takes in this row; None when unknown. `from_probs` fills it in.

    Raises:
        ValueError: an array of another length, a value out of its range, or no row at all.
    """

    reward: NDArray[np.float64]
    logging_propensity: NDArray[np.float64]
    target_propensity: NDArray[np.float64]
    unit: ArrayLike | None = None
    unsupported: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name, column in checked_columns(self).items():
            object.__setattr__(self, name, column)
        _ = self.units

    def __len__(self) -> int:
        return len(self.reward)

    @classmethod
    def from_probs(
        cls,
        reward: ArrayLike,
        action: ArrayLike,
        logging_probs: ArrayLike,
        target_probs: ArrayLike,
        unit: ArrayLike | None = None,
    ) -> LoggedDecisions:
        """From the probabilities of all N actions, so that missing support is known exactly.

        Args:
            reward: [n].
            action: [n] int in [0, N), the logged actions.
            logging_probs, target_probs: [n, N], each row sums to 1.
            unit: as in the class.

        Raises:
            ValueError: as in the class, or a logged action of logging probability 0.
        """
        logging = distributions("logging_probs", logging_probs, None, None)
        n, N = logging.shape
        target = distributions("target_probs", target_probs, n, N)
        action = indices("action", action, N, n)
        row = np.arange(n)
        missing = np.where(logging == 0, target, 0.0).sum(axis=1)
        taken = logging[row, action]
        offending("logging_probs", taken == 0, taken, "a positive probability of the logged action")
        return cls(numbers("reward", reward, n), taken, target[row, action], unit, np.minimum(missing, 1.0))

    @cached_property
    def units(self) -> Units:
        """The independent units."""
        return Units.of(self.unit, len(self))

    @cached_property
    def importance_weight(self) -> NDArray[np.float64]:
        """[n] float64 >= 0: target propensity over logging propensity of the logged action."""
        return ratio_of(self.target_propensity, self.logging_propensity)

    @cached_property
    def support(self) -> Support:
        """What these rows tell about the target policy's support."""
        return support_of(self.logging_propensity, self.target_propensity, self.unsupported)

    @cached_property
    def weight_remarks(self) -> list[str]:
        """What the mean of the importance weights gives away, in plain language."""
        return mean_weight_warnings(self.terms((self.importance_weight, None)))

    def terms(self, *ratios: Ratio) -> Terms:
        """The terms of an estimate per unit, from ratios of means over rows, each [n]."""
        return Terms(tuple(self.units.ratio(*ratio) for ratio in ratios))


def checked_columns(log: Any) -> dict[str, NDArray[np.float64]]:
    """The columns that logs of decisions and of sessions share, by name, as float64 arrays of one length.

    Raises:
        ValueError: a column of another length, a value out of its range, or no row at all.
    """
    reward = numbers("reward", log.reward, None)
    n = len(reward)
    if n == 0:
        raise ValueError("reward: expected at least one row, got none")
    columns = {
        "reward": reward,
        "logging_propensity": probabilities("logging_propensity", log.logging_propensity, n, positive=True),
        "target_propensity": probabilities("target_propensity", log.target_propensity, n),
    }
    if log.unsupported is not None:
        columns["unsupported"] = probabilities("unsupported", log.unsupported, n)
    return columns


def ratio_of(target: NDArray[np.float64], logging: NDArray[np.float64]) -> NDArray[np.float64]:
    """Importance weights target / logging, of any shape.

    Raises:
        ValueError: a weight beyond the range of float64.
    """
    with np.errstate(over="ignore"):
        weight = target / logging
    if np.isinf(weight.max()):
        offending("logging_propensity", np.isinf(weight), logging, "one that leaves target / logging finite")
    return weight


def support_of(
    logging: NDArray[np.float64], target: NDArray[np.float64], unsupported: NDArray[np.float64] | None
) -> Support:
    """What is known of the support: as told, or where the logging policy had only one action in a row.

    A logging propensity of 1 leaves nothing for other actions, so that there the target policy's probability
    of them, 1 - target, lacks support for certain.

    Args:
        logging, target: [n], of the logged action.
        unsupported: [n] or None, as in `LoggedDecisions`.

    Source: ours.
    """
    single = logging >= 1
    deterministic = bool(single.all())
    if unsupported is None and not single.any():
        return Support(None, None, False)
    if unsupported is None:
        # A float32 propensity may miss 1 by its rounding.
        missing = np.where(single & (1 - target > ROUNDING), 1 - target, 0.0)
    else:
        missing = unsupported
    share = float(missing.mean())
    first = int(np.argmax(missing > 0)) if share > 0 else None
    if unsupported is None and share == 0 and not deterministic:
        return Support(None, None, False)
    return Support(share, first, deterministic)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model predicts for n logged decisions: of what, say `PredictedRewards` and `PredictedValues`.

    Attributes:
        logged: [n] float64, of the logged action.
        target: [n] float64, of the target policy: the mean over its actions.
    """

    logged: NDArray[np.float64]
    target: NDArray[np.float64]

    def __post_init__(self) -> None:
        logged = numbers("logged", self.logged, None)
        object.__setattr__(self, "logged", logged)
        object.__setattr__(self, "target", numbers("target", self.target, len(logged)))

    def __len__(self) -> int:
        return len(self.logged)

    @classmethod
    def from_table(cls, q_hat: ArrayLike, action: ArrayLike, target_probs: ArrayLike) -> Self:
        """From the predictions for all N actions.

        Args:
            q_hat: [n, N], predicted for each action.
            action: [n] int in [0, N), the logged actions.
            target_probs: [n, N], each row sums to 1.
        """
        table = numbers("q_hat", q_hat, None, None)
        n, N = table.shape
        target = distributions("target_probs", target_probs, n, N)
        action = indices("action", action, N, n)
        return cls(table[np.arange(n), action], np.einsum("na,na->n", target, table))


class PredictedRewards(Predictions):
    """What a model predicts for n decisions by themselves: the reward.

    The model must not have been fitted on the same rows (fit on others, or across folds); see docs/ope.md.
    """
