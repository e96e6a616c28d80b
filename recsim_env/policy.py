"""What a policy is: something that looks at a batch of observations and decides."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Observation = dict[str, NDArray[np.int64]]
"""A batch of observations: the keys of the environment's ``observation_space``, each [B, ...]."""


class Decision(NamedTuple):
    """What a policy decided for a batch.

    Attributes:
        action: [B] int64 items, or [B, K] slates.
        propensity: [B] float64 in (0, 1], the probability that the acting policy gave to that action (to the
            whole slate).
    """

    action: NDArray[np.int64]
    propensity: NDArray[np.float64]


@runtime_checkable
class Policy(Protocol):
    """Anything that acts on a batch.

    A policy that reads the simulator's hidden state sets ``needs_state = True``; ``rollout`` then passes the
    USER_STATE records as a third argument. Nothing else ever does.
    """

    name: str

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Decide for every row of the batch; all of the policy's own randomness comes from the generator."""
        ...
