"""What every offline learner does alike: fit, act, save, load, refuse."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
import torch

from agents import AGENTS, SQN, Reinforce, ReinforceConfig, SlateQ, SQNConfig
from agents.encoders import to_tensors
from agents.learning.batches import LogTensors, Minibatches, session_ends
from agents.learning.log_data import spec_of_log
from agents.learning.offline import OfflineAgent, TrainingConfig
from agents.seeding import torch_generator
from agents.spec import ObservationSpec
from agents.value.slate_choice import slate_value
from recsim_env.event_log import EventLog

SMALL = {"dim": 16, "epochs": 0.5, "batch_size": 128}
LEARNERS = [(SQN, SQNConfig), (Reinforce, ReinforceConfig)]
both = pytest.mark.parametrize(("agent_class", "config_class"), LEARNERS, ids=["sqn", "ips"])


@pytest.fixture(scope="module")
def fitted(world, log):
    return {
        agent_class: agent_class(config_class(**SMALL)).fit(log, world.public_catalog, seed=0)
        for agent_class, config_class in LEARNERS
    }


@pytest.fixture(scope="module")
def fitted_on_slates(slate_world, slate_log):
    return {
        agent_class: agent_class(config_class(**SMALL)).fit(slate_log, slate_world.public_catalog, seed=0)
        for agent_class, config_class in LEARNERS
    }


def decide(agent, observation, seed=0):
    return agent.act(observation, np.random.default_rng(seed))


@both
def test_acts_on_batches(fitted, agent_class, config_class, observation):
    action, propensity = decide(fitted[agent_class], observation)
    assert action.shape == (50,)
    assert action.dtype == np.int64
    assert set(action.tolist()) <= set(range(60))
    assert propensity.tolist() == [1.0] * 50


@pytest.mark.parametrize(
    "kind",
    [kind for kind in AGENTS.values() if issubclass(kind, OfflineAgent)],
    ids=lambda kind: kind.name,
)
def test_networks_stay_on_their_device(kind, world, log, observation):
    """On PyTorch's meta device whatever is made on the CPU in between is refused, as on an accelerator."""
    settings = {"dim": 8, "epochs": 0.1, "batch_size": 128}
    agent = kind(kind.config_class(**settings)).fit(log, world.public_catalog, seed=0)
    agent.network.to("meta")
    tensors = {key: column.to("meta") for key, column in to_tensors(observation).items()}
    output = (
        slate_value_of(agent.network(tensors), agent.network)
        if kind is SlateQ
        else agent.item_scores(tensors, None)
    )
    assert output.device.type == "meta"
    assert len(output) == 50


def slate_value_of(output, network):
    """The worth of the first slots' slate."""
    utility, q, q_none = (part[:, : network.num_slots] if part.ndim == 2 else part for part in output)
    return slate_value(utility.exp(), q, q_none, network.log_examination().exp())


@both
def test_a_row_does_not_depend_on_its_batch(fitted, agent_class, config_class, observation):
    whole = decide(fitted[agent_class], observation).action
    alone = decide(fitted[agent_class], {key: value[7:8] for key, value in observation.items()}).action
    assert alone.tolist() == [whole[7]]


@both
def test_slates_are_the_best_distinct_items(fitted_on_slates, agent_class, config_class, slate_observation):
    slates = decide(fitted_on_slates[agent_class], slate_observation).action
    assert slates.shape == (50, 10)
    assert all(len(set(slate)) == 10 for slate in slates.tolist())


