"""The parts of *long-run* on numbers whose answers are known."""

import numpy as np
import pytest

from agents import AgentSpec, LoggingPolicy, Popular
from benchmarks.experiment import serve_held_out
from benchmarks.experiments.long_run import held_out_log, next_click_accuracy, scorer_of
from benchmarks.experiments.score_long_run import agreement, beyond_myopia, foresight, reward_until
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log

TINY = get_scenario("Tiny-v0")


@pytest.fixture(scope="module")
def world():
    return World(TINY.config)


@pytest.fixture(scope="module")
def log(world):
    return collect_log(TINY.id, LoggingPolicy(world.public_catalog), 600, 1_000)


def test_the_first_decisions_are_those_of_a_shorter_session(world):
    policy, users = Popular(world.public_catalog), world.users(50, 1_000)
    whole = serve_held_out(world, policy, users, 0, 6, lambda fraction: None)
    result = {"cumulative_reward": whole.curves()["cumulative_reward"].tolist(), "metrics": whole.result()}
    for horizon in (1, 3, 6):
        short = serve_held_out(world, policy, users, 0, horizon, lambda fraction: None).result()
        assert reward_until([result], horizon)[0] == pytest.approx(short["reward_per_user"], abs=1e-12)
    assert reward_until([result], 50)[0] == pytest.approx(result["metrics"]["reward_per_user"], abs=1e-12)
    assert reward_until([result], None)[0] == result["metrics"]["reward_per_user"]


def test_held_out_users_are_nobodys_training_users(world):
    learned = collect_log(TINY.id, LoggingPolicy(world.public_catalog), 300, 1_000)
    held_out = held_out_log(world, "Tiny-v0", 300, 120, 1_000)
    assert not set(learned.user_id) & set(held_out.user_id)
    both = collect_log(TINY.id, LoggingPolicy(world.public_catalog), 420, 1_000)
    np.testing.assert_array_equal(np.concatenate([learned.action, held_out.action]), both.action)


def test_accuracy_of_a_fixed_ranking(log):
    """Items in the order of their number: the place of a click is the number of its item."""
    accuracy = next_click_accuracy(
        lambda observation: np.tile(-np.arange(6.0), (len(observation["segment"]), 1)), log, 0
    )
    clicked = log.action[(log.events & 1) > 0]
    assert accuracy["ndcg@10"] == pytest.approx(np.mean(1 / np.log2(clicked + 2)))
    assert accuracy["hr@10"] == 1.0


@pytest.mark.parametrize("agent", ["next-item:epochs=0.5,dim=8", "item-knn", "double-dqn:epochs=0.5,dim=8"])
def test_agents_show_what_they_score_highest(world, log, agent):
    policy = AgentSpec.parse(agent).make().fit(log, world.public_catalog, seed=0)
    rows = np.flatnonzero((log.history_items == 6).all(axis=1))[:20]  # nothing seen: nothing to hide
    observation = log.observation(rows)
    shown = policy.act(observation, np.random.default_rng(0)).action
    np.testing.assert_array_equal(scorer_of(policy, world)(observation).argmax(axis=1), shown)


def results(accuracy, reward):
    """Agents a, b, ... with these accuracies and rewards in both seeds."""
    return {
        chr(97 + place): [{"metrics": {"hr@10": a, "ndcg@10": a, "reward_per_user": r}} for _ in range(2)]
        for place, (a, r) in enumerate(zip(accuracy, reward, strict=True))
    }


@pytest.mark.parametrize(
    ("reward", "kendall", "spearman"),
    [
        ((1, 2, 3, 4), 1.0, 1.0),
        ((4, 3, 2, 1), -1.0, -1.0),
        ((1, 3, 2, 4), 2 / 3, 0.8),
        ((2, 4, 1, 3), 0.0, 0.0),
    ],
)
def test_rank_correlations_by_hand(reward, kendall, spearman):
    rows, findings = agreement("Tiny-v0", results((0.1, 0.2, 0.3, 0.4), reward))
    found = {one["metric"]: one["value"] for one in rows}
    assert found["kendall_ndcg@10"] == pytest.approx(kendall)
    assert found["spearman_hr@10"] == pytest.approx(spearman)
    said = "alike" if kendall > 0 else "the other way round" if kendall < 0 else "not shown to be alike"
    assert f"agents is {said}: " in findings[0].text
    assert findings[0].shown == (kendall != 0)
    assert "The most accurate is d" in findings[0].text


def test_an_accuracy_that_all_agents_share_has_no_correlation():
    assert agreement("Tiny-v0", results((1.0, 1.0, 1.0), (1, 2, 3))) == ([], [])


def test_foresight_that_pays_late_is_found_late():
    generator = np.random.default_rng(0)

    def seeds(early, late):
        luck = np.random.default_rng(1).normal(size=10)
        parts = np.array([[early], [late]]) + luck + 0.05 * generator.normal(size=(2, 10))
        return [
            {"cumulative_reward": [first, last], "metrics": {"reward_per_user": last}}
            for first, last in parts.T
        ]

    agents = {}
    for name in ("sqn:acting_head=q,gamma=", "double-dqn:gamma="):
        agents[f"{name}0.0"] = seeds(1.0, 5.0)
        agents[f"{name}0.9"] = seeds(0.5, 6.0) if name.startswith("double") else seeds(1.0, 5.0)
    rows, (nothing, late) = foresight("Boredom-v0", agents, [0.0, 0.9], [1])
    found = {(one["agent"], one["metric"]): one["value"] for one in rows}
    assert found["double-dqn:gamma=0.9", "reward_first_1_minus_gamma_0"] == pytest.approx(-0.5, abs=0.1)
    assert found["double-dqn:gamma=0.9", "reward_per_user_minus_gamma_0"] == pytest.approx(1.0, abs=0.1)
    assert late.shown
    assert late.text.count("]*") == 2
    assert not nothing.shown
    assert "None is shown" in nothing.text


@pytest.mark.parametrize(("lead", "shown"), [(1.0, True), (-1.0, False)])
def test_foresight_is_held_against_the_best_choices_of_the_moment(lead, shown):
    generator = np.random.default_rng(2)

    def seeds(mean):
        rewards = mean + 0.05 * generator.normal(size=10)
        return [{"metrics": {"reward_per_user": reward}} for reward in rewards]

    agents = {"random": seeds(1.0), "myopic": seeds(5.0)}
    for family in ("sqn:acting_head=q,gamma=", "double-dqn:gamma="):
        agents |= {f"{family}0.0": seeds(3.0), f"{family}0.9": seeds(3.0)}
    agents["double-dqn:gamma=0.9"] = seeds(5.0 + lead)
    rows, (finding,) = beyond_myopia("Boredom-v0", agents, [0.0, 0.9])
    found = {(one["agent"], one["metric"]): one["value"] for one in rows}
    assert found["double-dqn:gamma=0.9", "reward_minus_myopic"] == pytest.approx(lead, abs=0.1)
    assert found["sqn:acting_head=q,gamma=0.0", "reward_minus_myopic"] == pytest.approx(-2, abs=0.1)
    assert finding.shown == shown
    assert ("1 of 4 learners" if shown else "none of 4 learners") in finding.text
    assert "double DQN gamma=0.9" in finding.text
