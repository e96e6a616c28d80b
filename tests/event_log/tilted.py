"""A logging policy that knows all of its probabilities."""

from __future__ import annotations

import numpy as np

from recsim_env import Decision
from tests.small_worlds import NUM_ITEMS


class Tilted:
    """Slates drawn item by item from fixed probabilities, without replacement; it knows all of them."""

    name = "tilted"

    def __init__(self, slate_size=4, tilt=0.02):
        weight = np.exp(tilt * np.arange(NUM_ITEMS))
        self.prob, self.slate_size = weight / weight.sum(), slate_size

    def act(self, observation, generator):
        noise = generator.gumbel(size=(len(observation["segment"]), NUM_ITEMS))
        slate = np.argsort(-(np.log(self.prob) + noise), axis=1)[:, : self.slate_size]
        propensity = self.item_propensity(observation, slate).prod(axis=1)
        return Decision(slate[:, 0] if self.slate_size == 1 else slate, propensity)

    def item_prob(self, observation):
        return np.tile(self.prob, (len(observation["segment"]), 1))

    def item_propensity(self, observation, slate):
        shown = self.prob[slate]
        return shown / (1 - (np.cumsum(shown, axis=1) - shown))
