"""Worlds with a clock: who arrives when, which items are there, and what drifts."""

import numpy as np
import pytest

from recsim_env import RecommenderEnv, WorldConfig
from recsim_env.config import Change
from recsim_env.truth import item_truth, slate_truth
from tests.small_worlds import fresh_states, slates_for, small_config, small_world

RUN = {"run_hours": 100.0, "run_users": 1_000}


class TestClock:
    world = small_world(1, run=RUN)

    def test_users_arrive_evenly_and_again_in_the_next_run(self):
        users = np.array([0, 1, 500, 999, 1_000, 2**40 + 500])
        states, observation = fresh_states(self.world, users)
        expected = 100.0 * (users % 1_000) / 1_000
        np.testing.assert_allclose(states["hour"], expected)
        np.testing.assert_array_equal(observation.hour[:, 0], np.floor(expected))

    def test_a_sample_of_users_covers_the_run(self):
        for first in (0, 250):
            users = self.world.users(250, first)
            states, _ = fresh_states(self.world, users)
            np.testing.assert_allclose(np.sort(states["hour"]), np.arange(250) * 0.4)
        assert len(set(self.world.users(250)) & set(self.world.users(250, 250))) == 0
        np.testing.assert_array_equal(small_world(1).users(3, 5), [5, 6, 7])

    def test_a_sample_within_hours_covers_these_hours(self):
        """1,000 users in 100 hours: numbers 200 .. 299 of every thousand arrive from hour 20 to 30."""
        np.testing.assert_array_equal(self.world.users(4, hours=(20.0, 30.0)), [200, 225, 250, 275])
        np.testing.assert_array_equal(self.world.users(3, 99, hours=(29.9, 30.05)), [49_300, 50_299, 50_300])
        many = self.world.users(250, hours=(20.0, 30.0))
        assert len(set(many)) == 250
        states, _ = fresh_states(self.world, many)
        assert states["hour"].min() == 20.0
        assert states["hour"].max() < 30.0
        np.testing.assert_array_equal(self.world.users(250, 7, hours=(0.0, 100.0)), self.world.users(250, 7))

    @pytest.mark.parametrize(
        ("hours", "message"),
        [
            ((20.0, 20.0), r"hours: expected 0 <= start < stop <= run.run_hours=100, got 20, 20"),
            ((-1.0, 20.0), "got -1, 20"),
            ((20.0, 101.0), "got 20, 101"),
            ((float("nan"), 20.0), "got nan, 20"),
            ((20.01, 20.02), "hours: no user arrives from hour 20.01 to 20.02"),
        ],
    )
    def test_hours_in_which_nobody_arrives(self, hours, message):
        with pytest.raises(ValueError, match=message):
            self.world.users(3, hours=hours)

    def test_without_a_run_there_is_no_hour(self):
        _, observation = fresh_states(small_world(1), np.arange(3))
        assert "hour" not in observation.visible(60)


