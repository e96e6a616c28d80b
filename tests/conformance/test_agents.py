"""Every registered agent holds what an agent must hold, and the checks see planted faults."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch

from agents import (
    AGENTS,
    SQN,
    Acting,
    ActingConfig,
    EpsilonGreedy,
    ItemKNN,
    LoggingPolicy,
    RandomPolicy,
    SQNConfig,
)
from agents.testing import AgentConformance, log_of, world_of
from benchmarks.experiment import untrained_policies
from recsim_env import Decision, WorldConfig

SMALL = {
    "dim": 8,
    "epochs": 1.2,
    "batch_size": 128,
    "buffer_size": 1_000,
    "learning_starts": 100,
    "target_interval": 3,
}
SINGLE = AgentConformance.config
SLATES = WorldConfig().replace(catalog={"num_items": 60}, slate_size=10, choice={"model": "logit"})
SINGLE_ONLY = {name for name, kind in AGENTS.items() if getattr(kind, "single_item", False)}
"""Agents that recommend one item and say so."""


def make(name, world):
    if name in (known := untrained_policies(world)):
        return known[name]()
    kind = AGENTS[name]
    config_class = getattr(kind, "config_class", None)
    if config_class is None:
        return kind()
    known = {spec.name for spec in fields(config_class)}
    return kind(config_class(**{key: value for key, value in SMALL.items() if key in known}))


def conformance(agent_name, world_config):
    class Checked(AgentConformance):
        config = world_config

        def make(self, world):
            return make(agent_name, world)

    return Checked


for _name in AGENTS:
    _title = "".join(part.title() for part in _name.split("-"))
    globals()[f"Test{_title}"] = conformance(_name, SINGLE)
    if _name not in SINGLE_ONLY:
        globals()[f"Test{_title}OnSlates"] = pytest.mark.slow(conformance(_name, SLATES))


EXPLORERS = {
    "TopK": ActingConfig(),
    "Gumbel": ActingConfig("gumbel", amount=0.02),
    "EpsilonSlots": ActingConfig("epsilon", amount=0.3),
}
"""Rules by which any scorer explores."""


def exploring(rule, world_config):
    class Checked(AgentConformance):
        config = world_config

        def make(self, world):
            scorer = ItemKNN().fit(log_of(self.config, self.num_decisions), world.public_catalog, seed=0)
            return Acting(scorer, EXPLORERS[rule])

    return Checked


for _rule in EXPLORERS:
    globals()[f"Test{_rule}"] = exploring(_rule, SINGLE)
    globals()[f"Test{_rule}OnSlates"] = exploring(_rule, SLATES)


class TestEpsilonGreedy(AgentConformance):
    def make(self, world):
        return EpsilonGreedy(world.public_catalog, world.config.slate_size)


class TestEpsilonGreedyOnSlates(TestEpsilonGreedy):
    config = SLATES


def fails(policy_class, check, match, config=SINGLE):
    """A policy with a fault fails this check; the same policy without it, tested above, does not."""

    class Checked(AgentConformance):
        def make(self, world):
            return policy_class(world.public_catalog, world.config.slate_size)

    Checked.config = config
    with pytest.raises(AssertionError, match=match):
        getattr(Checked(), f"test_{check}")()


class Overstated(LoggingPolicy):
    def act(self, observation, generator):
        action, propensity = super().act(observation, generator)
        return Decision(action, np.minimum(1.0, 1.2 * propensity))


class Silent(Overstated):
    """The same without item probabilities to compare with."""

    @property
    def item_prob(self):
        raise AttributeError


class Restless(LoggingPolicy):
    def act(self, observation, generator):
        return super().act(observation, np.random.default_rng())


class GlobalRandomness(LoggingPolicy):
    def act(self, observation, generator):
        torch.rand(1)
        return super().act(observation, generator)


class Forgetful(LoggingPolicy):
    @classmethod
    def load(cls, folder):
        policy = super().load(folder)
        policy.config = type(policy.config)(epsilon=0.9)
        policy._prepare()
        return policy


class Careless(LoggingPolicy):
    def act(self, observation, generator):
        history = np.minimum(observation["history_items"], 60)
        seen = {"history_items": history, "segment": observation["segment"]}
        return super().act(seen, generator)


class Changing(LoggingPolicy):
    def act(self, observation, generator):
        decision = super().act(observation, generator)
        observation["history_items"][0] = 0
        return decision


@pytest.mark.parametrize(
    ("policy_class", "check", "match"),
    [
        (Overstated, "propensities_are_those_of_the_actions", "expected that of item_prob"),
        (Silent, "propensities_are_those_of_the_actions", "are said to have|add up to"),
        (Restless, "acting_is_deterministic_given_its_generator", "made a difference"),
        (Changing, "acting_is_deterministic_given_its_generator", "history_items was changed"),
        (
            GlobalRandomness,
            "training_is_repeatable_and_leaves_global_generators_alone",
            "torch: a process-wide generator was used",
        ),
        (Forgetful, "a_saved_agent_acts_as_before", "loading what was saved made a difference"),
        (Careless, "observations_of_another_scenario_are_refused", "'last_slate' of another scenario"),
    ],
)
def test_planted_faults_are_found(policy_class, check, match):
    fails(policy_class, check, match)


def test_wrong_propensities_of_slates_are_found():
    """At a low temperature a few slates make up most of what is drawn: a fifth too much shows."""

    class Few(LoggingPolicy):
        def __init__(self, catalog, slate_size):
            config = self.config_class(epsilon=0.0, temperature=0.02, topic_weight=0.0)
            super().__init__(catalog, slate_size, config)

    class TooMuch(Few):
        def act(self, observation, generator):
            action, propensity = super().act(observation, generator)
            return Decision(action, np.minimum(1.0, 1.2 * propensity))

    class Right(AgentConformance):
        config = SLATES

        def make(self, world):
            return Few(world.public_catalog, 10)

    Right().test_propensities_are_those_of_the_actions()
    fails(TooMuch, "propensities_are_those_of_the_actions", "are said to have|add up to", SLATES)


class Untold(SQN):
    """Keeps something of its training where no checkpoint looks."""

    def begin(self, data):
        self._history = [torch.zeros(())]
        return super().begin(data)

    def update(self, data, rows, done, generator):
        self._history[0] = self._history[0] + 1
        with torch.no_grad():
            next(self.network.parameters()).add_(1e-3 * self._history[0])
        return super().update(data, rows, done, generator)


def test_a_training_that_cannot_be_resumed_is_found():
    class Checked(AgentConformance):
        def make(self, world):
            return Untold(SQNConfig(dim=8, epochs=1.2, batch_size=128))

    with pytest.raises(AssertionError, match="being cut and resumed made a difference"):
        Checked().test_a_cut_training_goes_on_bit_for_bit()


def test_the_world_is_shared():
    assert world_of(SINGLE) is world_of(SINGLE)
    assert isinstance(make("random", world_of(SINGLE)), RandomPolicy)
