"""Replays reproduce a log from its own slates, and pair users otherwise."""

import copy
import dataclasses

import numpy as np
import pytest

from agents import MyopicOracle, RandomPolicy
from recsim_env import Decision, World, replay
from recsim_env.event_log import COLUMNS, EventLog, collect_log
from recsim_env.records import Event
from recsim_env.truth import myopic_slates
from tests.small_worlds import NUM_ITEMS, small_world

HORIZON = 12


class Uniform:
    """Distinct random items."""

    name = "uniform"
    needs_state = False

    def __init__(self, world):
        self.num_items, self.slate = len(world.items), world.config.slate_size

    def act(self, observation, generator):
        order = generator.random((len(observation["segment"]), self.num_items)).argsort(axis=1)
        slates = order[:, : self.slate]
        return Decision(slates[:, 0] if self.slate == 1 else slates, np.ones(len(slates)))


class Myopic:
    name = "myopic"
    needs_state = True

    def __init__(self, world):
        self.world = world

    def act(self, observation, generator, state):
        return Decision(myopic_slates(self.world, state), np.ones(len(state)))


@pytest.fixture(scope="module", params=[1, 4], ids=["single item", "slate"])
def log(request):
    world = small_world(request.param)
    return collect_log(world, Uniform(world), 2_000, seed=5, max_steps=HORIZON)


@pytest.fixture(scope="module")
def slate_log():
    world = small_world(4)
    return collect_log(world, Uniform(world), 1_500, seed=5, max_steps=HORIZON)


def equal_rows(one, other, rows_of_one=slice(None)):
    for name in COLUMNS:
        if name != "propensity":  # a script is sure of itself
            expected, found = getattr(one, name)[rows_of_one], getattr(other, name)
            assert expected.dtype == found.dtype
            assert expected.tobytes() == found.tobytes(), name


def changed(log, **provenance):
    other = copy.copy(log)
    other.provenance = {**log.provenance, **provenance}
    return other


def test_the_logged_slates_reproduce_the_log_bit_for_bit(log):
    again = replay(log, log.action, batch_size=37)
    equal_rows(log, again.replayed)
    assert log.truncated.any()
    assert log.terminated.any()
    for quantity in ("reward", "length", "clicks", "revenue"):
        effect = again.effect(quantity)
        assert (effect.mean, effect.standard_error, effect.lower, effect.upper) == (0, 0, 0, 0)


def test_a_saved_log_can_be_replayed(log, tmp_path):
    log.save(tmp_path / "log.parquet")
    loaded = EventLog.load(tmp_path / "log.parquet")
    equal_rows(loaded, replay(loaded, loaded.action).replayed)


def test_some_users_are_replayed_alone(log):
    users = [17, 3]
    again = replay(log, log.action[np.isin(log.user_id, users)], users=users)
    assert again.user_ids.tolist() == [3, 17]
    equal_rows(log, again.replayed, np.isin(log.user_id, users))


def test_totals_and_effects_are_those_of_the_rows(log):
    again = replay(log, Myopic(small_world(log.slate_size)))
    assert again.user_ids.tolist() == np.unique(log.user_id).tolist()
    for totals, rows in ((again.before, again.logged), (again.after, again.replayed)):
        for place, user in list(enumerate(again.user_ids))[:20]:
            own = rows.user_id == user
            bought = (rows.events[own] & Event.PURCHASE) > 0
            assert totals.reward[place] == pytest.approx(rows.reward[own].sum(), rel=1e-5)
            assert totals.length[place] == own.sum()
            assert totals.clicks[place] == ((rows.events[own] & Event.CLICK) > 0).sum()
            assert totals.likes[place] == ((rows.events[own] & Event.LIKE) > 0).sum()
            assert totals.purchases[place] == bought.sum()
            assert totals.revenue[place] == pytest.approx(rows.price[own][bought].sum(), rel=1e-5)
    effect = again.effect()
    assert effect.per_user == pytest.approx(again.after.reward - again.before.reward)
    assert effect.mean == pytest.approx(effect.per_user.mean())
    assert effect.standard_error == pytest.approx(effect.per_user.std(ddof=1) / np.sqrt(len(again.user_ids)))
    assert (effect.lower, effect.upper) == pytest.approx(
        (effect.mean - 1.96 * effect.standard_error, effect.mean + 1.96 * effect.standard_error), rel=1e-4
    )
    assert effect.lower > 0  # random items against those of highest expected reward


def test_a_replay_meets_the_same_luck_until_slates_differ(slate_log):
    """Slates that change from step 2 on leave the steps before as they were."""
    slates = slate_log.action.copy()
    late = slate_log.step >= 2
    slates[late] = (slates[late] + 1) % 60
    again = replay(slate_log, slates).replayed
    early = again.step < 2
    equal_rows(slate_log, EventLog(**{n: getattr(again, n)[early] for n in COLUMNS}, policy=""), ~late)
    assert (again.action[~early] >= 0).all()
    assert len(again) != len(slate_log) or not np.array_equal(again.events, slate_log.events)


