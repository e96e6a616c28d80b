"""The loop around the updates: cut and resumed, watched on held-out users, stopped early, fed from files."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from agents import (
    SKNN,
    SQN,
    ItemKNN,
    LoggingPolicy,
    Reinforce,
    ReinforceConfig,
    RewardRates,
    SQNConfig,
    Training,
)
from agents.learning.batches import LogTensors, Minibatches, session_ends
from agents.learning.held_out import HeldOut, held_out_users
from agents.learning.log_data import read_log, spec_of_log
from agents.learning.training import Best, find_device
from agents.seeding import torch_generator
from recsim_env import Decision
from recsim_env.event_log import LogFolder, simulate

SMALL = {"dim": 8, "epochs": 3.5, "batch_size": 128}  # about 25 updates of 1,000 rows, 4 passes begun
LEARNERS = [(SQN, SQNConfig), (Reinforce, ReinforceConfig)]
both = pytest.mark.parametrize(("agent_class", "config_class"), LEARNERS, ids=["sqn", "ips"])


class CutShortError(Exception):
    """The training's process ends here."""


@pytest.fixture(scope="module")
def short(log):
    return log.first_users(1_000)


def weights(agent):
    return agent.network.state_dict()


def same(first, second):
    assert list(first) == list(second)
    return all(torch.equal(first[name], second[name]) for name in first)


def fit(agent_class, config_class, log, world, cut_at=None, seed=0, **training):
    """Train, and be cut in the progress report of an update; returns the agent and the reports."""
    reports = []

    def progress(step, total, metrics):
        reports.append((step, dict(metrics)))
        if cut_at is not None and step >= cut_at:
            raise CutShortError

    agent = agent_class(config_class(**SMALL))
    try:
        agent.fit(log, world.public_catalog, seed=seed, progress=progress, training=Training(**training))
    except CutShortError:
        return None, reports
    return agent, reports


@both
@pytest.mark.parametrize("cut_at", [4, 12, 20])
def test_a_cut_training_goes_on_bit_for_bit(tmp_path, world, short, agent_class, config_class, cut_at):
    watched = {"held_out": 0.2, "evaluate_every": 4, "patience": 50}
    whole, reports = fit(agent_class, config_class, short, world, **watched)
    kept = {**watched, "checkpoint": tmp_path / "checkpoint", "checkpoint_every": 3}
    nobody, first = fit(agent_class, config_class, short, world, cut_at, **kept)
    assert nobody is None
    resumed, second = fit(agent_class, config_class, short, world, **kept)
    assert second[0][0] > cut_at - 3  # what was lost is what came after the last checkpoint
    assert same(weights(whole), weights(resumed))
    assert [report for report in reports if report[0] >= second[0][0]] == second
    assert first == reports[: len(first)]


def test_a_finished_training_is_not_run_again(tmp_path, world, short):
    kept = {"checkpoint": tmp_path / "checkpoint"}
    first, _ = fit(SQN, SQNConfig, short, world, **kept)
    again, reports = fit(SQN, SQNConfig, short, world, **kept)
    assert reports == []
    assert same(weights(first), weights(again))


def test_a_checkpoint_of_another_training_is_refused(tmp_path, world, short):
    kept = {"checkpoint": tmp_path / "checkpoint"}
    fit(SQN, SQNConfig, short, world, **kept)
    with pytest.raises(ValueError, match="belongs to another training: seed is 0, expected 1"):
        fit(SQN, SQNConfig, short, world, seed=1, **kept)
    with pytest.raises(ValueError, match="belongs to another training: agent is 'SQN', expected 'Reinforce'"):
        fit(Reinforce, ReinforceConfig, short, world, **kept)
    (tmp_path / "checkpoint").write_bytes((tmp_path / "checkpoint").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"checkpoint: .* cannot be read"):
        fit(SQN, SQNConfig, short, world, **kept)


@both
def test_looking_at_held_out_users_changes_nothing(world, short, agent_class, config_class):
    often, reports = fit(agent_class, config_class, short, world, held_out=0.2, evaluate_every=1)
    never, _ = fit(agent_class, config_class, short, world, held_out=0.2, evaluate_every=10_000)
    assert same(weights(often), weights(never))
    assert all(report.keys() >= {"held_out_loss", "held_out_return"} for _, report in reports)


