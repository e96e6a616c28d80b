"""Off-policy REINFORCE's own parts: sampling with exact propensities, the baseline, the phases."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from agents import Reinforce, ReinforceConfig
from agents.encoders import to_tensors

SMALL = {"dim": 16, "epochs": 0.5, "batch_size": 128}


def acting(agent, how):
    """The same trained agent with another way of acting."""
    other = Reinforce(dataclasses.replace(agent.config, acting=how))
    other.spec, other.network = agent.spec, agent.network
    return other


@pytest.fixture(scope="module")
def agent(world, log):
    return Reinforce(ReinforceConfig(**SMALL)).fit(log, world.public_catalog, seed=0)


@pytest.fixture(scope="module")
def slate_agent(slate_world, slate_log):
    return Reinforce(ReinforceConfig(**SMALL)).fit(slate_log, slate_world.public_catalog, seed=0)


def policy_prob(agent, observation):
    with torch.no_grad():
        return torch.softmax(agent.network(to_tensors(observation))[0].double(), dim=1).numpy()


def test_greedy_takes_the_most_probable(agent, observation):
    action, propensity = agent.act(observation, np.random.default_rng(0))
    assert action.tolist() == policy_prob(agent, observation).argmax(axis=1).tolist()
    assert (propensity == 1).all()


def test_sampling_states_the_probability_of_what_it_drew(agent, observation):
    prob = policy_prob(agent, observation)
    np.testing.assert_allclose(prob.sum(axis=1), 1.0, rtol=1e-9)
    sampler = acting(agent, "sample")
    action, propensity = sampler.act(observation, np.random.default_rng(0))
    np.testing.assert_allclose(propensity, prob[np.arange(50), action], rtol=1e-9)
    again = sampler.act(observation, np.random.default_rng(0)).action
    other = sampler.act(observation, np.random.default_rng(1)).action
    assert action.tolist() == again.tolist() != other.tolist()


def test_sampled_slates_state_the_slate_propensity(slate_agent, slate_observation):
    slates, propensity = acting(slate_agent, "sample").act(slate_observation, np.random.default_rng(0))
    prob = policy_prob(slate_agent, slate_observation)
    for slate, stated, own in zip(slates, propensity, prob, strict=True):
        expected, left = 1.0, 1.0
        for item in slate:
            expected *= own[item] / left
            left -= own[item]
        assert stated == pytest.approx(expected, rel=1e-9)
        assert len(set(slate.tolist())) == 10


def test_the_baseline_leaves_the_encoder_alone(agent, observation):
    agent.network.zero_grad()
    agent.network(to_tensors(observation))[1].sum().backward()
    touched = {name for name, parameter in agent.network.named_parameters() if parameter.grad is not None}
    assert touched == {"baseline.weight", "baseline.bias"}


@pytest.mark.parametrize(
    "changes",
    [
        {"gamma": 0.9},
        {"weight_cap": 0.1},
        {"warm_start": 0.0},
        {"entropy_weight": 0.1},
        {"learning_rate": 1e-4},
        {"max_grad_norm": 1e-3},
    ],
    ids=itertools.chain.from_iterable,
)
def test_every_training_setting_changes_the_policy(world, log, agent, observation, changes):
    other = Reinforce(ReinforceConfig(**SMALL, **changes)).fit(log, world.public_catalog, seed=0)
    assert not np.allclose(policy_prob(other, observation), policy_prob(agent, observation), rtol=1e-3)