def test_a_session_that_outlives_its_slates_is_cut_as_truncated():
    """Users who are shown nothing they would click leave soon; with good slates they would stay."""
    world = small_world(4, session={"patience_scale": 2.0, "refund": 1.0})
    log = collect_log(world, Uniform(world), 600, seed=5, max_steps=50)
    best = replay(log, Myopic(world)).replayed
    script = np.array(log.action, np.int64)
    for row in range(len(log)):
        match = (best.user_id == log.user_id[row]) & (best.step == log.step[row])
        if match.any():
            script[row] = best.action[match][0]
    again = replay(log, script).replayed
    lengths = np.bincount(again.user_id)
    logged, full = np.bincount(log.user_id), np.bincount(best.user_id)
    np.testing.assert_array_equal(lengths, np.minimum(logged, full))
    cut = np.flatnonzero(full > logged)
    assert len(cut)
    for user in cut:
        last = np.flatnonzero(again.user_id == user)[-1]
        assert again.truncated[last]
        assert not again.terminated[last]
    assert again.truncated.sum() == (full > logged).sum()


@pytest.mark.parametrize("name", ["config", "seed", "max_steps", "stream_version"])
def test_a_log_that_does_not_say_where_it_comes_from_is_refused(slate_log, name):
    bare = copy.copy(slate_log)
    bare.provenance = {key: value for key, value in slate_log.provenance.items() if key != name}
    with pytest.raises(ValueError, match=rf"log\.provenance: .* there is no {name}"):
        replay(bare, bare.action)


def test_a_log_of_other_streams_is_refused(slate_log):
    with pytest.raises(ValueError, match="random streams of version"):
        replay(changed(slate_log, stream_version=0), slate_log.action)


def test_a_world_of_another_config_is_refused(slate_log):
    other = World(small_world(4).config.replace(reward={"like": 0.75}))
    with pytest.raises(ValueError, match=r"reward\.like: the log has 0\.5, the world 0\.75"):
        replay(slate_log, slate_log.action, world=other)


def test_a_log_of_another_seed_is_noticed(slate_log):
    with pytest.raises(ValueError, match="does not start as the log's config and seed say"):
        replay(changed(slate_log, seed=6), slate_log.action)


def test_users_beyond_the_log_are_refused(slate_log):
    last = int(slate_log.user_id[-1])
    with pytest.raises(ValueError, match=rf"users\[1\]: .* from 0 to {last}, got {last + 1}"):
        replay(slate_log, slate_log.action, users=[0, last + 1])


def test_wrong_slates_are_refused(slate_log):
    shape = str(slate_log.action.shape).replace("(", r"\(").replace(")", r"\)")
    for bad in (slate_log.action[:-1], slate_log.action[:, :2], slate_log.action.astype(float)):
        with pytest.raises(ValueError, match=f"policy_or_slates: .* of shape {shape}"):
            replay(slate_log, bad)
    outside = slate_log.action.copy()
    outside[3, 1] = 60
    with pytest.raises(ValueError, match=r"policy_or_slates\[3, 1\]: expected an item in \[0, 60\)"):
        replay(slate_log, outside)


def test_a_view_without_some_steps_is_refused(slate_log):
    kept = np.flatnonzero(slate_log.step != 1)
    view = EventLog(
        **{name: getattr(slate_log, name)[kept] for name in COLUMNS},
        policy=slate_log.policy,
        provenance=slate_log.provenance,
    )
    with pytest.raises(ValueError, match="expected every step of a session; row 1 is step 2"):
        replay(view, view.action)


def test_an_unknown_quantity_is_refused(slate_log):
    with pytest.raises(ValueError, match=r"quantity: expected one of reward, .*, got 'joy'"):
        replay(slate_log, slate_log.action).effect("joy")


def test_one_user_has_no_interval(slate_log):
    effect = replay(slate_log, Uniform(small_world(4)), users=[4]).effect()
    assert np.isnan(effect.standard_error)
    assert np.isfinite(effect.mean)


def test_results_cannot_be_reassigned(slate_log):
    again = replay(slate_log, slate_log.action)
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.logged = again.replayed


def test_a_log_of_another_user_model_wants_its_world(log):
    """The functions cannot be found from their names, so the world must be given."""
    foreign = dataclasses.replace(log, provenance={**log.provenance, "user_model": {"choose": "mine.choose"}})
    with pytest.raises(ValueError, match=r"world: expected one with the user model of the log.*mine\.choose"):
        replay(foreign, log.action)


@pytest.mark.parametrize(
    "sections",
    [
        {"returns": {"lifetime_hours": 300.0, "gap_median": 20.0, "churn_bias": -2.0}},
        {"candidates": {"num_candidates": 7}},
        {"catalog": {"shelf_hours": 60.0}, "run": {"run_hours": 100.0, "run_users": 40}},
    ],
    ids=["lifetimes", "candidates", "dated items"],
)
def test_worlds_with_a_clock_are_replayed_bit_for_bit(sections):
    world = small_world(1, **sections)
    policy = RandomPolicy(NUM_ITEMS, 1, world.public_catalog)
    log = collect_log(world, policy, 600, seed=3, max_steps=25)
    again = replay(log, log.action, world=world)
    for name in ("user_id", "visit", "step", "action", "events", "reward", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(again.replayed, name), getattr(log, name), err_msg=name)
    other = replay(log, MyopicOracle(world), world=world)
    assert other.effect("reward").mean > 0
