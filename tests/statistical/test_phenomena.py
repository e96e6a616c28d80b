"""Each scenario shows the phenomenon that it exists for.

Comparisons are paired: the same users with the same luck. Seeds are fixed; a bound of 3.9 standard errors
gives a false alarm in 10,000.
"""

import numpy as np
import pytest

from recsim_env import World, get_scenario
from recsim_env.truth import item_truth, myopic_slates, slate_truth
from tests.small_worlds import fresh_states

BOUND = 3.9


def world_of(name, **changes):
    return World(get_scenario(name).config.replace(**changes))


def serve(world, act, num_users=300, seed=1_700, steps=100):
    """([B] reward, [B] steps) of users under ``act(states, t) -> [B] items``."""
    states, _ = fresh_states(world, np.arange(num_users), seed=seed)
    reward, length = np.zeros(num_users), np.zeros(num_users)
    for t in range(steps):
        here = np.flatnonzero(~states["ended"])
        if len(here) == 0:
            break
        present = states[here]
        items = act(present, t)
        outcomes, _ = world.step(seed, present, items[:, None], blank_repeats=False)
        states[here] = present
        reward[here] += outcomes["reward"]
        length[here] += 1
    return reward, length


def clearly_above(first, second, factor=1.0):
    """Whether mean(first) > factor mean(second), paired, beyond chance."""
    difference = first - factor * second
    return difference.mean() > BOUND * difference.std() / np.sqrt(len(difference))


def myopic(world):
    return lambda states, t: myopic_slates(world, states)[:, 0]


def click_prob(world, states, items):
    return slate_truth(world, states, np.asarray(items)[:, None]).click_prob[:, 0]


class TestBoredom:
    world = world_of("Boredom-v0")

    def test_a_repeated_topic_becomes_worthless_and_recovers(self):
        states, _ = fresh_states(self.world, np.arange(200))
        best = myopic_slates(self.world, states)[:, 0]
        fresh = click_prob(self.world, states, best)
        other = (self.world.items["topic"][best] + 1) % 20
        elsewhere = np.array([np.flatnonzero(self.world.items["topic"] == topic)[0] for topic in other])
        for _ in range(8):
            self.world.step(0, states, best[:, None])
        tired = click_prob(self.world, states, best)
        for _ in range(25):
            self.world.step(0, states, elsewhere[:, None])
        assert tired.mean() < 0.5 * fresh.mean()
        assert click_prob(self.world, states, best).mean() > 0.8 * fresh.mean()

    def test_more_of_the_same_drives_users_away(self):
        states, _ = fresh_states(self.world, np.arange(200))
        best = myopic_slates(self.world, states)[:, 0]
        same, varied = states.copy(), states.copy()
        for t in range(5):
            self.world.step(0, same, best[:, None])
            self.world.step(0, varied, ((best + 37 * t) % 1_000)[:, None])
        assert same["patience"].mean() < varied["patience"].mean() - 2

    def test_a_plain_price_on_satiation_beats_the_myopic_oracle(self):
        topic = self.world.items["topic"]

        def diverse(states, t):
            score = item_truth(self.world, states).expected_reward - states["satiation"][:, topic]
            return score.argmax(axis=1)

        assert clearly_above(serve(self.world, diverse)[0], serve(self.world, myopic(self.world))[0], 1.1)


class TestInterestEvolution:
    world = world_of("InterestEvolution-v0")

    def test_what_is_consumed_is_wanted_more(self):
        states, _ = fresh_states(self.world, np.arange(300))
        best = myopic_slates(self.world, states)[:, 0]
        before = (states["interest"] * self.world.items["embedding"][best]).sum(axis=1)
        clicked = self.world.step(0, states, best[:, None])[0]["clicks"] > 0
        after = (states["interest"] * self.world.items["embedding"][best]).sum(axis=1)
        assert (after - before)[clicked].mean() > 0.05
        assert abs((after - before)[~clicked].mean()) < 0.01

    def test_topics_differ_in_quality(self):
        items = self.world.items
        means = np.array([items["quality"][items["topic"] == topic].mean() for topic in range(20)])
        within = np.array([items["quality"][items["topic"] == topic].std() for topic in range(20)])
        assert means.std() > 3 * within.mean()

    def test_steering_to_good_topics_beats_the_myopic_oracle(self):
        quality = self.world.items["quality"]

        def steer(states, t):
            truth = item_truth(self.world, states)
            return (truth.expected_reward * (1 + 1.5 * quality / truth.value_of_click)).argmax(axis=1)

        reward, length = serve(self.world, steer)
        myopic_reward, myopic_length = serve(self.world, myopic(self.world))
        assert clearly_above(reward, myopic_reward, 1.1)
        assert clearly_above(length, myopic_length)


