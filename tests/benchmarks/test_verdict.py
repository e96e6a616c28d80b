"""The score of *verdict* on numbers whose answers are known; and its planning oracle."""

import numpy as np
import pytest
from scipy import stats

from agents import AGENTS
from benchmarks.aggregates import interquartile_mean
from benchmarks.experiments.kinds import agent_looks, kind_look, kind_of
from benchmarks.experiments.normalised import Gap, of_runs
from benchmarks.experiments.paired import Twin, differences, of_twins
from benchmarks.experiments.score_verdict import (
    SHUFFLED,
    SUPERVISED,
    improvement,
    leaders,
    memoryless_findings,
    score_results,
    shuffled_finding,
)
from benchmarks.experiments.verdict import SIZES, SLATES, agents_in, draw, score_planning
from benchmarks.statistics import Interval
from benchmarks.summary import REFERENCES
from recsim_env import SCENARIOS
from tests.benchmarks.test_experiments import SMALL, small_run

GAP = Gap(np.zeros(10), np.full(10, 20.0))
LUCK = np.random.default_rng(0).normal(size=10)


def noise(seed, scale=0.1):
    return scale * np.random.default_rng(seed).normal(size=10)


def test_a_share_is_a_ratio_of_means():
    gap = Gap(np.array([1.0, 3.0]), np.array([2.0, 6.0]))
    share = gap.share(np.array([2.0, 6.0]))
    assert share.mean == (1 + 3) / (2 + 6)
    assert (share.lower, share.upper) == (0.5, 0.5)  # in both seeds it is half of the gap
    assert gap.share(gap.floor).mean == 0
    assert gap.share(gap.floor + gap.above)[:3] == (1, 1, 1)


def test_the_interval_of_a_share_holds_the_truth():
    """Seeds differ in how much there is to earn, and the gap is known from few users."""
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        luck = generator.normal(10, 1, size=5)
        floor = 0.1 * luck + 0.1 * generator.normal(size=5)
        above = luck + generator.normal(size=5)
        share = Gap(floor, above).share(floor + 0.4 * luck + 0.2 * generator.normal(size=5))
        covered += share.lower < 0.4 < share.upper
    # Binomial(400, 0.95): outside 0.92..0.98 has probability under 2%; a ratio's t interval is approximate.
    assert 0.91 <= covered / 400 <= 0.985


def test_a_world_without_a_gap_is_refused():
    results = {name: [{"metrics": {"reward_per_user": 2.0}}] for name in ("random", "myopic")}
    results["planning"] = [{"gain": {"reward_per_user": -0.5}}]
    with pytest.raises(ValueError, match=r"Tiny-v0: expected the planning oracle above random, got -0\.5"):
        Gap.of("Tiny-v0", results)


def test_runs_of_all_worlds_are_normalised_and_cut():
    generator = np.random.default_rng(2)
    gained, above = generator.normal(5, 1, size=(10, 3)), np.full((10, 3), 10.0) * [1, 2, 3]
    value = of_runs(gained, above, interquartile_mean)
    flat = (gained / [10, 20, 30]).ravel()
    assert value.value == pytest.approx(stats.trim_mean(flat, 0.25))
    assert value.lower < value.value < value.upper


def test_a_seed_keeps_its_part_of_the_gap_when_it_is_drawn():
    """Where every seed earns half of its own gap, no resample gives anything but half on average."""
    above = np.random.default_rng(3).uniform(1, 20, size=(6, 1))
    value = of_runs(0.5 * above, above, lambda scores: scores.mean(axis=(-2, -1)))
    assert (value.value, value.lower, value.upper) == pytest.approx((0.5, 0.5, 0.5))


def test_twins_that_did_not_take_part_are_left_out():
    twins = [Twin("a", "b", "x"), Twin("a", "absent", "x")]
    reward = {"a": LUCK + 1 + noise(4), "b": LUCK}
    found = of_twins(twins, reward)
    assert list(found) == twins[:1]
    assert found[twins[0]].shown
    assert "earns more than" in found[twins[0]].verdict
    assert of_twins(twins, {name: values[:1] for name, values in reward.items()}) == {}


def test_differences_are_corrected_for_their_number():
    pairs = [(LUCK + shift + noise(5 + place), LUCK) for place, shift in enumerate((1.0, -1.0, 0.0))]
    up, down, none = differences(pairs)
    assert up.p == down.p == pytest.approx(3 * 2 / 2**10)
    assert (up.verdict, down.verdict) == ("earns more than", "earns less than")
    assert not none.shown
    assert up.row("toy", "Tiny-v0", "a", "m")["p_corrected"] == up.p


