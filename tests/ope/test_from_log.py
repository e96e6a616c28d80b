"""A policy's probabilities of what was logged, by hand and against what the policies themselves draw."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agents import SQN, LoggingConfig, LoggingPolicy, MyopicOracle, Popular, RandomPolicy, SQNConfig
from recsim_env import Decision, World, get_scenario, ope
from recsim_env.event_log import COLUMNS, EventLog, collect_log

TINY = World(get_scenario("Tiny-v0").config)
N = 6
SLATES = World(
    get_scenario("StorefrontSlate-v0").config.replace(
        catalog={"num_items": 8}, slate_size=3, reward={"price_exponent": 0.5}
    )
)
TARGET = LoggingConfig(epsilon=0.4, topic_weight=3.0)


@pytest.fixture(scope="module")
def log():
    return collect_log(TINY, LoggingPolicy(TINY.public_catalog), 600, seed=1, max_steps=6)


@pytest.fixture(scope="module")
def slate_log():
    return collect_log(SLATES, LoggingPolicy(SLATES.public_catalog, 3), 300, seed=1, max_steps=2)


def test_a_policy_states_the_propensities_of_its_own_log(log, slate_log):
    own = ope.policy_on_log(log, LoggingPolicy(TINY.public_catalog), N)
    np.testing.assert_allclose(own.propensity, log.propensity, rtol=1e-12)
    own = ope.policy_on_log(slate_log, LoggingPolicy(SLATES.public_catalog, 3), 8)
    np.testing.assert_allclose(own.propensity, slate_log.propensity, rtol=1e-9)
    assert (np.diff(own.prefix, axis=1) < 0).all()
    uniform = ope.policy_on_log(slate_log, RandomPolicy(8, 3), 8)
    np.testing.assert_allclose(uniform.prefix, np.tile([1 / 8, 1 / 56, 1 / 336], (len(slate_log), 1)))
    np.testing.assert_allclose(uniform.item, 1 / 8)


def test_marginals_are_sums_over_what_stands_above():
    """Against the sum over all 8 * 7 * 6 slates."""
    prob = np.random.default_rng(2).dirichlet(np.ones(8))

    class Static:
        name = "static"

        def act(self, observation, generator):
            n = len(observation["segment"])
            return Decision(np.zeros((n, 3), np.int64), np.full(n, 0.5))

        def item_prob(self, observation):
            return np.tile(prob, (len(observation["segment"]), 1))

    chances = np.zeros((3, 8))
    for slate in itertools.permutations(range(8), 3):
        left, chance = 1.0, 1.0
        for item in slate:
            chance, left = chance * prob[item] / left, left - prob[item]
        for slot, item in enumerate(slate):
            chances[slot, item] += chance
    log = collect_log(SLATES, RandomPolicy(8, 3), 100, seed=0, max_steps=1)
    found = ope.policy_on_log(log, Static(), 8)
    np.testing.assert_allclose(found.item, chances[np.arange(3), log.action], rtol=1e-9)


def test_policies_without_chance_are_asked_by_acting(log, slate_log):
    popular = ope.policy_on_log(log, Popular(TINY.public_catalog), N)
    chosen = Popular(TINY.public_catalog).act(log.observation(), np.random.default_rng(0)).action
    np.testing.assert_array_equal(popular.propensity, log.action[:, 0] == chosen)
    assert 0 < popular.propensity.mean() < 1
    slates = ope.policy_on_log(slate_log, Popular(SLATES.public_catalog, 3), 8)
    np.testing.assert_array_equal(slates.prefix, np.cumprod(slates.item, axis=1))


def test_a_trained_agent_can_be_evaluated(log):
    agent = SQN(SQNConfig(dim=8, epochs=0.1)).fit(log, TINY.public_catalog, seed=0)
    found = ope.policy_on_log(log, agent, N)
    assert set(np.unique(found.propensity)) == {0.0, 1.0}


def test_missing_support_is_known_from_the_logging_policy():
    popular, target = Popular(TINY.public_catalog), LoggingPolicy(TINY.public_catalog, config=TARGET)
    log = collect_log(TINY, popular, 120, seed=0, max_steps=6)
    found = ope.policy_on_log(log, target, N, logging_policy=popular)
    np.testing.assert_allclose(found.unsupported, 1 - found.propensity, rtol=1e-12)
    rows = ope.evaluate(ope.sessions_from_log(log, found)) + ope.evaluate(ope.decisions_from_log(log, found))
    for row in rows:
        assert row.unsupported == pytest.approx(found.unsupported.mean())
        assert row.warnings[0].startswith("no support")


def test_full_support_is_known_too(log):
    logging = LoggingPolicy(TINY.public_catalog)
    found = ope.policy_on_log(log, Popular(TINY.public_catalog), N, logging_policy=logging)
    assert (found.unsupported == 0).all()
    assert found.never_shown == 0


def test_items_that_no_row_shows_are_counted():
    log = collect_log(TINY, Popular(TINY.public_catalog), 6, seed=0, max_steps=1)
    found = ope.policy_on_log(log, RandomPolicy(N), N)
    assert found.never_shown == pytest.approx(5 / 6)


def test_groups_have_the_probability_of_their_items(log):
    topic = TINY.public_catalog.topic.astype(np.int64)
    policy = LoggingPolicy(TINY.public_catalog, config=TARGET)
    found = ope.policy_on_log(log, policy, N, group=topic)
    prob = policy.item_prob(log.observation())
    for group in range(3):
        np.testing.assert_allclose(found.group_prob[:, group], prob[:, topic == group].sum(axis=1))


class TwoStageLog(EventLog):
    """Every decision was among four candidates, the third of which was shown; the last one is sold out."""

    def observation(self, rows=slice(None)):
        shown = self.action[rows][:, :1].astype(np.int64)
        others = (shown + np.arange(1, 3)) % N
        candidates = np.hstack([others, shown, np.full_like(shown, N)])
        return super().observation(rows) | {"candidates": candidates}


def test_candidates_are_chosen_by_number(log):
    columns = {name: getattr(log, name) for name in COLUMNS}
    found = ope.policy_on_log(TwoStageLog(**columns, policy="p"), RandomPolicy(N), N)
    np.testing.assert_allclose(found.propensity, 1 / 3)
    assert found.never_shown is None


def test_a_logged_item_must_be_a_candidate(log, monkeypatch):
    columns = {name: getattr(log, name) for name in COLUMNS}
    two_stage = TwoStageLog(**columns, policy="p")
    two_stage.action = two_stage.action.copy()
    seen = two_stage.observation()
    monkeypatch.setattr(two_stage, "observation", lambda rows: {key: seen[key][rows] for key in seen})
    two_stage.action[3] = (two_stage.action[3] + 3) % N
    with pytest.raises(ValueError, match=r"action\[3, 0\]: expected one of the row's candidates"):
        ope.policy_on_log(two_stage, RandomPolicy(N), N)


def test_chunks_change_nothing(log, monkeypatch):
    policy, topic = LoggingPolicy(TINY.public_catalog, config=TARGET), TINY.public_catalog.topic
    whole = ope.policy_on_log(log, policy, N, group=topic)
    monkeypatch.setattr("recsim_env.ope.from_log.CHUNK", 7 * N)
    seen = []
    parts = ope.policy_on_log(log, policy, N, group=topic, progress=lambda done, n: seen.append((done, n)))
    for field in ("prefix", "item", "group_prob", "never_shown"):
        np.testing.assert_allclose(getattr(parts, field), getattr(whole, field), atol=1e-15)
    assert seen[-1] == (len(log), len(log))


def test_what_cannot_be_asked_is_refused(log):
    with pytest.raises(ValueError, match="reads the simulator's hidden state"):
        ope.policy_on_log(log, MyopicOracle(TINY), N)

    class Secretive:
        name = "secretive"

        def act(self, observation, generator):
            n = len(observation["segment"])
            return Decision(np.zeros(n, np.int64), np.full(n, 0.5))

    with pytest.raises(ValueError, match="secretive chooses by chance and does not state how"):
        ope.policy_on_log(log, Secretive(), N)
    with pytest.raises(ValueError, match=r"logging_policy: states .* in row 0.*another policy made"):
        ope.policy_on_log(log, RandomPolicy(N), N, logging_policy=RandomPolicy(N))


def test_sessions_end_with_their_flags_and_with_their_user(log):
    session = ope.session_ids(log)
    assert session[-1] + 1 == log.num_users
    columns = {name: getattr(log, name)[:6].copy() for name in COLUMNS}
    columns["user_id"][:] = [0, 0, 0, 0, 1, 1]
    columns["visit"][:] = [0, 0, 1, 1, 0, 0]
    columns["terminated"][:] = [False, True, False, False, False, False]
    columns["truncated"][:] = False
    twice = EventLog(**columns, policy="p")
    assert ope.session_ids(twice).tolist() == [0, 0, 1, 1, 2, 2]
    target = ope.policy_on_log(twice, RandomPolicy(N), N)
    assert ope.sessions_from_log(twice, target).units.num_units == 2


def test_positions_earn_what_the_row_earns(slate_log):
    reward = ope.position_reward(slate_log, SLATES.config.reward)
    np.testing.assert_allclose(reward.sum(axis=1), slate_log.reward, rtol=1e-5)
    assert (reward > 0).any()


def test_slates_have_every_kind_of_propensity_with_the_logging_policy(slate_log):
    logging, target = LoggingPolicy(SLATES.public_catalog, 3), RandomPolicy(8, 3)
    on_target = ope.policy_on_log(slate_log, target, 8)
    reward = ope.position_reward(slate_log, SLATES.config.reward)
    alone = ope.slates_from_log(slate_log, None, on_target, reward)
    assert [row.estimator for row in ope.evaluate(alone)] == ["slate_ips"]
    both = ope.slates_from_log(slate_log, ope.policy_on_log(slate_log, logging, 8), on_target, reward)
    assert len(ope.evaluate(both)) == 3


def test_features_of_a_row_by_hand(log):
    catalog = TINY.public_catalog
    groups = ope.Groups.of_topics(catalog.topic)
    policy = LoggingPolicy(catalog, config=TARGET)
    target = ope.policy_on_log(log, policy, N, group=groups.of_item)
    x = ope.log_features(log, target, groups, 6)
    row = int(np.flatnonzero(log.history_items[:, -1] < N)[0])
    history = log.history_items[row][log.history_items[row] < N]
    share = np.array([(catalog.topic[history] == topic).mean() for topic in catalog.topic])
    item, step = log.action[row, 0], log.step[row]
    expected = np.zeros((6, N + 1))
    expected[step, item], expected[step, N] = 1.0, share[item]
    np.testing.assert_allclose(x.logged[row], expected.ravel())
    prob = policy.item_prob(log.observation(slice(row, row + 1)))[0]
    expected[step] = [*prob, prob @ share]
    np.testing.assert_allclose(x.target[row], expected.ravel())


def test_the_visible_state_of_a_row_by_hand(log):
    topic = TINY.public_catalog.topic
    state, num_states = ope.visible_states(log, ope.Groups.of_topics(topic))
    num_topics = int(topic.max()) + 1
    assert num_states == 2 * (num_topics + 1)
    for row in (0, 1, 7, len(log) - 1):
        history = [int(topic[item]) for item in log.history_items[row] if item < N]
        commonest = max(range(num_topics), key=history.count) if history else num_topics
        clicked = log.step[row] > 0 and bool(log.events[row - 1].any())  # every other event needs a click
        assert state[row] == 2 * commonest + clicked


@pytest.mark.parametrize("of", ["values", "rewards"])
def test_predictions_have_not_seen_their_own_half(log, of):
    """Rewards that change in one half leave that half's predictions alone."""
    groups = ope.Groups.of_topics(TINY.public_catalog.topic)
    target = ope.policy_on_log(log, RandomPolicy(N), N, group=groups.of_item)
    x = ope.log_features(log, target, groups, 6)
    session = ope.session_ids(log)
    even = session % 2 == 0

    def predicted(reward):
        if of == "values":
            data = ope.LoggedSessions(session, reward, log.propensity, target.propensity)
            return ope.predicted_values(data, x).target
        data = ope.LoggedDecisions(reward, log.propensity, target.propensity, session)
        return ope.predicted_rewards(data, x).target

    before, after = predicted(log.reward), predicted(np.where(even, log.reward + 1.0, log.reward))
    np.testing.assert_array_equal(before[even], after[even])
    assert (before[~even] < after[~even]).all()
