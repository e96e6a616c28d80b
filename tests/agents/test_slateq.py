"""SlateQ: the decomposition against enumeration of a small world, its targets, and what it refuses."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from agents import Acting, ActingConfig, RandomPolicy, SlateQ, SlateQConfig
from agents.learning.batches import LogTensors, gather
from agents.value.slate_choice import best_slates
from recsim_env import World, WorldConfig
from recsim_env.event_log import collect_log
from recsim_env.records import NO_EVENT, Event
from recsim_env.truth import advance, item_truth, slate_truth
from tests.small_worlds import fresh_states, small_world

SMALL = {"dim": 8, "epochs": 0.5}
NUM_ITEMS, NUM_SLOTS, HORIZON = 6, 4, 2


@pytest.fixture(scope="module")
def clicks_decide():
    """Slates of 4 from 6 items, shown to users whom nothing changes but what they click."""
    return small_world(
        NUM_SLOTS,
        catalog={"num_items": NUM_ITEMS},
        preferences={
            "satiation_shown": 0.0,
            "satiation_consumed": 0.5,
            "pull_click": 0.1,
            "pull_like": 0.1,
            "pull_purchase": 0.1,
            "drift_scale": 0.0,
            "satisfaction_weight": 6.0,
        },
        session={"patience_scale": 1e6, "step_cost": 1e-3, "refund": 0.0},
    )


def after_each_option(world, states):
    """[7][B]: the states after a click on each item, and after none."""
    slates = (np.arange(NUM_ITEMS)[:, None] + np.arange(NUM_SLOTS)) % NUM_ITEMS
    reached = []
    for item in range(NUM_ITEMS):
        slate = np.repeat(slates[item : item + 1], len(states), axis=0)
        events = np.full(slate.shape, NO_EVENT, np.uint8)
        events[:, 0] = int(Event.CLICK)
        reached.append(advance(world, states, slate, events))
    none = np.full((len(states), NUM_SLOTS), NO_EVENT, np.uint8)
    return [*reached, advance(world, states, np.repeat(slates[:1], len(states), axis=0), none)]


def enumerated_values(world, states, steps):
    """[B] optimal expected reward over all ordered slates, by the simulator's own probabilities."""
    if steps == 0:
        return np.zeros(len(states))
    following = [enumerated_values(world, reached, steps - 1) for reached in after_each_option(world, states)]
    best = np.full(len(states), -np.inf)
    for slate in itertools.permutations(range(NUM_ITEMS), NUM_SLOTS):
        known = slate_truth(world, states, np.repeat([slate], len(states), axis=0))
        click = known.click_prob.astype(np.float64)
        to_go = sum(click[:, k] * following[item] for k, item in enumerate(slate))
        to_go = to_go + (1 - click.sum(axis=1)) * following[-1]
        best = np.maximum(best, known.expected_reward + to_go)
    return best


def decomposed_values(world, states, steps):
    """[B] the same from values of clicks alone, q(s, i) = value of the click + V(s'), and the best slates."""
    if steps == 0:
        return np.zeros(len(states))
    following = [decomposed_values(world, reached, steps - 1) for reached in after_each_option(world, states)]
    truth = item_truth(world, states)
    weight = torch.from_numpy(np.exp(truth.utility.astype(np.float64)))
    q = torch.from_numpy(truth.value_of_click + np.stack(following[:-1], axis=1))
    examination = torch.arange(1, NUM_SLOTS + 1, dtype=torch.float64) ** -0.66
    return best_slates(weight, q, torch.from_numpy(following[-1]), examination)[1].numpy()


def test_the_decomposition_is_exact_where_only_clicks_matter(clicks_decide):
    states, _ = fresh_states(clicks_decide, np.arange(4))
    enumerated = enumerated_values(clicks_decide, states, HORIZON)
    decomposed = decomposed_values(clicks_decide, states, HORIZON)
    np.testing.assert_allclose(decomposed, enumerated, rtol=1e-4)
    myopic = enumerated_values(clicks_decide, states, 1)
    assert (enumerated > myopic).all()


@pytest.fixture(scope="module")
def fitted(world, log):
    return SlateQ(SlateQConfig(**SMALL)).fit(log, world.public_catalog, seed=0)


def best_single(network, observation):
    """max over items of (w q + q_none) / (1 + w), written out."""
    utility, q, q_none = network(observation)
    weight = utility.double().exp()
    return ((weight * q + q_none[:, None]) / (1 + weight)).max(1).values