@both
def test_fitting_is_repeatable_and_the_seed_matters(world, log, fitted, agent_class, config_class):
    def weights(seed):
        agent = agent_class(config_class(**SMALL)).fit(log, world.public_catalog, seed=seed)
        return agent.network.state_dict()

    first = fitted[agent_class].network.state_dict()
    again, other = weights(0), weights(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@both
def test_round_trip_is_bit_exact(tmp_path, fitted, agent_class, config_class, observation, world):
    agent = fitted[agent_class]
    agent.save(tmp_path / "agent")
    loaded = agent_class.load(tmp_path / "agent")
    assert loaded.config == agent.config
    assert loaded.spec == agent.spec
    loaded.check_catalog(world.public_catalog)
    for before, after in zip(decide(agent, observation), decide(loaded, observation), strict=True):
        np.testing.assert_array_equal(before, after)
    arrays, again = agent.network.state_dict(), loaded.network.state_dict()
    assert all(torch.equal(arrays[name], again[name]) for name in arrays)


@both
def test_reports_progress(world, log, agent_class, config_class):
    calls = []
    config = config_class(**{**SMALL, "batch_size": 32})
    agent_class(config).fit(
        log,
        world.public_catalog,
        seed=0,
        progress=lambda step, total, metrics: calls.append((step, total, dict(metrics))),
    )
    total = config.num_updates(len(log))
    assert [step for step, _, _ in calls] == [*range(50, total, 50), total]
    assert all(end == total for _, end, _ in calls)
    assert all(math.isfinite(value) for _, _, metrics in calls for value in metrics.values())


@both
def test_an_empty_agent_says_so(tmp_path, agent_class, config_class, observation):
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        decide(agent_class(), observation)
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        agent_class().save(tmp_path / "agent")
    with pytest.raises(TypeError, match=f"config: expected {config_class.__name__}"):
        agent_class(TrainingConfig())


@both
def test_observations_of_another_scenario_are_refused(fitted, agent_class, config_class, slate_observation):
    with pytest.raises(ValueError, match=r"last_slate.*expected shape \[B, 1\], got \[50, 10\]"):
        decide(fitted[agent_class], slate_observation)


@both
def test_another_catalog_is_refused(world, log, fitted, agent_class, config_class):
    catalog = world.public_catalog
    other = catalog._replace(price=catalog.price[::-1].copy())
    with pytest.raises(ValueError, match="the log was made with another one: row 0, slot 0 shows item"):
        agent_class().fit(log, other, seed=0)
    with pytest.raises(ValueError, match="fingerprint"):
        fitted[agent_class].check_catalog(other)


def rows_of(log, rows, **changes):
    """A log of some rows of another, some columns changed."""
    columns = {name: column[rows].copy() for name, column in log.columns.items()}
    return EventLog.from_columns({**columns, **changes}, log.policy, {})


def test_logs_that_cannot_be_learned_from_are_refused(world, log):
    with pytest.raises(ValueError, match="at least one decision"):
        SQN().fit(rows_of(log, np.arange(0)), world.public_catalog, seed=0)
    propensity = log.propensity[:10].copy()
    propensity[4] = 0.0
    with pytest.raises(ValueError, match=r"log\.propensity\[4\]: expected in \(0, 1\], got 0\.0"):
        Reinforce().fit(rows_of(log, np.arange(10), propensity=propensity), world.public_catalog, seed=0)


def test_the_spec_of_a_log_comes_from_its_config(world, log):
    assert spec_of_log(log, world.public_catalog) == ObservationSpec(60, 10, 1, 4)
    first = rows_of(log, np.arange(1))
    assert spec_of_log(first, world.public_catalog).num_segments == first.segment[0] + 1


def test_log_tensors(slate_log):
    data = LogTensors.from_log(slate_log, ObservationSpec(60, 10, 10, 4))
    assert len(data) == len(slate_log)
    clicked = (slate_log.events & 1) > 0
    assert clicked.sum(axis=1).max() > 1
    np.testing.assert_array_equal(data.clicked.numpy(), clicked)
    np.testing.assert_allclose(data.slot_reward.sum(dim=1), slate_log.reward, rtol=1e-6)
    assert (data.slot_reward.numpy()[~clicked] == 0).all()
    np.testing.assert_array_equal(data.continues.numpy() == 0, slate_log.terminated)
    ends = slate_log.terminated | slate_log.truncated
    np.testing.assert_array_equal(data.last.numpy()[:-1], ends[:-1])
    # Inside a session what follows a decision is what the next one sees.
    inside = np.flatnonzero(~data.last.numpy())
    for key, column in data.next_observation.items():
        np.testing.assert_array_equal(column[inside], data.observation[key][inside + 1], err_msg=key)


def test_a_cut_log_ends_its_last_session(log):
    assert session_ends(rows_of(log, np.arange(2)))[-1]


def test_minibatches_pass_over_the_log():
    batches = list(islice(Minibatches(10, 4, torch_generator(0)), 5))
    assert [len(batch) for batch in batches] == [4] * 5
    for first, second in ((0, 1), (2, 3)):
        assert len(set(batches[first].tolist()) | set(batches[second].tolist())) == 8
    assert len(next(Minibatches(3, 256, torch_generator(0)))) == 3


@pytest.mark.parametrize(
    ("config_class", "changes", "message"),
    [
        (SQNConfig, {"gamma": 1.0}, r"gamma: expected in \[0, 1\)"),
        (SQNConfig, {"td_weight": -1.0}, "td_weight: expected"),
        (SQNConfig, {"acting_head": "both"}, "acting_head: expected 'ce' or 'q'"),
        (SQNConfig, {"epochs": math.nan}, "epochs: expected a finite number above 0"),
        (ReinforceConfig, {"gamma": 1.5}, r"gamma: expected in \[0, 1\]"),
        (ReinforceConfig, {"weight_cap": 0.0}, "weight_cap: expected above 0"),
        (ReinforceConfig, {"warm_start": 2.0}, r"warm_start: expected in \[0, 1\]"),
        (ReinforceConfig, {"acting": "argmax"}, "acting: expected 'greedy' or 'sample'"),
    ],
)
def test_bad_settings_are_refused(config_class, changes, message):
    with pytest.raises(ValueError, match=message):
        config_class(**changes)
