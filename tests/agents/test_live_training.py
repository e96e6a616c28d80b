"""Learning from live users: cut at any moment and gone on with, looked at, stopped early, on a device."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from safetensors import safe_open

from agents import DQN, BootstrappedDQN, BootstrappedDQNConfig, DQNConfig, LinearThompson, LinUCB
from agents.bandits.linear_learner import LinearBanditConfig
from agents.online.live_training import VALIDATION_SEED, LiveTraining
from recsim_env import RecommenderVectorEnv, World, get_scenario, rollout
from tests.agents.live_users import live

DECISIONS, USERS = 3_000, 50
NETWORKS = {"dim": 8, "batch_size": 32, "learning_starts": 400, "decisions_per_update": 100}
LEARNERS = {
    "dqn": lambda: DQN(DQNConfig(**NETWORKS, gamma=0.9, buffer_size=1_000, target_update_interval=300)),
    "dqn, n steps": lambda: DQN(
        DQNConfig(**NETWORKS, n_steps=3, dueling=True, learning_rate_schedule="linear")
    ),
    "bootstrapped": lambda: BootstrappedDQN(
        BootstrappedDQNConfig(**NETWORKS, num_heads=3, buffer_size=1_000, target_interval=5)
    ),
    "linucb": lambda: LinUCB(LinearBanditConfig()),
    "linucb, hybrid": lambda: LinUCB(LinearBanditConfig(model="hybrid")),
    "lints": lambda: LinearThompson(LinearBanditConfig(model="disjoint")),
}
BANDITS = [name for name in LEARNERS if name.startswith("lin")]


class Cut(Exception):  # noqa: N818 - a kill
    """Power is gone."""


def learn(name, world, training=None, progress=None):
    return LEARNERS[name]().learn(live(world, USERS), DECISIONS, seed=4, progress=progress, training=training)


def assert_same(one, other):
    assert_same_arrays(one.learned_arrays(), other.learned_arrays())


def assert_same_arrays(first, second):
    assert first.keys() == second.keys()
    for key, tensor in first.items():
        assert torch.equal(tensor, second[key]), key


@pytest.fixture(scope="module", params=sorted(LEARNERS))
def whole(request, world):
    """A training that nothing disturbed."""
    return request.param, learn(request.param, world)


def test_looks_and_checkpoints_change_nothing(whole, world, tmp_path):
    name, agent = whole
    seen = []
    training = LiveTraining(20, evaluate_every=700, checkpoint=tmp_path / "kept", checkpoint_every=500)
    again = learn(name, world, training, lambda step, total, metrics: seen.append((step, metrics)))
    assert_same(agent, again)
    looked = {step: metrics["held_out_return"] for step, metrics in seen if "held_out_return" in metrics}
    assert list(looked) == [700, 1_400, 2_100, 2_800, 3_000]
    users, generator = world.users(20), np.random.default_rng(0)
    served = rollout(world, again, users, seed=VALIDATION_SEED, generator=generator, max_steps=10)
    assert looked[3_000] == pytest.approx(sum(batch.reward.sum() for batch in served) / 20)


@pytest.mark.parametrize("moment", [700, 2_100])
def test_a_cut_training_ends_with_the_same_bits(whole, world, tmp_path, moment):
    name, agent = whole

    def cut(step, total, metrics):
        if step == moment:
            raise Cut

    training = LiveTraining(5, evaluate_every=700, checkpoint=tmp_path / "kept", checkpoint_every=500)
    with pytest.raises(Cut):
        learn(name, world, training, cut)
    steps = []
    again = learn(name, world, training, lambda step, total, metrics: steps.append(step))
    assert steps[0] > moment // 500 * 500
    assert_same(agent, again)
    assert_same(agent, learn(name, world, training, lambda *call: steps.append(call)))
    assert steps[-1] == DECISIONS  # what is over is not done again


@pytest.mark.parametrize("name", ["dqn", "bootstrapped", "linucb"])
def test_patience_goes_back_to_the_best_look(world, tmp_path, monkeypatch, name):
    """Returns that fall from the third look on: two more, the weights of the second, nobody else served."""
    returns, kept = iter([1.0, 2.0, 1.5, 1.0, 9.0]), []
    monkeypatch.setattr("agents.online.live_training.LiveRun.look", lambda run: next(returns))
    training = LiveTraining(5, evaluate_every=500, patience=2, checkpoint=tmp_path / "kept")
    agent, env = LEARNERS[name](), live(world, USERS)

    def keep(step, total, metrics):
        kept.append((step, {key: tensor.clone() for key, tensor in agent.learned_arrays().items()}))

    agent.learn(env, DECISIONS, seed=4, progress=keep, training=training)
    assert [step for step, _ in kept] == [500, 1_000, 1_500, 2_000]
    with safe_open(tmp_path / "kept", framework="np") as file:
        np.testing.assert_array_equal(env.snapshot()["state"], file.get_tensor("env.state"))
    best, last = kept[1][1], kept[3][1]
    assert_same_arrays(agent.learned_arrays(), best)
    assert any(not torch.equal(tensor, last[key]) for key, tensor in best.items())
    assert_same(agent, learn(name, world, training))


def test_what_has_learned_nothing_is_not_looked_at(world):
    """Its return would be the same at every look, and patience run out before the first update."""
    agent = DQN(DQNConfig(**NETWORKS | {"learning_starts": 2_000}))
    looks = []

    def keep(step, total, metrics):
        looks.append((step, "held_out_return" in metrics))

    training = LiveTraining(5, evaluate_every=500, patience=3)
    agent.learn(live(world, USERS), DECISIONS, seed=4, progress=keep, training=training)
    assert [step for step, looked in looks if looked] == [2_500, 3_000]


def test_only_the_native_environment_is_kept(world):
    wrapped = RecordEpisodeStatistics(live(world, USERS))
    for training in (LiveTraining(5), LiveTraining(checkpoint=Path("nowhere"))):
        with pytest.raises(ValueError, match="env: expected the native environment itself"):
            LEARNERS["linucb"]().learn(wrapped, DECISIONS, seed=4, training=training)


def test_something_is_to_be_decided(world):
    for name in ("dqn", "linucb"):
        with pytest.raises(ValueError, match="num_decisions: expected at least 1, got 0"):
            LEARNERS[name]().learn(live(world, USERS), 0, seed=4)


def test_another_training_is_told_apart(world, tmp_path):
    training = LiveTraining(checkpoint=tmp_path / "kept")
    learn("linucb", world, training)
    with pytest.raises(ValueError, match="belongs to another training: seed is 4, expected 5"):
        LEARNERS["linucb"]().learn(live(world, USERS), DECISIONS, seed=5, training=training)
    with pytest.raises(ValueError, match="belongs to another training: stream_seed is 1001, expected 7"):
        LEARNERS["linucb"]().learn(live(world, USERS, seed=7), DECISIONS, seed=4, training=training)
    chosen = RecommenderVectorEnv(
        USERS, world=world, max_episode_steps=10, autoreset_mode=AutoresetMode.DISABLED, user_ids=range(99)
    )
    chosen.reset(seed=1_001)
    with pytest.raises(ValueError, match="snapshot: expected one of an environment made with the same"):
        LEARNERS["linucb"]().learn(chosen, DECISIONS, seed=4, training=training)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"held_out_users": -1}, "held_out_users: expected an integer of at least 0, got -1"),
        ({"evaluate_every": 0}, "evaluate_every: expected an integer of at least 1, got 0"),
        ({"checkpoint_every": 2.5}, "checkpoint_every: expected an integer of at least 1, got 2.5"),
        ({"patience": 3}, "patience: stopping early needs held_out_users above 0"),
    ],
)
def test_wrong_settings_are_named(fields, said):
    with pytest.raises(ValueError, match=said):
        LiveTraining(**fields)


def test_devices_are_those_there_are(world):
    with pytest.raises(ValueError, match="device: expected 'cpu' or 'cuda', got 'meta'"):
        learn("dqn", world, LiveTraining(device="meta"))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device: "):
            learn("dqn", world, LiveTraining(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["dqn", "bootstrapped"])
@pytest.mark.parametrize("scenario", ["Tiny-v0", "FreshCatalog-v0"])
def test_networks_learn_on_the_gpu_and_act_on_the_cpu(tmp_path, name, scenario):
    """Looked at, kept, cut, gone on with and taken back to the best; also where items come and go."""
    training = LiveTraining(
        5, evaluate_every=500, patience=5, device="cuda", checkpoint=tmp_path / "kept", checkpoint_every=500
    )
    world = World(get_scenario(scenario).config)

    def cut(step, total, metrics):
        if step == 1_500:
            raise Cut

    with pytest.raises(Cut):
        learn(name, world, training, cut)
    agent = learn(name, world, training)
    assert {tensor.device.type for tensor in agent.learned_arrays().values()} == {"cpu"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", BANDITS)
def test_bandits_refuse_the_gpu(world, name):
    with pytest.raises(ValueError, match="computes on the CPU, got 'cuda'"):
        learn(name, world, LiveTraining(device="cuda"))
