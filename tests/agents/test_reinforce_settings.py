"""The settings of REINFORCE from logs: heads, weights, slates, two stages; each of them does something."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from agents import PRESETS, LoggingPolicy, Reinforce, ReinforceConfig, preset
from agents.encoders import to_tensors
from agents.learning.batches import LogTensors, gather
from agents.learning.offline import spec_of_log
from agents.losses import importance_weights, plackett_luce_log_prob, reinforce_loss, returns_to_go

SMALL = {"dim": 16, "epochs": 0.3, "batch_size": 128}


def fitted(world, log, **changes):
    settings = SMALL | changes
    name = settings.pop("preset", "ips")
    return Reinforce(preset(name, **settings)).fit(log, world.public_catalog, seed=0)


def logits(agent, observation):
    with torch.no_grad():
        return agent.network(to_tensors(observation)).logits


def test_the_default_is_capped_ips_of_positive_advantages(world, log):
    """The same training written out, update by update, gives the same weights to the last bit."""
    config = ReinforceConfig(**SMALL)
    agent = Reinforce(config).fit(log, world.public_catalog, seed=0)

    class Plain(Reinforce):
        def update(self, data, rows, done, generator):
            output = self.network(gather(data.observation, rows))
            log_prob = plackett_luce_log_prob(torch.log_softmax(output.logits, 1), data.item[rows])
            weight = torch.ones_like(log_prob)
            if done >= 0.5:
                weight = importance_weights(log_prob / 1, data.log_propensity[rows] / 1, math.exp(3))
            earned = torch.from_numpy(returns_to_go(data.reward.numpy(), data.last.numpy(), 0.3)).float()
            return_t = earned[rows]
            advantage = torch.clamp(return_t - output.baseline, min=0)
            loss = reinforce_loss(log_prob, advantage, weight).mean()
            loss = loss + ((output.baseline - return_t) ** 2).mean()
            self.descend(self._optimizer, self.network, loss)
            return {}

    plain = Plain(config).fit(log, world.public_catalog, seed=0)
    for name, value in agent.network.state_dict().items():
        assert torch.equal(value, plain.network.state_dict()[name]), name


@pytest.fixture(scope="module")
def textbook(world, log):
    return fitted(world, log, preset="capped")


@pytest.mark.parametrize(
    "changes",
    [
        {"weighting": "none"},
        {"weighting": "snips"},
        {"weight_cap": 0.5},
        {"advantage": "centred"},
        {"advantage": "positive"},
        {"behaviour": "estimated"},
        {"behaviour": "uniform"},
        {"behaviour": "popularity"},
        {"variance_penalty": 1.0},
        {"doubly_robust": True},
        {"num_candidates": 5},
        {"warm_start": 1.0},
    ],
    ids=str,
)
def test_every_setting_changes_what_is_learned(world, log, observation, textbook, changes):
    other = fitted(world, log, preset="capped", **changes)
    assert not torch.allclose(logits(other, observation), logits(textbook, observation), rtol=1e-3)


@pytest.mark.parametrize(
    "changes", [{"candidate_draws": 0}, {"candidate_draws": 2}, {"ranker_temperature": 3.0}], ids=str
)
def test_every_setting_of_two_stages_changes_what_is_learned(world, log, observation, changes):
    base, other = (fitted(world, log, preset="two-stage", **one) for one in ({}, changes))
    assert not torch.allclose(logits(other, observation), logits(base, observation), rtol=1e-3)


@pytest.mark.parametrize("doubly_robust", [False, True])
def test_items_of_slates_learn_apart_from_joint_slates(
    slate_world, slate_log, slate_observation, doubly_robust
):
    joint = fitted(slate_world, slate_log, preset="capped", behaviour="estimated")
    items = fitted(slate_world, slate_log, preset="top-k", doubly_robust=doubly_robust)
    assert not torch.allclose(logits(items, slate_observation), logits(joint, slate_observation), rtol=1e-3)
    slates, _ = items.act(slate_observation, np.random.default_rng(0))
    assert slates.shape == (50, 10)


def test_what_training_reports(world, log):
    seen = []
    Reinforce(ReinforceConfig(**SMALL, behaviour="estimated", num_candidates=3)).fit(
        log, world.public_catalog, seed=0, progress=lambda step, total, metrics: seen.append(metrics)
    )
    assert set(seen[-1]) == {
        "loss",
        "value",
        "baseline",
        "weight",
        "max_weight",
        "effective",
        "model",
        "behaviour",
    }
    assert 1 / SMALL["batch_size"] <= seen[-1]["effective"] <= 1
    assert seen[-1]["weight"] <= seen[-1]["max_weight"]


def test_heads_leave_the_encoder_alone(world, log, observation):
    agent = fitted(world, log, preset="estimated", num_candidates=3)
    agent.network.zero_grad()
    output = agent.network(to_tensors(observation))
    (output.behaviour.sum() + output.value.sum() + output.baseline.sum()).backward()
    touched = {name for name, one in agent.network.named_parameters() if one.grad is not None}
    heads = ("behaviour", "value", "baseline")
    assert touched == {f"{head}.{part}" for head in heads for part in ("weight", "bias")}


@pytest.mark.slow
def test_the_behaviour_head_approaches_the_logging_policy(world, log, observation):
    """Mean total variation to the known policy: well nearer than uniform, or popularity for all users."""
    agent = fitted(world, log, preset="estimated", epochs=20.0, learning_rate=0.01)
    true = LoggingPolicy(world.public_catalog).item_prob(observation)
    with torch.no_grad():
        head = torch.softmax(agent.network(to_tensors(observation)).behaviour, 1).numpy()

    def distance(prob):
        return 0.5 * np.abs(prob - true).sum(axis=1).mean()

    popularity = np.bincount(log.action[:, 0], minlength=60) / len(log)
    assert distance(head) < 0.75 * min(distance(popularity), distance(np.full(60, 1 / 60)))


def test_popularity_is_counted_in_the_log(world, log):
    agent = Reinforce(ReinforceConfig(behaviour="popularity", dim=8))
    agent.spec, agent.num_topics = spec_of_log(log, world.public_catalog), world.public_catalog.num_topics
    agent.network = agent.make_network()
    data = LogTensors.from_log(log, agent.spec)
    agent.begin(data)
    rows = torch.arange(40)
    found, loss = agent._behaviour(data, rows, data.item[rows], None)
    shown = np.bincount(log.action[:, 0], minlength=60) + 1
    np.testing.assert_allclose(found.exp(), (shown / shown.sum())[log.action[:40, 0]], rtol=1e-5)
    assert loss is None


def test_two_stages_show_the_best_nominee(world, log, observation):
    agent = fitted(world, log, preset="two-stage", num_candidates=4)
    with torch.no_grad():
        output = agent.network(to_tensors(observation))
    action, propensity = agent.act(observation, np.random.default_rng(0))
    for row in range(50):
        nominated = output.logits[row].topk(4).indices
        assert action[row] == nominated[output.value[row, nominated].argmax()]
    assert (propensity == 1).all()
    shown = agent.item_prob(observation)
    assert (shown[np.arange(50), action] == 1).all()
    assert (shown.sum(axis=1) == 1).all()


@pytest.mark.parametrize("name", ["plain-ips", "two-stage"])
def test_presets_survive_the_disk(world, log, observation, tmp_path, name):
    agent = fitted(world, log, preset=name)
    agent.save(tmp_path / "agent")
    loaded = Reinforce.load(tmp_path / "agent")
    assert loaded.config == agent.config
    assert torch.equal(logits(loaded, observation), logits(agent, observation))


def test_presets_are_settings():
    assert PRESETS["ips"] == ReinforceConfig()
    assert preset("snips", dim=8) == dataclasses.replace(PRESETS["snips"], dim=8)
    with pytest.raises(ValueError, match=r"preset: expected one of ips, .*, got 'best'"):
        preset("best")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weighting": "dr"}, "weighting: expected 'none' or 'ips' or 'snips', got 'dr'"),
        ({"advantage": "best"}, "advantage: expected"),
        ({"behaviour": "known"}, "behaviour: expected"),
        ({"slates": "both"}, "slates: expected"),
        ({"acting": "both"}, "acting: expected"),
        ({"variance_penalty": -1.0}, "variance_penalty: expected a finite number of at least 0"),
        ({"num_candidates": -1}, "num_candidates: expected a finite number of at least 0"),
        ({"ranker_temperature": 0.0}, "ranker_temperature: expected a finite number above 0"),
        ({"warm_start": 1.5}, r"warm_start: expected in \[0, 1\]"),
        ({"doubly_robust": True}, "advantage: expected 'raw' where doubly_robust is set"),
        (
            {"doubly_robust": True, "advantage": "raw", "num_candidates": 3},
            "num_candidates: expected 0 where doubly_robust is set",
        ),
        ({"num_candidates": 3, "acting": "sample"}, "acting: expected 'greedy' where num_candidates is set"),
    ],
    ids=str,
)
def test_settings_out_of_bounds(changes, message):
    with pytest.raises(ValueError, match=message):
        ReinforceConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slates": "items"}, "behaviour: expected 'estimated' where slates='items'"),
        ({"advantage": "raw", "doubly_robust": True}, "slates: expected 'items' where doubly_robust is set"),
        ({"num_candidates": 3}, "num_candidates: expected 0 for slates of 10"),
        ({"num_candidates": 61}, "num_candidates: expected at most 60 items, got 61"),
    ],
    ids=str,
)
def test_settings_that_the_log_cannot_serve(slate_world, slate_log, changes, message):
    with pytest.raises(ValueError, match=message):
        fitted(slate_world, slate_log, **changes)
