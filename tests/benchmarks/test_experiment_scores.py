"""What experiments conclude, from values made up for the purpose."""

from dataclasses import replace

import numpy as np
import pytest

from agents import MyopicOracle, RandomPolicy
from agents.presets import KNOWN_OPTIMUM
from benchmarks.experiment import HELD_OUT_SEED
from benchmarks.experiments import controls, planted, reward_design, same_agent, score_reward_design
from recsim_env.truth import myopic_reward

FIRST_SEED = 1_000


def designed(moves):
    """Arm and reward -> ten seeds of a first decision; `moves`: by how much a reward moves an amount."""
    luck = np.random.default_rng(1).normal(scale=0.01, size=(10, 3))
    results = {}
    arms = ("ips", "sqn, Q head", "sqn", "myopic", *score_reward_design.SHUFFLED)
    for place, arm in enumerate(arms):
        for rank, reward in enumerate(reward_design.REWARDS):
            noise = np.random.default_rng([place, rank]).normal(scale=0.001, size=(10, 3))
            moved = [moves.get((arm, reward, name), 0.0) for name in ("clicks", "purchases", "revenue")]
            first = luck + noise + 0.5 + np.array(moved)
            results[arm, reward] = [
                {
                    "first": dict(zip(("clicks", "purchases", "revenue"), one.tolist(), strict=True))
                    | {"price": 1.0},
                    "metrics": {metric: float(one[0]) for metric in score_reward_design.METRICS[4:]},
                }
                for one in first
            ]
    return score_reward_design.score_results({"PriceTiers-v0": results}, list(reward_design.REWARDS), ())


def finding(score, *words):
    (found,) = (one for one in score.findings if all(word in one.text for word in words))
    return found


def test_what_a_reward_asks_for_may_come_or_its_opposite_or_nothing():
    score = designed(
        {
            ("ips", "clicks only", "clicks"): 0.1,
            ("ips", "purchases only", "purchases"): -0.1,
            ("sqn, Q head", "clicks + purchases", "purchases"): 0.05,
            ("sqn, Q head", "purchases only", "purchases"): 0.1,
        }
    )
    above = finding(score, "IPS, first decision", "expected clicks")
    assert above.shown
    assert "'clicks only' is above those when paid for 'purchases only' (meant to be above)" in above.text
    opposite = finding(score, "IPS, first decision", "expected purchases when")
    assert opposite.shown  # it is found, though not meant
    assert "is below" in opposite.text
    assert not finding(score, "IPS, first decision", "'revenue only'").shown
    assert finding(score, "SQN, Q head", "rank correlation").shown
    rows = {(row["agent"], row["metric"]): row for row in score.rows}
    moved = rows["ips, clicks only", "first_clicks_minus_purchases only"]
    assert moved["value"] == pytest.approx(0.1, abs=0.002)
    assert moved["p_corrected"] == pytest.approx(10 * 2 / 2**10)  # of ten claims of two agents


def test_shuffled_rewards_must_not_move_anything():
    assert finding(designed({}), "Negative control").shown
    broken = finding(designed({(score_reward_design.SHUFFLED[0], "clicks only", "clicks"): 0.1}), "Negative")
    assert not broken.shown
    assert "FAILS: it moves" in broken.text


@pytest.mark.parametrize("reward", reward_design.REWARDS)
def test_rewards_are_of_one_size_and_keep_their_proportions(reward):
    """In cheap worlds and in dear ones, where a purchase counts its price."""
    for scenario in reward_design.SCENARIOS:
        world = reward_design.rewarding_world(scenario, reward)
        log = reward_design.logged(world, scenario, 5_000, 1_001)
        assert np.std(log.reward) == pytest.approx(1.0, rel=0.15)
        weights, own = reward_design.REWARDS[reward], world.config.reward
        assert own.click * weights["purchase"] == pytest.approx(own.purchase * weights["click"])


def test_first_decisions_are_told_by_exact_probabilities():
    """Of the myopic oracle's choice, whose expected reward is the best there is."""
    world = reward_design.rewarding_world("PriceTiers-v0", "clicks + purchases")
    users, reward = world.users(50), world.config.reward
    found = reward_design.first_decision(world, MyopicOracle(world), users, 0)
    states = world.empty_states(50)
    world.reset(HELD_OUT_SEED, states, np.arange(50), users, np.zeros(50, np.int64))
    earned = reward.click * found["clicks"] + reward.purchase * found["purchases"]
    assert earned == pytest.approx(myopic_reward(world, states).mean(), rel=1e-5)
    random = RandomPolicy(len(world.items))
    assert reward_design.first_decision(world, random, users, 0)["clicks"] < found["clicks"]


def test_logs_that_differ_in_more_than_the_reward_are_refused():
    size = {**reward_design.SIZES["quick"], "agents": ["ips"], "controls": []}
    arm = {"first": dict.fromkeys(("clicks", "purchases", "revenue", "price"), 1.0), "metrics": {}}
    digests = iter("abcdefghijk")
    with pytest.raises(ValueError, match="PriceTiers-v0, seed 3: expected one log under all rewards"):
        reward_design.score(lambda name: {"log": next(digests), "arms": {"ips": arm}}, size, [3])


