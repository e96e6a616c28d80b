"""Agents that score every item decide large batches of users in parts, which changes no decision."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from agents import AGENTS, AgentSpec
from tests.agents.live_users import live

SPECS = (
    "next-item:dim=8,epochs=0.5",
    "sqn:dim=8,epochs=0.5",
    "ips:dim=8,epochs=0.5",
    "ips:dim=8,epochs=0.5,acting=sample",
    "item-knn",
    "sknn",
    "reward-rates",
    "dqn:dim=8,learning_starts=100",
    "bootstrapped:dim=8,acting=mean",
    "bootstrapped:dim=8,acting=vote",
    "bootstrapped:dim=8,acting=head",
)


class Watched(np.ndarray):
    """An array that remembers how it was cut."""

    cuts: ClassVar[list[slice]] = []

    def __getitem__(self, key):
        if isinstance(key, slice):
            self.cuts.append(key)
        return super().__getitem__(key)


def made(spec, world, log):
    agent = AgentSpec.parse(spec).make()
    if hasattr(AGENTS[agent.name], "fit"):
        return agent.fit(log, world.public_catalog, seed=0)
    return agent.learn(live(world, 50), 200, seed=0)


@pytest.mark.parametrize("spec", SPECS)
def test_decisions_in_parts_are_those_of_the_whole(spec, world, log, observation, monkeypatch):
    agent = made(spec, world, log)
    whole = agent.act(observation, np.random.default_rng(0))
    monkeypatch.setattr("agents.choices.MOST_SCORES", 60 * 7)
    monkeypatch.setattr(Watched, "cuts", [])
    watched = observation | {"segment": observation["segment"].view(Watched)}
    found = agent.act(watched, np.random.default_rng(0))
    np.testing.assert_array_equal(found.action, whole.action)
    np.testing.assert_allclose(found.propensity, whole.propensity, rtol=1e-6)
    assert len(Watched.cuts) >= 50 / 7