@pytest.mark.parametrize("episodic", [False, True])
def test_targets(world, log, episodic):
    """Reward + 0.8 max_A Q of the target network, and none where the user left or the horizon ends."""
    agent = SlateQ(SlateQConfig(**SMALL, gamma=0.8, episodic=episodic))
    agent.fit(log, world.public_catalog, seed=0)
    data, rows = LogTensors.from_log(log, agent.spec), torch.arange(200)
    target = agent._target_value(data, rows)
    with torch.no_grad():
        future = best_single(agent._target, gather(data.next_observation, rows))
    over = log.terminated | log.truncated if episodic else log.terminated
    expected = log.reward[:200] + 0.8 * ~over[:200] * future.numpy()
    np.testing.assert_allclose(target, expected, rtol=1e-4, atol=1e-5)
    assert (log.truncated | log.terminated)[:200].any()


def test_targets_of_what_the_log_shows_next(world, log):
    """Reward + 0.8 Q of the target network for the next slate: a click on it with the logit's probability."""
    agent = SlateQ(SlateQConfig(**SMALL, gamma=0.8, bootstrap="logged"))
    agent.fit(log, world.public_catalog, seed=0)
    data, rows = LogTensors.from_log(log, agent.spec), torch.arange(200)
    with torch.no_grad():
        utility, q, q_none = agent._target(gather(data.next_observation, rows))
    shown = np.append(log.action[1:200, 0], 0)
    weight = np.exp(utility.double().numpy()[np.arange(200), shown])
    click = weight / (1 + weight)
    worth = click * q.numpy()[np.arange(200), shown] + (1 - click) * q_none.numpy()
    inside = ~data.last.numpy()[:199]
    expected = log.reward[:199] + 0.8 * inside * worth[:199]
    np.testing.assert_allclose(agent._target_value(data, rows)[:199], expected, rtol=1e-4, atol=1e-5)
    assert not inside.all()


def test_a_copy_into_the_target_network_comes_on_time(world, log):
    agent = SlateQ(SlateQConfig(dim=8, batch_size=100, epochs=7 / (len(log) / 100), target_interval=3))
    seen = []
    inner = agent.update

    def update(data, rows, done, generator):
        metrics = inner(data, rows, done, generator)
        gap = agent.network.none.weight - agent._target.none.weight
        seen.append(float(gap.detach().abs().max()))
        return metrics

    agent.update = update
    agent.fit(log, world.public_catalog, seed=0)
    assert len(seen) == 7
    # The gap grows for three updates, then a copy closes all but the last step of it.
    assert seen[3] < seen[2]
    assert seen[6] < seen[5]


@pytest.mark.parametrize("choice", ["learned", "popularity"])
def test_both_choice_models_learn_which_items_are_clicked(world, log, choice):
    """The loss of the last minibatches is about that of the constant click rate, or below."""
    losses = []
    config = SlateQConfig(dim=8, epochs=5, batch_size=128, gamma=0.0, choice=choice)
    SlateQ(config).fit(
        log,
        world.public_catalog,
        seed=0,
        progress=lambda step, total, metrics: losses.append(metrics["choice"]),
    )
    rate = (log.events & 1).mean()
    constant = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    assert np.mean(losses[-2:]) < constant + 0.02


@pytest.fixture(scope="module")
def ranked_world():
    """Slates of 10, of which one item is clicked, or none; lower places are looked at less."""
    return World(WorldConfig().replace(catalog={"num_items": 60}, slate_size=10, choice={"model": "logit"}))


@pytest.fixture(scope="module")
def ranked_log(ranked_world):
    catalog = ranked_world.public_catalog
    return collect_log(ranked_world, RandomPolicy(60, 10, catalog), 6_000, seed=1, max_steps=20)


def test_losses_of_slates_by_hand(ranked_world, ranked_log):
    """P(k) = w_k exp(u_k) / (1 + sum_j w_j exp(u_j)), w_k = k^-a; Q of a slate is the mean of q under P."""
    agent = SlateQ(SlateQConfig(**SMALL, gamma=0.8, bootstrap="logged", target_interval=1_000))
    agent.fit(ranked_log, ranked_world.public_catalog, seed=0)
    with torch.no_grad():
        agent.network.position.fill_(0.5)
        agent._target.position.fill_(-0.5)
    data, rows = LogTensors.from_log(ranked_log, agent.spec), torch.arange(200)

    def probabilities(network, observation, items):
        with torch.no_grad():
            utility, q, q_none = (part.double().numpy() for part in network(observation, items))
            exponent = math.log1p(math.exp(network.position.item()))
        weight = np.arange(1, 11) ** -exponent * np.exp(utility)
        weight = np.concatenate([weight, np.ones((len(weight), 1))], axis=1)
        return weight / weight.sum(axis=1, keepdims=True), np.column_stack([q, q_none])

    chance, value = probabilities(agent.network, gather(data.observation, rows), data.item[rows])
    later, worth = probabilities(agent._target, gather(data.next_observation, rows), data.item[rows + 1])
    ahead = 0.8 * ~data.last[rows].numpy() * (later * worth).sum(axis=1)
    clicked = data.clicked[rows].numpy()
    option = np.where(clicked.any(axis=1), clicked.argmax(axis=1), 10)
    chosen = value[np.arange(200), option]
    error = chosen - (ranked_log.reward[:200] + ahead)
    agent._num_updates = 1
    agent.descend = lambda optimizer, module, loss: None
    metrics = agent.update(data, rows, 0.0, torch.Generator())
    assert metrics["choice"].item() == pytest.approx(-np.log(chance[np.arange(200), option]).mean(), rel=1e-4)
    assert metrics["td"].item() == pytest.approx((error**2).mean() / 2, rel=1e-4)
    assert metrics["value"].item() == pytest.approx(chosen.mean(), rel=1e-4)
    assert len(set(option.tolist())) > 5