def control_values(**changes):
    """Arm -> rewards of ten seeds in which every learner of Memoryless equals its control but for noise."""
    generator = np.random.default_rng(5)
    luck = generator.normal(20, 1, size=10)
    names = {name for pair in controls.CASES["Memoryless-v0"].comparisons for name in pair}
    values = {name: luck + generator.normal(scale=0.1, size=10) for name in sorted(names)}
    return {**values, controls.OPTIMUM: luck + 5, **{name: luck + by for name, by in changes.items()}}


def test_where_nothing_carries_over_winning_is_what_should_not_be_found():
    findings, rows = controls.compared("Memoryless-v0", control_values())
    assert all(finding.shown for finding in findings)
    assert all("is not shown to differ" in finding.text for finding in findings)
    findings, _ = controls.compared("Memoryless-v0", control_values(ips=2.0))
    assert next(finding.text for finding in findings if not finding.shown).startswith(
        f"Memoryless-v0: ips ({22 / 25:.0%} of the optimum) earns more than ips, gamma 0"
    )
    assert rows[0]["share_of_optimum"] == pytest.approx(20 / 25, abs=0.01)


def test_presets_their_twins_and_the_optimum_serve_the_same_users(monkeypatch):
    """Short trainings: what is learned is the business of `tests/agents/test_known_optimum.py`."""
    preset = KNOWN_OPTIMUM["sqn-tiny"]
    short = replace(preset, num_decisions=800, config=replace(preset.config, epochs=1.0, batch_size=100))
    monkeypatch.setitem(KNOWN_OPTIMUM, "sqn-tiny", short)
    found = {}
    for training in ("sqn, Q head", "sqn, Q head, gamma 0", controls.NEXT_ITEM, controls.REFERENCE):
        found |= controls.score_training("Tiny-v0", training, 0, FIRST_SEED, 200, lambda done: None)
    learned = ["sqn, Q head", "sqn, Q head, gamma 0", controls.NEXT_ITEM]
    assert list(found) == [*learned, controls.RANDOM, controls.LOGGING, controls.OPTIMUM]
    assert all(0 < found[name] < found[controls.OPTIMUM] for name in (*learned, controls.RANDOM))
    assert len({found[name] for name in learned}) == 3


def test_every_comparison_is_between_arms_that_are_trained():
    for scenario, case in controls.CASES.items():
        arms = {name + ending for name, one in case.trainings.items() for ending in one.heads or [""]}
        assert {name for pair in case.comparisons for name in pair} <= arms | {controls.LOGGING}, scenario


def test_the_rule_declares_what_differs_and_not_what_does_not():
    generator = np.random.default_rng(2)
    declared = [
        same_agent.declared_different(generator.normal(size=10), generator.normal(size=10))
        for _ in range(300)
    ]
    # Binomial(300, 0.05): more than 30 has probability under 2e-4.
    assert np.mean(declared) <= 0.1
    luck = generator.normal(size=10)
    assert same_agent.declared_different(luck + 1, luck + 0.1 * generator.normal(size=10))


@pytest.mark.parametrize(
    ("different", "shown", "says"),
    [(1, True, "at most"), (7, False, "does not leave that out"), (30, False, "MORE than")],
)
def test_a_false_alarm_rate_is_judged_with_its_interval(different, shown, says):
    """Of 100 repetitions: 7 are no evidence against 5% (p = 0.2), 30 are."""
    luck = np.random.default_rng(8).normal(size=(100, 8))
    other = luck + np.where(np.arange(100)[:, None] < different, 1.0 + 0.1 * luck, 0.0)
    parts = iter(np.split(np.stack([luck, other]), [13 * part for part in range(1, 8)], axis=1))
    found = same_agent.score(
        lambda name: dict(zip(("first", "second"), next(parts), strict=True)),
        same_agent.SIZES["standard"],
        [0],
    )
    assert found.rows[0]["value"] == different / 100
    assert (found.findings[0].shown, says in found.findings[0].text) == (shown, True)
    assert ("MORE than" in found.findings[0].text) != shown


def test_users_needed_by_closed_form_and_by_simulation():
    generator = np.random.default_rng(3)
    luck = generator.normal(size=100_000)
    base, improved = luck, luck + 0.1 + 0.5 * generator.normal(size=100_000)
    assert planted.users_needed(base, improved, paired=True) == pytest.approx(7.849 * 0.25 / 0.01, rel=0.05)
    assert planted.users_needed(base, improved, paired=False) == pytest.approx(7.849 * 2.25 / 0.01, rel=0.05)
    found = [planted.detected(base, improved, 196, True, generator) for _ in range(300)]
    # Binomial(300, 0.8): outside 0.7..0.9 has probability under 1e-4.
    assert 0.7 <= np.mean(found) <= 0.9


def test_power_is_reported_where_it_is_first_enough():
    assert planted.until_seen([(1, 0.5), (2, 0.9), (3, 1.0)]) == [(1, 0.5), (2, 0.9)]
    assert planted.until_seen([(1, 0.5), (2, 0.6)]) == [(1, 0.5), (2, 0.6)]


def test_the_relative_gain_and_its_interval():
    generator = np.random.default_rng(4)
    base = generator.normal(10, 1, size=10_000)
    gain = planted.relative(base, base * 1.02 + 0.1 * generator.normal(size=10_000))
    assert gain.lower < 0.02 < gain.upper
    assert gain.upper - gain.lower < 0.001