class TestInterestExploration:
    world = world_of("InterestExploration-v0")

    def test_users_look_alike_at_first_and_are_not(self):
        states, observation = fresh_states(self.world, np.arange(500))
        assert (observation.history_items == 1_000).all()
        assert (observation.segment == 0).all()
        best = myopic_slates(self.world, states)[:, 0]
        assert len(np.unique(self.world.items["topic"][best])) == 20

    def test_trying_topics_and_staying_with_clicks_beats_popularity_and_chance(self):
        topic = self.world.items["topic"]
        favourite = np.array(
            [np.flatnonzero(topic == c)[self.world.items["appeal"][topic == c].argmax()] for c in range(20)]
        )
        popular = int(self.world.items["log_popularity"].argmax())
        draws = np.random.default_rng(3)

        def explore(states, t):
            """Each topic once, until one is clicked; from then on the topic of the latest click."""
            latest = states["history_items"][:, -1]
            return np.where(latest == 1_000, favourite[t % 20], favourite[topic[latest % 1_000]])

        explored = serve(self.world, explore, 3_000)[0]
        same_for_all = serve(self.world, lambda states, t: np.full(len(states), popular), 3_000)[0]
        by_chance = serve(self.world, lambda states, t: draws.integers(0, 1_000, len(states)), 3_000)[0]
        assert clearly_above(explored, same_for_all, 1.2)
        assert clearly_above(explored, by_chance, 2.0)


class TestLongTermSatisfaction:
    world = world_of("LongTermSatisfaction-v0")

    def test_clickbait_pays_now_and_costs_later(self):
        order = self.world.items["quality"].argsort()
        bait, food = order[0], order[20]
        states, _ = fresh_states(self.world, np.arange(500))
        assert (
            click_prob(self.world, states, [bait] * 500).mean()
            > 1.2 * click_prob(self.world, states, [food] * 500).mean()
        )
        baited = serve(self.world, lambda states, t: np.full(len(states), bait), steps=60)[0]
        fed = serve(self.world, lambda states, t: np.full(len(states), food), steps=60)[0]
        assert clearly_above(fed, baited, 1.25)


class TestPriceTiers:
    @pytest.mark.parametrize(
        ("own", "other"),
        [("PriceTiers-v0", "PriceTiersLuxury-v0"), ("PriceTiersLuxury-v0", "PriceTiers-v0")],
    )
    def test_the_weights_of_one_platform_do_not_suit_the_other(self, own, other):
        world = world_of(own)
        misjudged = World(world.config.replace(reward=get_scenario(other).config.reward))
        suited = serve(world, myopic(world), num_users=700)[0]
        unsuited = serve(world, myopic(misjudged), num_users=700)[0]
        assert clearly_above(suited, unsuited, 1.05)

    def test_dear_goods_are_bought_less_often(self):
        rates = []
        for name in ("PriceTiers-v0", "PriceTiersLuxury-v0"):
            world = world_of(name)
            states, _ = fresh_states(world, np.arange(2_000))
            slates = np.random.default_rng(0).integers(0, 1_000, (2_000, 1))
            rates.append(slate_truth(world, states, slates).purchase_prob.mean())
            price = np.median(world.items["price"])
            assert price < 10 if name == "PriceTiers-v0" else price > 500
        assert rates[1] < 0.5 * rates[0]


class TestLifetime:
    world = world_of("Lifetime-v0")

    def lifetimes(self, bonus, num_users=300, seed=1_700):
        """(reward, visits) of users under the myopic oracle with a bonus for quality."""
        states, _ = fresh_states(self.world, np.arange(num_users), seed=seed)
        reward, visits = np.zeros(num_users), np.zeros(num_users)
        quality = self.world.items["quality"]
        here = np.arange(num_users)
        for _ in range(300):
            present = states[here]
            truth = item_truth(self.world, present)
            worth = truth._replace(value_of_click=truth.value_of_click + np.float32(bonus) * quality)
            items = worth.expected_reward.argmax(axis=1)
            outcomes, _ = self.world.step(seed, present, items[:, None], blank_repeats=False)
            states[here] = present
            reward[here] += outcomes["reward"]
            visits[here] = outcomes["visit"] + 1
            here = here[~(outcomes["terminated"] | outcomes["truncated"])]
            if len(here) == 0:
                break
        return reward, visits

    def test_who_is_pleased_is_back_more_often_and_earns_more(self):
        greedy, kind = self.lifetimes(0.0), self.lifetimes(2.0)
        assert clearly_above(kind[1], greedy[1], 1.1)
        assert clearly_above(kind[0], greedy[0], 1.3)


