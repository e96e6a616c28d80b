"""SQN's own parts: its targets, its coin, its heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents import SQN, SQNConfig
from agents.learning.batches import LogTensors, gather

SMALL = {"dim": 16, "epochs": 0.5, "batch_size": 128}


@pytest.fixture(scope="module")
def agent(world, log):
    return SQN(SQNConfig(**SMALL)).fit(log, world.public_catalog, seed=0)


def with_ending(log, row, *, terminated):
    """The log cut after `row`, whose session ends there: the user left, or the horizon ran out."""
    cut = log.select(slice(0, row + 1))
    ends = {"terminated": cut.terminated.copy(), "truncated": cut.truncated.copy()}
    ends["terminated"][row], ends["truncated"][row] = terminated, not terminated
    return cut.with_columns(**ends)


def test_targets_bootstrap_through_truncation_and_not_through_termination(agent, log):
    main, other = agent.network
    row = int(np.flatnonzero(log.terminated)[0])
    rows = torch.tensor([row])
    left = LogTensors.from_log(with_ending(log, row, terminated=True), agent.spec)
    cut = LogTensors.from_log(with_ending(log, row, terminated=False), agent.spec)
    reward = torch.tensor([[log.reward[row]]])
    torch.testing.assert_close(agent._target(main, other, left, rows), reward)
    following = gather(cut.next_observation, rows)
    with torch.no_grad():
        chosen = main.scores(following, "q").argmax()
        expected = reward + 0.5 * other.scores(following, "q")[0, chosen]
    torch.testing.assert_close(agent._target(main, other, cut, rows), expected)


def test_no_foresight_at_gamma_zero(world, log):
    agent = SQN(SQNConfig(**SMALL, gamma=0.0)).fit(log, world.public_catalog, seed=0)
    data = LogTensors.from_log(log, agent.spec)
    rows = torch.arange(64)
    target = agent._target(*agent.network, data, rows)
    assert torch.equal(target, data.slot_reward[rows])


def test_both_copies_are_trained_and_differ(world, log, agent):
    untrained = SQN(SQNConfig(**{**SMALL, "epochs": 1e-9})).fit(log, world.public_catalog, seed=0)
    first, second = (copy.q.query.weight for copy in agent.network)
    starts = [copy.q.query.weight for copy in untrained.network]
    assert not torch.equal(first, second)
    assert not torch.equal(first, starts[0])
    assert not torch.equal(second, starts[1])


def test_the_acting_head_is_a_choice(agent, observation):
    by_ce = agent.act(observation, np.random.default_rng(0)).action
    scores = agent.network[0].scores(
        {key: torch.from_numpy(value) for key, value in observation.items()}, "ce"
    )
    assert by_ce.tolist() == scores.argmax(dim=1).tolist()
    by_q = SQN(SQNConfig(**SMALL, acting_head="q"))
    by_q.spec, by_q.network = agent.spec, agent.network
    assert by_q.act(observation, np.random.default_rng(0)).action.tolist() != by_ce.tolist()


def test_the_supervised_twin_leaves_the_q_head_alone(world, log):
    agent = SQN(SQNConfig(**SMALL, td_weight=0.0)).fit(log, world.public_catalog, seed=0)
    assert (agent.network[0].q.bias == 0).all()
    assert (agent.network[0].ce.bias != 0).any()