def test_held_out_users_are_kept_out(world, log):
    training = Training(held_out=0.25)
    spec = spec_of_log(log, world.public_catalog)
    away = held_out_users(log.user_id, 0.25, seed=3)
    assert np.unique(log.user_id[away]).size == pytest.approx(0.25 * log.num_users, rel=0.35)
    assert not set(log.user_id[away]) & set(log.user_id[~away])
    with read_log(log, world.public_catalog, spec, training, 3) as (data, held_out):
        np.testing.assert_array_equal(data.item.numpy(), log.action[~away])
        np.testing.assert_array_equal(held_out.log.user_id, log.user_id[away])
    other = held_out_users(log.user_id, 0.25, seed=4)
    assert (away != other).any()
    order = np.random.default_rng(0).permutation(len(away))
    np.testing.assert_array_equal(held_out_users(log.user_id[order], 0.25, seed=3), away[order])


def test_the_held_out_return_by_hand(world, log):
    """A policy that always shows item 3: the logged decisions that did, weighted by 1 / propensity."""

    class Always(SQN):
        def decide(self, observation, choices, generator):
            batch = len(observation["segment"])
            return Decision(np.full(batch, 3), np.ones(batch))

    agent, _ = fit(Always, SQNConfig, log.first_users(200), world)
    held_out = HeldOut(log, LogTensors.from_log(log, agent.spec))
    found = held_out._return(agent)
    total = weight_sum = square_sum = 0.0
    for row in np.flatnonzero(log.action[:, 0] == 3):
        stop = row
        while not (log.terminated[stop] or log.truncated[stop]) and not session_ends(log)[stop]:
            stop += 1
        weight = 1 / log.propensity[row]
        total += weight * float(log.reward[row : stop + 1].sum(dtype=float))
        weight_sum, square_sum = weight_sum + weight, square_sum + weight**2
    assert weight_sum > 0
    assert found["held_out_return"] == pytest.approx(total / weight_sum)
    assert found["held_out_rows"] == pytest.approx(weight_sum**2 / square_sum)


def test_stopping_early_keeps_the_best():
    best, step_of = Best(), {}
    for step, value in enumerate([1.0, 3.0, math.nan, 2.0, 2.5]):
        step_of[value] = step
        best.look(value, step, {"step": torch.tensor(step)})
    assert (best.value, best.step, best.waited) == (3.0, 1, 2)
    assert best.weights["step"] == 1


def test_patience_ends_a_training_that_gets_worse(world, log):
    """Overfitting: a log of few users, many passes; the weights are those of the best look."""
    few = log.first_users(600)
    watched = {"held_out": 0.5, "evaluate_every": 10, "monitor": "loss"}
    config = {"dim": 16, "epochs": 400, "batch_size": 64, "learning_rate": 0.02, "td_weight": 0.0}
    reports = []
    agent = SQN(SQNConfig(**config)).fit(
        few,
        world.public_catalog,
        seed=0,
        progress=lambda step, total, metrics: reports.append((step, total, metrics)),
        training=Training(**watched, patience=5),
    )
    looks = [(metrics["held_out_loss"], step) for step, _, metrics in reports if "held_out_loss" in metrics]
    last, total = looks[-1][1], reports[-1][1]
    assert last < total
    assert last == min(looks)[1] + 50
    away = held_out_users(few.user_id, 0.5, 0)
    held_out = HeldOut(few.select(away), LogTensors.from_log(few.select(away), agent.spec))
    agent.learning = False
    assert held_out._loss(agent, 0.0) == pytest.approx(min(looks)[0], rel=1e-5)