def test_how_far_down_users_look_is_learned(ranked_world, ranked_log):
    """The exponent of the simulator's examination, from clicks alone."""
    agent = SlateQ(SlateQConfig(dim=8, epochs=6, batch_size=128, learning_rate=0.01, gamma=0.0))
    agent.fit(ranked_log, ranked_world.public_catalog, seed=0)
    learned = math.log1p(math.exp(agent.network.position.item()))
    assert learned == pytest.approx(ranked_world.config.choice.position_exponent, abs=0.15)


def test_logs_with_several_clicks_are_refused(slate_world, slate_log):
    with pytest.raises(ValueError, match=r"log: row \d+ has [2-9] clicks; SlateQ expects at most one"):
        SlateQ(SlateQConfig(**SMALL)).fit(slate_log, slate_world.public_catalog, seed=0)


@pytest.mark.parametrize("search", ["exact", "greedy", "top-k"])
def test_round_trip_is_bit_exact(tmp_path, fitted, observation, search):
    fitted.config = SlateQConfig(**SMALL, search=search)
    fitted.save(tmp_path / "agent")
    loaded = SlateQ.load(tmp_path / "agent")
    assert loaded.config == fitted.config
    first, again = (agent.act(observation, np.random.default_rng(0)) for agent in (fitted, loaded))
    np.testing.assert_array_equal(first.action, again.action)
    assert first.propensity.tolist() == [1.0] * 50


def test_the_rules_act_on_its_scores(fitted, observation):
    fitted.config = SlateQConfig(**SMALL)
    own, ruled = (one.act(observation, np.random.default_rng(0)) for one in (fitted, Acting(fitted)))
    np.testing.assert_array_equal(own.action, ruled.action)
    action, propensity = Acting(fitted, ActingConfig("epsilon", 0.5)).act(
        observation, np.random.default_rng(0)
    )
    np.testing.assert_allclose(propensity, 0.5 * (action == own.action) + 0.5 / 60)


def test_observations_of_another_scenario_are_refused(fitted, slate_observation):
    with pytest.raises(ValueError, match=r"last_slate.*expected shape \[B, 1\], got \[50, 10\]"):
        fitted.act(slate_observation, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": 1.0}, r"gamma: expected in \[0, 1\), or 1 where episodic, got 1.0"),
        ({"choice": "uniform"}, "choice: expected 'learned' or 'popularity'"),
        ({"search": "lp"}, "search: expected one of exact, greedy, top-k"),
        ({"target_interval": 0}, "target_interval: expected at least 1"),
        ({"bootstrap": "mean"}, "bootstrap: expected 'max' or 'logged', got 'mean'"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SlateQConfig(**changes)


def test_after_a_copy_the_level_is_that_of_the_targets(world, log):
    """The mean TD error of the minibatch is 0 before the gradient step that follows a copy."""
    agent = SlateQ(SlateQConfig(dim=8, batch_size=100, epochs=2 / (len(log) / 100), target_interval=1))
    agent.fit(log, world.public_catalog, seed=0)
    data, rows = LogTensors.from_log(log, agent.spec), torch.arange(100)
    before = agent.network.none.bias.item()
    with torch.no_grad():
        _, q, q_none = agent.network(gather(data.observation, rows), data.item[rows])
        agent._target.load_state_dict(agent.network.state_dict())
        target = agent._target_value(data, rows)
    chosen = torch.where(data.clicked[rows, 0], q[:, 0], q_none)
    agent.descend = lambda optimizer, module, loss: None
    agent.update(data, rows, 0.0, torch.Generator())
    moved = agent.network.none.bias.item() - before
    assert moved == pytest.approx((target - chosen).mean().item(), abs=1e-5)