def control(shift):
    """Foresight that earns so much where it cannot, and supervision that is beaten for another reason."""
    reward = {
        "sqn": LUCK + shift + noise(8),
        "sqn:gamma=0.0": LUCK,
        "ips": LUCK + 2 + noise(9),
        "next-item": LUCK,
    }
    return memoryless_findings(reward, GAP)


def test_foresight_that_pays_where_it_cannot_is_called_a_failure():
    foresight, supervision = control(1.0)
    assert not foresight.shown
    assert "FAILS: some learners beat their myopic twin" in foresight.text
    assert "(Holm p = 0.002), +4.7% of the gap" in foresight.text  # 2 / 2^10; 1 and its noise, of 20
    assert not supervision.shown
    assert "for other reasons than foresight" in supervision.text


def test_foresight_that_pays_nothing_passes_the_control():
    foresight, _ = control(0.0)
    assert foresight.shown
    assert "none of 1 learners is shown to beat its myopic twin" in foresight.text


@pytest.mark.parametrize(("shift", "passes"), [(0.0, True), (-1.0, True), (1.0, False)])
def test_values_of_shuffled_rewards_must_bring_nothing(shift, passes):
    reward = {SHUFFLED: LUCK + shift + noise(10), SUPERVISED: LUCK}
    (finding,) = shuffled_finding({"Boredom-v0": reward})
    assert finding.shown == passes
    assert ("FAILS in Boredom-v0" in finding.text) != passes


def planted_world(place, earned):
    """Agent -> a result of ten seeds that earn so much, and a planning oracle that gains 2 on the myopic."""

    def seeds(reward):
        metrics = dict.fromkeys(("session_length", "catalog_coverage", "tail_share", "exposure_gini"), 0.5)
        return [{"metrics": metrics | {"reward_per_user": value}} for value in reward]

    world = {
        agent: seeds(LUCK + value + noise(20 + 10 * place + rank))
        for rank, (agent, value) in enumerate(earned.items())
    }
    return world | {"planning": [{"gain": {"reward_per_user": 2.0, "session_length": 1.0}}] * 10}


def test_a_control_in_front_of_the_learners_is_named():
    scores = {
        "random": Interval(0.0, 0.0, 0.0, "t", 5),
        "sqn": Interval(0.2, 0.1, 0.3, "t", 5),
        "ips": Interval(0.3, 0.2, 0.4, "t", 5),
        "sqn:gamma=0.0": Interval(0.25, 0.2, 0.3, "t", 5),
    }
    assert leaders(scores, 1) == "IPS 30% [20, 40]"
    assert (
        leaders(scores, 2)
        == "IPS 30% [20, 40]; SQN 20% [10, 30] (and, a control, by SQN gamma=0.0 25% [20, 30])"
    )


def test_a_chance_that_no_resample_changes_is_not_shown_unless_every_run_wins():
    twin, worlds = Twin("sqn", "sqn:gamma=0.0", "foresight"), ["one", "two"]
    won, lost = (
        {"sqn": np.arange(2.0, 5.0), twin.control: np.zeros(3)},
        {"sqn": np.zeros(3), twin.control: np.ones(3)},
    )
    _, divided = improvement(twin, worlds, {"one": won, "two": lost})
    _, agreed = improvement(twin, worlds, {"one": won, "two": won})
    assert (divided.shown, agreed.shown) == (False, True)
    assert divided.text.endswith("with probability 0.50: the seeds of each world agree, the worlds do not.")


def test_the_whole_score_on_planted_results():
    earned = {"random": 0.0, "myopic": 8.0, "sqn": 6.0, "sqn:gamma=0.0": 4.0}
    worlds = ("Boredom-v0", "Storefront-v0", "Memoryless-v0")
    score = score_results({world: planted_world(place, earned) for place, world in enumerate(worlds)})
    found = {(one["scenario"], one["agent"], one["metric"]): one["value"] for one in score.rows}
    assert found["Boredom-v0", "sqn", "normalised_score"] == pytest.approx(0.6, abs=0.02)
    assert found["Boredom-v0", "planning", "normalised_score"] == 1
    assert found["Boredom-v0", "planning", "session_length"] == 1.5
    assert found["all", "sqn", "normalised_iqm"] == pytest.approx(0.6, abs=0.05)
    assert found["all", "sqn", "improvement_prob_over_sqn:gamma=0.0"] > 0.9
    texts = [finding.text for finding in score.findings]
    assert "FAILS" in texts[0]
    assert any(text.startswith("Boredom-v0, foresight: SQN earns more than SQN gamma=0.0") for text in texts)
    assert not any(text.startswith("Memoryless-v0, foresight") for text in texts)


