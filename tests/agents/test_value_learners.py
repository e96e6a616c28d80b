"""Value learners and supervised controls: their own parts, and what they share."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from agents import (
    AGENTS,
    CQL,
    HIST,
    SA2C,
    SNQN,
    SQN,
    CQLConfig,
    DoubleDQN,
    DoubleDQNConfig,
    HeadConfig,
    HISTConfig,
    NextItem,
    RewardWeighted,
    SA2CConfig,
    SACRec,
    SACRecConfig,
    SNQNConfig,
    SQNConfig,
    agent_class,
)
from agents.encoders import ENCODERS
from agents.learning.batches import LogTensors, gather
from agents.learning.heads import Minibatch
from agents.losses import next_item_cross_entropy
from agents.seeding import torch_generator
from agents.value.snqn import not_shown

SMALL = {"dim": 8, "epochs": 0.3, "batch_size": 128}
NAMES = ["next-item", "reward-weighted", "hist", "double-dqn", "cql", "snqn", "sac-rec", "sa2c"]


def made(name, **settings):
    return AGENTS[name](AGENTS[name].config_class(**{**SMALL, **settings}))


@pytest.fixture(scope="module")
def fitted(world, log):
    return {name: made(name).fit(log, world.public_catalog, seed=0) for name in NAMES}


@pytest.fixture(scope="module")
def data(log, fitted):
    return LogTensors.from_log(log, fitted["sa2c"].spec)


def minibatch(agent, data, rows, done=0.0):
    """What `update` hands to `losses`, of the first copy."""
    main = agent.network[0]
    table = main.encoder.items()
    state = main.encoder(gather(data.observation, rows), table)
    item = data.item[rows]
    q_t = main.q.of_items(state, table, item)
    return Minibatch(data, rows, done, torch_generator(5), table, state, item, data.clicked[rows], q_t)


def losses(agent, data, rows, done=0.0):
    parts = agent.losses(agent.network[0], agent.network[-1], minibatch(agent, data, rows, done))
    return {name: part.item() for name, part in parts.items()}


@pytest.mark.parametrize("name", NAMES)
def test_saved_agents_act_the_same(tmp_path, fitted, observation, name):
    agent = fitted[name]
    agent.save(tmp_path / name)
    loaded = type(agent).load(tmp_path / name)
    first, again = (one.act(observation, np.random.default_rng(0)) for one in (agent, loaded))
    np.testing.assert_array_equal(first.action, again.action)
    assert loaded.config == agent.config


@pytest.mark.parametrize("name", ["sa2c", "reward-weighted", "cql", "hist"])
def test_they_learn_from_slates(slate_world, slate_log, slate_observation, name):
    agent = made(name, **({"smoothing": 0.5} if name == "sa2c" else {}))
    reported = {}
    agent.fit(
        slate_log,
        slate_world.public_catalog,
        seed=0,
        progress=lambda step, total, parts: reported.update(parts),
    )
    assert all(math.isfinite(value) for value in reported.values())
    slates = agent.act(slate_observation, np.random.default_rng(0)).action
    assert all(len(set(slate)) == 10 for slate in slates.tolist())


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", ["sqn", "ips"])
def test_any_encoder_under_any_learner(tmp_path, world, log, observation, name, encoder):
    agent = made(name, encoder=encoder, epochs=0.1).fit(log, world.public_catalog, seed=0)
    agent.save(tmp_path / "agent")
    loaded = type(agent).load(tmp_path / "agent")
    first, again = (one.act(observation, np.random.default_rng(0)).action for one in (agent, loaded))
    assert first.tolist() == again.tolist()
    alone = agent.act({key: value[3:4] for key, value in observation.items()}, np.random.default_rng(0))
    assert alone.action.tolist() == [first[3]]


def test_negatives_are_uniform_over_what_was_not_shown():
    item = torch.tensor([[1, 4, 0], [5, 2, 3]])
    drawn = not_shown(item, 30_000, 6, torch_generator(0))
    for row, left in enumerate(([2, 3, 5], [0, 1, 4])):
        counts = torch.bincount(drawn[row], minlength=6)
        assert counts.nonzero().flatten().tolist() == left
        # Binomial of 30,000 draws and 1/3: a standard deviation of 82; fails once in 10^5 per item.
        assert (counts[left] - 10_000).abs().max() < 4.4 * 82


def targets(agent, data, rows, **changes):
    """TD targets of the agent's copies under changed settings."""
    other = type(agent)(dataclasses.replace(agent.config, **changes))
    other.spec, other.num_topics, other.network = agent.spec, agent.num_topics, agent.network
    other.begin(data)
    return other._target(*agent.network, data, rows)