class TestDatedItems:
    world = small_world(4, catalog={"shelf_hours": 50.0}, run=RUN)

    def test_about_the_same_number_is_on_offer_all_the_time(self):
        """An item is there in 50 of 150 hours; 60 items: 20 on average."""
        catalog = self.world.public_catalog
        counts = catalog.on_offer(np.arange(100)).sum(axis=1)
        assert counts.min() > 10
        assert counts.max() < 32
        np.testing.assert_array_equal(catalog.gone - catalog.born, 50)

    def test_what_is_not_on_offer_shows_nothing(self):
        states, _ = fresh_states(self.world, np.arange(0, 1_000, 5))
        slates = slates_for(self.world, states)
        there = np.take_along_axis(self.world.public_catalog.on_offer(states["hour"] // 1), slates, axis=1)
        truth = slate_truth(self.world, states, slates)
        assert (truth.click_prob[~there] == 0).all()
        assert (truth.click_prob[there] > 0).all()
        before = states.copy()
        self.world.step(0, states, slates, blank_repeats=False)
        assert not states["last_events"][~there].any()
        assert states["last_events"][there].any()
        everything_blank = np.flatnonzero(~there.any(axis=1))
        assert len(everything_blank)
        assert np.isfinite(states["patience"]).all()
        assert (states["patience"][everything_blank] < before["patience"][everything_blank]).all()

    def test_an_item_that_is_not_on_offer_is_never_wanted(self):
        states, _ = fresh_states(self.world, np.arange(0, 1_000, 20))
        truth = item_truth(self.world, states)
        there = self.world.public_catalog.on_offer(states["hour"] // 1)
        np.testing.assert_array_equal(np.isneginf(truth.utility), ~there)
        assert (truth.expected_reward[~there] < 1e-30).all()

    def test_nobody_has_seen_what_has_not_arrived(self):
        states, _ = fresh_states(self.world, np.arange(1_000))
        born = np.append(self.world.public_catalog.born, -np.inf)
        assert (born[states["history_items"]] <= states["hour"][:, None]).all()

    def test_action_masks_say_what_is_on_offer(self):
        env = RecommenderEnv(world=self.world)
        env.reset(seed=0, options={"user_id": 300})
        mask = env.action_masks()
        there = self.world.public_catalog.on_offer(30)[0]
        np.testing.assert_array_equal(mask, np.tile(there, 4))
        assert RecommenderEnv(world=small_world(1)).action_masks().all()

    def test_a_new_item_is_wanted_more_and_less_with_age(self):
        world = small_world(
            4,
            catalog={"shelf_hours": 50.0},
            run=RUN,
            choice={"freshness_weight": 3.0, "freshness_half_life": 10.0},
        )
        states, _ = fresh_states(world, np.arange(0, 1_000, 50))
        plain = item_truth(self.world, states).utility
        fresh = item_truth(world, states).utility
        there = np.isfinite(plain)
        age = np.broadcast_to(states["hour"][:, None] - world.public_catalog.born, plain.shape)
        expected = 3.0 * 0.5 ** (age[there] / 10.0)
        np.testing.assert_allclose(fresh[there] - plain[there], expected, rtol=1e-3, atol=1e-4)


class TestDrift:
    @staticmethod
    def world(*changes):
        return small_world(1, run=RUN, drift=changes)

    def tastes(self, *changes, users=range(0, 1_000, 10)):
        return fresh_states(self.world(*changes), np.array(users))[0]

    def test_a_sudden_change_of_taste_is_that_of_other_topics(self):
        """With all of the share, users want exactly what those born with the shifted topics want."""
        change = {"kind": "sudden", "start": 40.0, "topic_shift": 1, "taste_share": 1.0}
        before, after = self.tastes(), self.tastes(change)
        late = before["hour"] >= 40.0
        np.testing.assert_array_equal(before["taste"][~late], after["taste"][~late])
        centres = self.world().topic_centres
        moved = (after["taste"] @ centres.T).argmax(axis=1)[late]
        wanted = ((before["taste"] @ centres.T).argmax(axis=1)[late] + 1) % len(centres)
        assert (moved == wanted).mean() > 0.8

    def test_levels(self):
        """The level shows in the appeal: share x level, at the hour of arrival."""
        changes = {
            "sudden": lambda since: (since >= 0) * 1.0,
            "gradual": lambda since: np.clip(since / 30.0, 0, 1),
            "recurring": lambda since: (since >= 0) * smooth(1 - np.abs(2 * ((since / 30.0) % 1) - 1)),
        }

        def smooth(x):
            return x * x * (3 - 2 * x)

        for kind, level in changes.items():
            states = self.tastes({"kind": kind, "start": 20.0, "length": 30.0, "appeal_share": 0.8})
            expected = 0.8 * level(states["hour"] - 20.0)
            np.testing.assert_allclose(states["appeal_shift"], expected, atol=1e-5, err_msg=kind)

    def test_appeal_goes_to_another_draw_of_the_same_law(self):
        change = {"kind": "sudden", "start": 0.0, "appeal_share": 1.0}
        world = self.world(change)
        states, _ = fresh_states(world, np.arange(3))
        moved = item_truth(world, states).utility
        states["appeal_shift"] = 0
        later = world.items["later_appeal"] - world.items["appeal"]
        found = moved - item_truth(world, states).utility
        np.testing.assert_allclose(found, np.tile(later, (3, 1)), atol=1e-5)
        large = small_world(1, catalog={"num_items": 5_000}).items
        for moment in (np.mean, np.std):
            assert abs(moment(large["later_appeal"]) - moment(large["appeal"])) < 0.03
        first, second = (
            np.corrcoef(large["quality"], large[name])[0, 1] for name in ("appeal", "later_appeal")
        )
        assert abs(first - second) < 0.05
        assert abs(np.corrcoef(large["appeal"], large["later_appeal"])[0, 1] - first**2) < 0.06

    def test_a_segment_of_its_own(self):
        change = {"kind": "sudden", "start": 0.0, "taste_share": 1.0, "appeal_share": 1.0, "segment": 2}
        before, after = self.tastes(), self.tastes(change)
        changed = (before["taste"] != after["taste"]).any(axis=1)
        np.testing.assert_array_equal(changed, before["segment"] == 2)
        np.testing.assert_array_equal(after["appeal_shift"], before["segment"] == 2)

    def test_changes_blend_in_order(self):
        first = {"kind": "sudden", "start": 0.0, "topic_shift": 1, "taste_share": 1.0}
        second = {"kind": "sudden", "start": 0.0, "topic_shift": 2, "taste_share": 1.0}
        np.testing.assert_array_equal(self.tastes(first, second)["taste"], self.tastes(second)["taste"])


class TestConfig:
    def test_changes_survive_json_and_may_be_given_as_dicts(self):
        config = small_config(run=RUN, drift=[{"kind": "gradual", "start": 5.0}, Change(segment=1)])
        assert config.drift == (Change("gradual", start=5.0), Change(segment=1))
        assert WorldConfig.from_json(config.to_json()) == config

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"drift": [Change()]}, r"run\.run_hours: expected above 0 beside drift, got 0"),
            ({"catalog": {"shelf_hours": 3.0}}, r"run_hours: expected above 0 beside catalog\.shelf_hours"),
            ({"choice": {"freshness_weight": 1.0}}, r"shelf_hours: expected above 0 beside choice.freshness"),
            ({"run": RUN, "drift": [Change()] * 9}, "drift: expected at most 8 changes"),
            ({"run": RUN, "drift": Change()}, "drift: expected at most 8 changes"),
            ({"run": RUN, "drift": [{"kind": "suden"}]}, "did you mean 'sudden'"),
            ({"run": RUN, "drift": [{"begin": 1.0}]}, "unknown field 'begin'"),
            ({"run": RUN, "drift": [Change(segment=4)]}, r"drift\[0\]\.segment: expected one below"),
            ({"candidates": {"num_candidates": 61}}, "num_candidates: expected at most catalog.num_items=60"),
            (
                {"candidates": {"num_candidates": 3}},
                "slate_size: expected at most candidates.num_candidates=3",
            ),
        ],
    )
    def test_bad_values_are_named(self, changes, message):
        with pytest.raises(ValueError, match=message):
            small_config(**changes)

    def test_a_change_must_be_a_change(self):
        with pytest.raises(TypeError, match=r"drift\[0\]: expected Change, got 3"):
            small_config(run=RUN, drift=[3])