def test_a_folder_teaches_what_its_log_does(tmp_path, world):
    policy = LoggingPolicy(world.public_catalog)
    folder = simulate(world, policy, 8_000, tmp_path / "log", seed=1, max_steps=2, partition_users=4_096)
    assert len(folder.partitions) == 2
    for held_out in (0.0, 0.1):
        settings = {"held_out": held_out, "scratch": tmp_path}
        config = {"dim": 8, "epochs": 0.2, "batch_size": 256}
        train = [
            SQN(SQNConfig(**config)).fit(log, world.public_catalog, seed=0, training=Training(**settings))
            for log in (folder, folder.load())
        ]
        assert same(weights(train[0]), weights(train[1]))
    assert [path.name for path in tmp_path.iterdir()] == ["log"]  # nothing is left behind
    unfinished = dataclasses.replace(LogFolder.open(tmp_path / "log"), partitions=folder.partitions[:1])
    with pytest.raises(ValueError, match="holds 4096 of 8000 users"):
        SQN().fit(unfinished, world.public_catalog, seed=0)


def test_a_folder_is_counted_as_its_log_is(tmp_path, world):
    folder = simulate(world, LoggingPolicy(world.public_catalog), 300, tmp_path / "log", seed=1, max_steps=4)
    for kind in (ItemKNN, SKNN, RewardRates):
        one, other = (kind().fit(log, world.public_catalog, seed=0) for log in (folder, folder.load()))
        for name, array in one.learned_arrays().items():
            assert torch.equal(array, other.learned_arrays()[name]), name


def test_minibatches_go_on_where_they_were():
    def batches(generator):
        return Minibatches(10, 3, generator)

    whole = batches(torch_generator(0))
    expected = [next(whole).tolist() for _ in range(9)]
    for cut in range(1, 9):
        first = batches(torch_generator(0))
        for _ in range(cut):
            next(first)
        generator = torch.Generator()
        generator.set_state(first.generator.get_state())
        second = batches(generator)
        second.go_to(first.step, first.pass_began)
        assert [next(second).tolist() for _ in range(9 - cut)] == expected[cut:]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"held_out": 1.0}, r"held_out: expected in \[0, 1\), got 1\.0"),
        ({"patience": -1}, "patience: expected an integer of at least 0, got -1"),
        ({"evaluate_every": 0}, "evaluate_every: expected an integer of at least 1, got 0"),
        ({"monitor": "reward"}, "monitor: expected 'return' or 'loss', got 'reward'"),
        ({"patience": 3}, "stopping early needs held_out above 0"),
    ],
)
def test_bad_trainings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Training(**changes)


def test_devices_that_are_not_there_are_refused():
    assert find_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="expected one such as 'cpu' or 'cuda', got 'gpu'"):
        find_device("gpu")
    with pytest.raises(ValueError, match="expected 'cpu' or 'cuda', got 'meta'"):
        find_device("meta")
    with pytest.raises(ValueError, match="is not there: PyTorch finds"):
        find_device("cuda:99")


def test_slates_have_no_held_out_return(slate_world, slate_log):
    _, reports = fit(SQN, SQNConfig, slate_log, slate_world, held_out=0.2)
    assert "held_out_loss" in reports[-1][1]
    assert "held_out_return" not in reports[-1][1]
    with pytest.raises(ValueError, match="monitor: a slate's return cannot be estimated"):
        fit(SQN, SQNConfig, slate_log, slate_world, held_out=0.2, patience=2)


def test_log_and_network_move_to_the_device_and_back(world, short, monkeypatch):
    """No accelerator is needed to see where things are sent: cpu:0 is the CPU by another name."""
    device, sent = torch.device("cpu", 0), []

    class Recorded(SQN):
        def begin(self, data):
            self._of_the_log = data.reward.clone()
            return super().begin(data)

        def update(self, data, rows, done, generator):
            assert self.device == device
            sent.append("update")
            return super().update(data, rows, done, generator)

    def recorded(owner, what):
        move = owner.to

        def to(self, where):
            sent.append((what, where))
            return move(self, where)

        monkeypatch.setattr(owner, "to", to)

    monkeypatch.setattr("agents.learning.offline.find_device", lambda name: device)
    recorded(LogTensors, "log")
    recorded(torch.nn.ModuleList, "network")
    agent = Recorded(SQNConfig(dim=8, epochs=0.01)).fit(short, world.public_catalog, seed=0)
    assert sent == [("network", device), ("log", device), "update", ("network", "cpu")]
    assert agent.device == torch.device("cpu")