def test_eval_bootstraps_from_what_the_log_shows_next(fitted, data):
    agent = fitted["snqn"]
    rows = torch.arange(64)
    with torch.no_grad():
        q_next = agent.network[1].scores(gather(data.next_observation, rows), "q")
    expected = data.slot_reward[rows].clone()
    inside = ~data.last[rows]
    expected[inside, 0] += 0.5 * q_next.gather(1, data.item[rows + 1])[inside, 0]
    torch.testing.assert_close(targets(agent, data, rows, bootstrap="logged"), expected)
    assert (~inside).any()


def test_an_episode_ends_with_the_session(fitted, data):
    agent = fitted["snqn"]
    cut = (data.last & (data.continues == 1)).nonzero().flatten()[:5]
    assert len(cut) == 5
    assert not torch.equal(targets(agent, data, cut), data.slot_reward[cut])
    assert torch.equal(targets(agent, data, cut, episodic=True, gamma=1.0), data.slot_reward[cut])


@pytest.mark.parametrize("name", ["snqn", "double-dqn", "slateq", "ips"])
def test_shuffled_rewards_are_those_of_other_rows(name, world, log, data):
    def learned_from(**settings):
        seen = []

        class Recorded(agent_class(name)):
            def update(self, data, rows, done, generator):
                seen.append(data)
                return super().update(data, rows, done, generator)

        config = Recorded.config_class(dim=8, epochs=0.1, batch_size=128, **settings)
        Recorded(config).fit(log, world.public_catalog, seed=0)
        return seen[-1]

    assert torch.equal(learned_from().reward, data.reward)
    shuffled = learned_from(shuffled_reward=True)
    pairs = [torch.stack([one.reward, one.slot_reward.sum(dim=1)], dim=1) for one in (data, shuffled)]
    assert not torch.equal(*pairs)
    torch.testing.assert_close(*(torch.tensor(sorted(one.tolist())) for one in pairs))


def test_the_target_network_of_double_dqn_is_a_copy_from_a_while_ago(world, log):
    agent = made("double-dqn", target_interval=5, epochs=0.5)
    agent.fit(log, world.public_catalog, seed=0)
    online, target = agent.network
    total = agent.config.num_updates(len(log))
    data = LogTensors.from_log(log, agent.spec)
    assert total % 5 != 0
    assert not torch.equal(online.q.query.weight, target.q.query.weight)
    agent.network.train()
    for step, equal in ((1, False), (4, False), (5, True)):
        agent.turn(data, step / total, torch_generator(0))
        assert torch.equal(online.q.query.weight, target.q.query.weight) is equal
    assert (online.ce.bias == 0).all(), "the next-item head is not trained"


def test_snqn_adds_to_sqn_what_negatives_cost(fitted, data):
    agent, rows = fitted["snqn"], torch.arange(32)
    parts = losses(agent, data, rows)
    plain = SQN(SQNConfig(**SMALL))
    plain.spec, plain.network = agent.spec, agent.network
    assert parts.keys() == {"next_item", "td", "negative"}
    assert {name: parts[name] for name in ("next_item", "td")} == losses(plain, data, rows)
    observation = gather(data.observation, rows)
    with torch.no_grad():
        mine, judge = (copy.scores(observation, "q") for copy in agent.network)
    target = 0.5 * judge.gather(1, mine.argmax(dim=1, keepdim=True))
    drawn = not_shown(data.item[rows], 10, 60, torch_generator(5))
    by_hand = ((target - mine.gather(1, drawn)) ** 2).sum() / 2 / 32
    assert parts["negative"] == pytest.approx(by_hand.item(), rel=1e-5)


def clicked_ce(agent, data, rows):
    """Next-item losses of the clicked rows, and those rows."""
    row = rows[data.clicked[rows, 0]]
    with torch.no_grad():
        logits = agent.network[0].scores(gather(data.observation, row), "ce")
    return next_item_cross_entropy(logits, data.item[row, 0]), row


