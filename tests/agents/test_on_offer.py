"""Every agent in dated and two-stage worlds: shows what is on offer, and says how likely."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from agents import (
    DQN,
    SQN,
    DQNConfig,
    LoggingPolicy,
    Popular,
    RandomPolicy,
    Reinforce,
    ReinforceConfig,
    SQNConfig,
)
from agents.choices import choices_in
from agents.learning.batches import LogTensors, gather
from agents.learning.log_data import spec_of_log
from agents.sampling import as_slate
from recsim_env import RecommenderVectorEnv, rollout
from recsim_env.event_log import collect_log
from tests.small_worlds import small_world

SHELF = {"catalog": {"shelf_hours": 60.0}, "run": {"run_hours": 100.0, "run_users": 50}}
CANDIDATES = {"candidates": {"num_candidates": 14}}
RETURNS = {"returns": {"lifetime_hours": 60.0, "churn_bias": -3.0}}
MAX_STEPS = 8
SMALL = {"dim": 16, "epochs": 0.2, "batch_size": 128}
LEARNERS = {
    "sqn": lambda: SQN(SQNConfig(**SMALL)),
    "ips": lambda: Reinforce(ReinforceConfig(**SMALL)),
    "sampled": lambda: Reinforce(ReinforceConfig(**SMALL, acting="sample")),
}
DQN_SETTINGS = DQNConfig(dim=16, learning_starts=50, decisions_per_update=32, target_update_interval=100)


def dated_world(slate_size, **sections):
    return small_world(slate_size, **SHELF, **sections)


def logs(world):
    policy = LoggingPolicy(world.public_catalog, world.config.slate_size)
    return collect_log(world, policy, 600, seed=1, max_steps=MAX_STEPS)


def learned(name, world):
    return LEARNERS[name]().fit(logs(world), world.public_catalog, seed=0)


def learned_dqn(world):
    env = RecommenderVectorEnv(
        8, world=world, max_episode_steps=MAX_STEPS, autoreset_mode=AutoresetMode.DISABLED
    )
    env.reset(seed=4)
    return DQN(DQN_SETTINGS).learn(env, 320, seed=0)


@pytest.fixture(scope="module")
def policies():
    """Slate size -> agents made for the dated world, the learned ones from a log of it."""
    made = {}
    for slate_size in (1, 4):
        world = dated_world(slate_size)
        catalog = world.public_catalog
        untrained = [RandomPolicy(60, slate_size, catalog), Popular(catalog, slate_size)]
        made[slate_size] = [*untrained, LoggingPolicy(catalog, slate_size)]
        made[slate_size] += [learned(name, world) for name in LEARNERS]
    made[1].append(learned_dqn(dated_world(1)))
    return made


def decisions(world, policy):
    return rollout(
        world,
        policy,
        np.arange(100),
        seed=2,
        generator=np.random.default_rng(3),
        max_steps=MAX_STEPS,
        batch_size=50,
    )


def on_offer(world, batch):
    """[n, K] bool: whether what was shown was on offer, and [n, N] bool: all that was."""
    offered = world.public_catalog.on_offer(batch.observation["hour"])
    if "candidates" in batch.observation:
        named = np.zeros((len(batch), 61), np.bool_)
        np.put_along_axis(named, batch.observation["candidates"], True, axis=1)
        np.testing.assert_array_equal(named[:, :60] & ~offered, False)
        offered = named[:, :60]
    return np.take_along_axis(offered, batch.action, axis=1), offered


@pytest.mark.parametrize("sections", [{}, RETURNS, CANDIDATES, RETURNS | CANDIDATES], ids=str)
@pytest.mark.parametrize("slate_size", [1, 4])
def test_every_agent_shows_what_is_on_offer(policies, slate_size, sections):
    world = dated_world(slate_size, **sections)
    for policy in policies[slate_size]:
        rows = hours = 0
        for batch in decisions(world, policy):
            shown, offered = on_offer(world, batch)
            enough = offered.sum(axis=1) >= slate_size
            assert shown[enough].all(), policy.name
            assert (batch.propensity > 0).all()
            assert (batch.propensity <= 1 + 1e-12).all()
            rows, hours = rows + enough.sum(), max(hours, len(np.unique(batch.observation["hour"])))
        assert rows > 100
        assert hours > 20


def observation_of(world, count=50):
    states = world.empty_states(count)
    rows = np.arange(count)
    arrays = world.reset(3, states, rows, rows, np.zeros(count, np.int64))
    return arrays.visible(60)


def acting_by(agent, how):
    other = Reinforce(dataclasses.replace(agent.config, acting=how))
    other.spec, other.network = agent.spec, agent.network
    return other


@pytest.mark.parametrize("sections", [{}, CANDIDATES], ids=["dated", "two-stage"])
def test_scores_of_learned_agents_decide_among_the_choices(policies, sections):
    world = dated_world(1, **sections)
    observation = observation_of(world)
    sqn, ips, sampled, dqn = policies[1][3:]
    tensors = {key: torch.from_numpy(value) for key, value in observation.items()}
    with torch.no_grad():
        table = {
            sqn: sqn.network[0].scores(tensors, "ce"),
            ips: ips.network(tensors)[0],
            dqn: dqn.policy.q_net(
                dqn.policy.obs_to_tensor({key: observation[key] for key in dqn.spec.observation_space()})[0]
            ),
        }
        logits = sampled.network(tensors)[0].double().numpy()
    offered = world.public_catalog.on_offer(observation["hour"])
    for agent, scores in table.items():
        score = np.where(offered, scores.numpy(), -np.inf)
        if "candidates" in observation:
            score = np.column_stack([score, np.full(50, -np.inf)])
            score = np.take_along_axis(score, observation["candidates"], axis=1)
        decision = agent.act(observation, np.random.default_rng(0))
        assert decision.action.tolist() == score.argmax(axis=1).tolist(), agent.name
        assert (decision.propensity == 1).all()
    prob = np.where(offered, np.exp(logits), 0.0)
    if "candidates" in observation:
        prob = np.take_along_axis(np.column_stack([prob, np.zeros(50)]), observation["candidates"], axis=1)
    prob /= prob.sum(axis=1, keepdims=True)
    action, propensity = sampled.act(observation, np.random.default_rng(0))
    np.testing.assert_allclose(propensity, prob[np.arange(50), action], rtol=1e-5)


@pytest.mark.parametrize("sections", [{}, CANDIDATES], ids=["dated", "two-stage"])
def test_sampled_slates_state_their_propensity(policies, sections):
    world = dated_world(4, **sections)
    observation = observation_of(world)
    agent = policies[4][5]
    with torch.no_grad():
        logits = agent.network({key: torch.from_numpy(value) for key, value in observation.items()})[0]
    choices = choices_in(observation, 60, agent.item_tables()[0].dates, 4)
    slates, propensity = agent.act(observation, np.random.default_rng(0))
    items = np.take_along_axis(observation["candidates"], slates, axis=1) if choices.numbered else slates
    for row in np.flatnonzero(choices.count >= 4):
        offered = choices.items[choices.row[row]][choices.available[choices.row[row]]]
        weight = {item: np.exp(float(logits[row, item])) for item in offered}
        expected, left = 1.0, sum(weight.values())
        for item in items[row]:
            expected *= weight[item] / left
            left -= weight[item]
        assert propensity[row] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("slate_size", [1, 4])
def test_dates_travel_with_a_saved_agent(tmp_path, policies, slate_size):
    world = dated_world(slate_size)
    observation = observation_of(world)
    for place, agent in enumerate(policies[slate_size]):
        agent.save(tmp_path / str(place))
        loaded = type(agent).load(tmp_path / str(place))
        before, after = (one.act(observation, np.random.default_rng(0)) for one in (agent, loaded))
        np.testing.assert_array_equal(before.action, after.action, err_msg=agent.name)
        np.testing.assert_array_equal(before.propensity, after.propensity, err_msg=agent.name)
        if hasattr(loaded, "check_catalog"):
            loaded.check_catalog(world.public_catalog)
            with pytest.raises(ValueError, match="fingerprint"):
                loaded.check_catalog(small_world(slate_size).public_catalog)


def test_an_agent_of_a_plain_world_acts_on_candidates():
    plain, world = small_world(1), small_world(1, **CANDIDATES)
    agents = [learned("sqn", plain), learned_dqn(plain), RandomPolicy(60), Popular(plain.public_catalog)]
    observation = observation_of(world)
    for agent in agents:
        action = as_slate(agent.act(observation, np.random.default_rng(0)).action)
        assert ((action >= 0) & (action < 14)).all()
        first = as_slate(agent.act(observation_of(plain), np.random.default_rng(0)).action)
        assert first.max() >= 14, "in a plain world it names items"


@pytest.mark.parametrize("sections", [{}, CANDIDATES], ids=["dated", "two-stage"])
def test_the_random_policy_states_its_probabilities_on_what_is_on_offer(sections):
    world = dated_world(1, **sections)
    policy = RandomPolicy(len(world.items), 1, world.public_catalog)
    observation = observation_of(world)
    prob = policy.item_prob(observation)
    np.testing.assert_allclose(prob.sum(axis=1), 1.0)
    chance = policy.act(observation, np.random.default_rng(0)).propensity
    np.testing.assert_allclose(prob.max(axis=1), chance)


def test_items_without_dates_are_always_on_offer():
    world = small_world(1, run={"run_hours": 100.0})
    agent = learned("sqn", world)
    assert agent.spec.has_hour
    assert agent.item_tables()[0].dates is None
    assert len(np.unique(agent.act(observation_of(world), np.random.default_rng(0)).action)) > 1


def test_an_unknown_hour_is_an_error_and_other_hours_are_not(policies):
    world = dated_world(1, **RETURNS)
    observation = observation_of(world)
    assert "hours_away" in observation
    without = {key: value for key, value in observation.items() if key != "hours_away"}
    for agent in policies[1]:
        before = agent.act(observation, np.random.default_rng(0)).action
        assert agent.act(without, np.random.default_rng(0)).action.tolist() == before.tolist()
        with pytest.raises(KeyError, match="'hour' is missing"):
            agent.act({k: v for k, v in without.items() if k != "hour"}, np.random.default_rng(0))


def test_dqn_ignores_hours_that_it_does_not_know():
    agent = learned_dqn(small_world(1))
    observation = observation_of(dated_world(1, **RETURNS))
    known = {key: observation[key] for key in agent.spec.observation_space()}
    assert known.keys() < observation.keys()
    before, after = (agent.act(one, np.random.default_rng(0)).action for one in (known, observation))
    assert before.tolist() == after.tolist()


@pytest.mark.parametrize("name", ["sqn", "ips"])
def test_logs_of_two_stage_worlds_are_refused(name):
    world = small_world(1, **CANDIDATES)
    with pytest.raises(ValueError, match=r"log: comes from a two-stage world of 14 candidates; \w+\.fit"):
        learned(name, world)
    log, catalog = logs(world), world.public_catalog
    spec = dataclasses.replace(spec_of_log(log, catalog), num_candidates=0)
    with pytest.raises(ValueError, match="log: comes from a two-stage world"):
        LEARNERS[name]().fit(log, catalog, seed=0, spec=spec)
    log = dataclasses.replace(logs(small_world(1)), provenance={})
    with pytest.raises(ValueError, match="log: comes from a two-stage world of 7 candidates"):
        LEARNERS[name]().fit(log, catalog, seed=0, spec=dataclasses.replace(spec, num_candidates=7))


def test_dqn_does_not_learn_in_two_stage_worlds():
    with pytest.raises(ValueError, match="env: a two-stage world of 14 candidates; DQN has one Q-value"):
        learned_dqn(small_world(1, **CANDIDATES))


def test_the_spec_of_a_log_knows_its_clock():
    world = dated_world(1, **RETURNS)
    spec = spec_of_log(logs(world), world.public_catalog)
    assert (spec.has_hour, spec.has_hours_away, spec.num_candidates) == (True, True, 0)
    unknown = dataclasses.replace(logs(world), provenance={})
    spec = spec_of_log(unknown, world.public_catalog)
    assert (spec.has_hour, spec.has_hours_away) == (True, False)
    plain = small_world(1)
    spec_of_plain, agent = spec_of_log(logs(plain), plain.public_catalog), SQN(SQNConfig(**SMALL))
    with pytest.raises(ValueError, match="made for a world without hours"):
        agent.fit(logs(world), world.public_catalog, seed=0, spec=spec_of_plain)


def test_targets_take_the_best_item_on_offer(policies):
    agent = policies[1][3]
    world = dated_world(1)
    data = LogTensors.from_log(logs(world), agent.spec)
    main, other = agent.network
    rows = torch.arange(64)
    hour = torch.full((len(data), 1), 30)
    timed = dataclasses.replace(data, next_observation={**data.next_observation, "hour": hour})
    following = gather(data.next_observation, rows)
    with torch.no_grad():
        choose, judge = main.scores(following, "q"), other.scores(following, "q")
    choose[:, torch.from_numpy(~world.public_catalog.on_offer([30])[0])] = -torch.inf
    best = judge.gather(1, choose.argmax(dim=1, keepdim=True))
    expected = data.slot_reward[rows] + 0.5 * data.continues[rows, None] * best
    torch.testing.assert_close(agent._target(main, other, timed, rows), expected)
    assert not torch.allclose(agent._target(main, other, data, rows), expected)