class TestTwoStage:
    world = world_of("TwoStage-v0")

    def test_the_first_stage_knows_something_and_some_of_its_offers_are_gone(self):
        states, observation = fresh_states(self.world, self.world.users(100))
        candidates = observation.candidates
        assert candidates.shape == (100, 100)
        assert 0.05 < (candidates < 0).mean() < 0.15
        items = np.where(candidates < 0, ~candidates, candidates)
        offered = (self.world.items["embedding"][items] @ states["taste"][:, :, None])[:, :, 0]
        anything = self.world.items["embedding"][:5_000] @ states["taste"].T
        assert clearly_above(offered.mean(axis=1), anything.mean(axis=0))


class TestFreshCatalog:
    world = world_of("FreshCatalog-v0")

    def test_half_of_the_items_are_there_and_not_the_same_half(self):
        there = self.world.public_catalog.on_offer([0, 360, 719])
        np.testing.assert_allclose(there.mean(axis=1), 0.5, atol=0.05)
        assert (there[0] & there[2]).mean() < 0.02

    def test_new_items_are_wanted_most(self):
        states, _ = fresh_states(self.world, self.world.users(300))
        best = myopic_slates(self.world, states)[:, 0]
        hour = np.floor(states["hour"])
        age = hour - self.world.public_catalog.born[best]
        there = self.world.public_catalog.on_offer(hour)
        all_ages = np.where(there, hour[:, None] - self.world.public_catalog.born, np.nan)
        assert clearly_above(np.nanmean(all_ages, axis=1), age, 1.2)

    def test_what_was_best_at_first_is_gone_in_the_end(self):
        early, late = (fresh_states(self.world, np.arange(start, start + 200))[0] for start in (0, 9_800))
        favourites = np.bincount(myopic_slates(self.world, early)[:, 0], minlength=2_000)
        again = np.bincount(myopic_slates(self.world, late)[:, 0], minlength=2_000)
        assert np.minimum(favourites, again).sum() < 20


class TestDrift:
    world = world_of("Drift-v0")

    def favourites(self, start, stop, segment):
        """Share of each topic as the one closest to the taste of a segment's users who arrive then: [C]."""
        states, _ = fresh_states(self.world, self.arrivals(start, stop))
        taste = states["taste"][states["segment"] == segment]
        return np.bincount((taste @ self.world.topic_centres.T).argmax(axis=1), minlength=20) / len(taste)

    def arrivals(self, start, stop):
        """Users who arrive between two hours of the run, of which 10,000 arrive in 720."""
        return np.arange(int(start / 720 * 10_000), int(stop / 720 * 10_000))

    @pytest.mark.parametrize("segment", range(4))
    def test_taste_moves_by_the_declared_topics(self, segment):
        """Distance of two distributions of topics in total variation; some 500 users, so 0.1 is chance."""
        before = self.favourites(0, 160, segment)
        after, late = self.favourites(170, 330, segment), self.favourites(560, 719, segment)

        def distance(first, second):
            return np.abs(first - second).sum() / 2

        assert distance(before, after) > 0.4
        assert distance(np.roll(before, 5), after) < 0.2
        assert distance(np.roll(before, 15 if segment == 0 else 10), late) < 0.2

    def test_a_ranking_from_before_the_change_is_worth_less_after_it(self):
        """The 20 items that earn most with the users of the first week, shown to those of the second."""
        earned = {}
        for week, users in {"first": self.arrivals(0, 160), "second": self.arrivals(170, 330)}.items():
            states, _ = fresh_states(self.world, users[:1_500], seed=9)
            earned[week] = item_truth(self.world, states).expected_reward
        stale, current = (earned[week].mean(axis=0).argsort()[-20:] for week in ("first", "second"))
        second = earned["second"]
        assert clearly_above(second[:, current].mean(axis=1), second[:, stale].mean(axis=1), 1.08)

    def test_appeal_goes_to_and_fro(self):
        states, _ = fresh_states(self.world, self.arrivals(0, 168))
        level = states["appeal_shift"]
        middle = np.abs(states["hour"] - 84.0) < 1
        assert level[0] == 0
        np.testing.assert_allclose(level[middle], 0.3, atol=0.01)
        assert level[-1] < 0.01