def test_sac_weighs_the_next_item_loss_by_values_after_the_warm_start(fitted, data):
    agent, rows = fitted["sac-rec"], torch.arange(64)
    ce, row = clicked_ce(agent, data, rows)
    with torch.no_grad():
        q_t = agent.network[0].scores(gather(data.observation, row), "q", data.item[row])[:, 0]
    assert losses(agent, data, rows)["next_item"] == pytest.approx(ce.mean().item(), rel=1e-5)
    assert losses(agent, data, rows, 0.5)["next_item"] == pytest.approx((q_t * ce).mean().item(), rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_sa2c_weighs_it_by_advantages_and_propensities(fitted, data, smoothing):
    agent = SA2C(SA2CConfig(**SMALL, smoothing=smoothing))
    agent.spec, agent.network = fitted["sa2c"].spec, fitted["sa2c"].network
    rows = torch.arange(64)
    ce, row = clicked_ce(agent, data, rows)
    drawn = not_shown(data.item[rows], 10, 60, torch_generator(5))[data.clicked[rows, 0]]
    with torch.no_grad():
        q = agent.network[0].scores(gather(data.observation, row), "q")
    positive = q.gather(1, data.item[row])
    mean = (positive[:, 0] + q.gather(1, drawn).sum(dim=1)) / 11
    weight = (positive[:, 0] - mean).clamp(0, 10)
    ratio = (torch.exp(-ce) / torch.exp(data.log_propensity[row])).clamp(0.1, 10) ** smoothing
    assert losses(agent, data, rows)["next_item"] == pytest.approx(ce.mean().item(), rel=1e-5)
    expected = (weight * ratio * ce).mean().item()
    assert losses(agent, data, rows, 0.5)["next_item"] == pytest.approx(expected, rel=1e-4)


def test_cql_adds_how_far_all_values_stand_above_the_logged_one(fitted, data):
    agent, rows = CQL(CQLConfig(**SMALL, conservatism=3.0)), torch.arange(64)
    agent.spec, agent.network = fitted["cql"].spec, fitted["cql"].network
    with torch.no_grad():
        q = agent.network[0].scores(gather(data.observation, rows), "q")
    gap = (q.exp().sum(dim=1).log() - q.gather(1, data.item[rows])[:, 0]).mean().item()
    parts = losses(agent, data, rows)
    assert parts["conservative"] == pytest.approx(3 * gap, rel=1e-4)


def test_reward_weights_scale_the_next_item_loss(fitted, data):
    agent, rows = fitted["reward-weighted"], torch.arange(64)
    ce, row = clicked_ce(agent, data, rows)
    assert losses(agent, data, rows)["next_item"] == pytest.approx(
        (data.reward[row] * ce).mean().item(), rel=1e-5
    )


def test_a_sample_of_items_can_stand_for_the_catalog(fitted, data):
    """As many draws as ten catalogs: close to the full loss, and its gradient reaches few items only."""
    agent = NextItem(HeadConfig(**SMALL, num_sampled=600))
    agent.spec, agent.network = fitted["next-item"].spec, fitted["next-item"].network
    rows = torch.arange(128)
    full = losses(fitted["next-item"], data, rows)["next_item"]
    assert losses(agent, data, rows)["next_item"] == pytest.approx(full, abs=0.02)


def test_an_agent_learns_with_sampled_items(world, log, observation):
    agent = NextItem(HeadConfig(**SMALL, num_sampled=20)).fit(log, world.public_catalog, seed=0)
    assert agent.act(observation, np.random.default_rng(0)).action.shape == (50,)


@pytest.mark.parametrize(
    ("config_class", "changes", "message"),
    [
        (
            SQNConfig,
            {"encoder": "lstm"},
            "encoder: expected one of gru, caser, nextitnet, sasrec, got",
        ),
        (SQNConfig, {"bootstrap": "mean"}, "bootstrap: expected 'max' or 'logged'"),
        (SQNConfig, {"gamma": 1.0}, r"gamma: expected in \[0, 1\), or 1 if episodic"),
        (HeadConfig, {"num_sampled": -1}, "num_sampled: expected at least 0"),
        (SNQNConfig, {"num_negatives": 0}, "num_negatives: expected at least 1"),
        (SACRecConfig, {"warm_start": 1.1}, "warm_start: expected in"),
        (SA2CConfig, {"smoothing": -0.1}, "smoothing: expected in"),
        (DoubleDQNConfig, {"acting_head": "ce"}, "acting_head: expected 'q'"),
        (DoubleDQNConfig, {"num_sampled": 100}, "num_sampled: expected 0, since no next-item loss"),
        (DoubleDQNConfig, {"target_interval": 0}, "target_interval: expected at least 1"),
        (CQLConfig, {"conservatism": math.inf}, "conservatism: expected a finite number"),
        (HISTConfig, {"counted": "past"}, "counted: expected 'ahead' or 'behind'"),
        (HISTConfig, {"count_weight": -1.0}, "count_weight: expected a finite number"),
    ],
)
def test_bad_settings_are_refused(config_class, changes, message):
    with pytest.raises(ValueError, match=message):
        config_class(**changes)


def test_names():
    kinds = (NextItem, RewardWeighted, HIST, DoubleDQN, CQL, SNQN, SACRec, SA2C)
    assert [kind.name for kind in kinds] == NAMES