def test_worlds_of_other_agents_stand_beside_the_common_ones(tmp_path):
    """Slates have learners of their own, and none that recommends single items."""
    common = {"random": 0.0, "myopic": 8.0, "dqn": 5.0}
    worlds = {
        "Storefront-v0": planted_world(0, common),
        "Boredom-v0": planted_world(1, common),
        "StorefrontSlate-v0": planted_world(2, {"random": 0.0, "myopic": 8.0, "slateq": 6.0, SLATES[0]: 4.0}),
    }
    found = score_results(worlds)
    scores = [row for row in found.rows if row["metric"].startswith("normalised")]
    assert {row["scenario"] for row in scores if row["agent"] == "dqn"} == {
        "all",
        "Storefront-v0",
        "Boredom-v0",
    }
    assert {row["scenario"] for row in scores if row["agent"] == "slateq"} == {"StorefrontSlate-v0"}
    draw({"settings": {"scenarios": list(worlds)}, "rows": found.rows, "curves": found.curves}, tmp_path)
    assert {path.stem for path in tmp_path.glob("*.svg")} >= {"verdict_scores", "verdict_exposure"}


def test_who_takes_part_where():
    size = SIZES["full"]
    single, slates, two_stage = (
        agents_in(size, scenario) for scenario in ("Storefront-v0", "StorefrontSlate-v0", "TwoStage-v0")
    )
    assert single == size["agents"]
    gone = [agent for agent in single if agent not in slates]
    assert {agent.partition(":")[0] for agent in gone} == {"dqn", "bootstrapped"}
    assert slates == [agent for agent in single if agent not in gone] + SLATES
    assert two_stage == [*REFERENCES, "linucb", "sknn", "reward-rates", "lints"]


def test_full_is_all_agents_in_all_worlds():
    assert {agent for agent in SIZES["full"]["agents"] if ":" not in agent} == set(AGENTS)
    assert set(SIZES["full"]["scenarios"]) == set(SCENARIOS)


def test_every_size_has_what_its_score_needs():
    for size in SIZES.values():
        assert {"random", "myopic", SHUFFLED, SUPERVISED} <= set(size["agents"])
        assert "Memoryless-v0" in size["scenarios"]
        assert size["planning_users"] <= size["num_users"]


def test_every_agent_has_a_look_of_its_own_and_its_kind():
    plain = [agent for agent in SIZES["full"]["agents"] if ":" not in agent]
    looks = agent_looks(plain)
    assert list(looks) == plain
    assert len({(look.marker, str(look.dash)) for look in looks.values()}) == len(plain)
    assert len({look.colour for look in looks.values()}) == len(plain)
    for name, kind in AGENTS.items():
        assert bool(kind_of(name)) == (hasattr(kind, "fit") or hasattr(kind, "learn")), name
    assert looks["sqn"].dash == looks["sa2c"].dash == kind_look("sqn:gamma=0.0").dash


@pytest.mark.slow
def test_worlds_of_every_kind_have_a_verdict(tmp_path, monkeypatch):
    """Those of slates, of candidates, of returning users and of dated items, whose agents differ."""
    worlds = ["Tiny-v0", "StorefrontSlate-v0", "Lifetime-v0", "FreshCatalog-v0", "TwoStage-v0"]
    agents = [*REFERENCES, "next-item", "slateq", "dqn", "linucb"]
    few = {
        "log_decisions": 300,
        "online_decisions": 300,
        "num_users": 40,
        "planning_users": 2,
        "num_seeds": 1,
    }
    everywhere = {"agents": agents, "scenarios": worlds}
    monkeypatch.setitem(SMALL, "verdict", SMALL["verdict"] | few | everywhere)
    rows = small_run("verdict", tmp_path)["rows"]
    scores = {(row["scenario"], row["agent"]) for row in rows if row["metric"] == "normalised_score"}
    for scenario in worlds:
        asked = agents_in(SMALL["verdict"], scenario)
        assert {agent for where, agent in scores if where == scenario} == {*asked, "planning"}
    assert {row["scenario"] for row in rows if row["metric"] == "churn_rate"} == {"Lifetime-v0"}


@pytest.mark.slow
def test_looking_ahead_gains_nothing_where_nothing_matters_later():
    gain = score_planning("Memoryless-v0", 1_000, 3, 10, lambda fraction: None)["gain"]
    assert gain == {"reward_per_user": 0.0, "session_length": 0.0}


def test_looking_ahead_gains_where_it_matters_and_repeats():
    once, again = (score_planning("Tiny-v0", 1_000, 20, 40, lambda fraction: None) for _ in range(2))
    assert once == again
    assert once["gain"]["reward_per_user"] > 0
