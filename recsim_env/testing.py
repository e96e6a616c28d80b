"""Checks for your own parts of the simulator, to subclass in your own tests."""

from __future__ import annotations

from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray

from recsim_env.compiling import plain_function
from recsim_env.config import WorldConfig
from recsim_env.kernel.rebuild import kernel_functions
from recsim_env.records import Event, Records
from recsim_env.truth import slate_truth
from recsim_env.user_model import UserModel
from recsim_env.world import World

SEED = 90_210
STEPS = 3
SIGMAS = 4.5  # a right model fails one comparison of frequencies in 150,000
OWN_FIELDS = ("user_id", "visit", "segment", "conformity", "price_sensitivity", "taste")
"""What no step may change."""


@numba.njit
def _seed_compiled_generator(seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002 - the generator that a user model must not touch


class UserModelConformance:
    """What every user model must hold; name yours in a subclass and let pytest collect it.

    .. code-block:: python

        class TestMyModel(UserModelConformance):
            user_model = UserModel(like_prob=my_like_prob)

    Attributes:
        user_model: the model under test.
        config: a small world for it: few items, slates of 4.
        num_users: users for the comparisons of frequencies; more see smaller errors.
    """

    user_model: UserModel = UserModel()
    config: WorldConfig = WorldConfig().replace(
        catalog={"num_items": 60, "num_topics": 4, "embedding_dim": 8},
        population={"organic_max": 5, "organic_candidates": 4},
        choice={"no_click_utility": 2.0},
        history_length=5,
        slate_size=4,
    )
    num_users: int = 4_000

    @cached_property
    def world(self) -> World:
        """The world under test, compiled once for each test."""
        return _world(self.config, self.user_model)

    def start(self, users: NDArray[np.int64]) -> Records:
        """[B] states of users at the start of their first visit."""
        states = self.world.empty_states(len(users))
        self.world.reset(SEED, states, np.arange(len(users)), users, np.zeros(len(users), np.int64))
        return states

    def slates(self, users: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        """[B, K] slates that depend on nothing but user and step."""
        count, size = self.config.catalog.num_items, self.config.slate_size
        return (users[:, None] * 7 + step * 11 + np.arange(size) * 3) % count

    def run(self, users: NDArray[np.int64]) -> tuple[Records, Records]:
        """([B] states, [STEPS, B] outcomes) after a few steps."""
        states = self.start(users)
        outcomes = [
            self.world.step(SEED, states, self.slates(users, step), idle=states["ended"].copy())[0]
            for step in range(STEPS)
        ]
        return states, np.stack(outcomes)

    def test_probabilities_are_probabilities(self) -> None:
        """Every probability lies in [0, 1], in fresh states and later ones."""
        users = np.arange(200)
        for states in (self.start(users), self.run(users)[0]):
            truth = slate_truth(self.world, states, self.slates(users, STEPS))
            for name in ("click_prob", "like_prob", "purchase_prob"):
                values = getattr(truth, name)
                assert ((values >= 0) & (values <= 1)).all(), (
                    f"{name}: expected values in [0, 1], got {values.min()} to {values.max()}"
                )

    def test_answers_follow_their_probabilities(self) -> None:
        """One user many times over, each time with other luck: frequencies match the closed forms."""
        for user in (0, 1, 2):
            states = np.repeat(self.start(np.array([user])), self.num_users)
            states["user_id"] = np.arange(self.num_users)
            slates = np.repeat(self.slates(np.array([user]), 0), self.num_users, axis=0)
            truth = slate_truth(self.world, states[:1], slates[:1])
            self.world.step(SEED, states, slates)
            events = states["last_events"]
            clicked = events > 0
            for k in range(self.config.slate_size):
                self._compare("click_prob", k, clicked[:, k], truth.click_prob[0, k])
                for name, bit in (("like_prob", Event.LIKE), ("purchase_prob", Event.PURCHASE)):
                    hits = (events[clicked[:, k], k] & bit) > 0
                    self._compare(name, k, hits, getattr(truth, name)[0, k])

    @staticmethod
    def _compare(name: str, position: int, hits: NDArray[np.bool_], prob: float) -> None:
        bound = SIGMAS * np.sqrt(len(hits) * prob * (1 - prob)) + 1
        assert abs(hits.sum() - len(hits) * prob) <= bound, (
            f"{name} of position {position}: expected {prob:.4f}, got {hits.mean():.4f} of {len(hits)}"
        )

    def test_luck_comes_from_the_streams_alone(self) -> None:
        """No other generator is read: setting them differently changes nothing."""
        results = []
        for seed in (1, 2):
            np.random.seed(seed)  # noqa: NPY002 - as above
            _seed_compiled_generator(seed)
            results.append(self.run(np.arange(100)))
        _assert_same(results[0], results[1], "the state of a global random generator")

    def test_users_are_alone(self) -> None:
        """A user's trajectory is the same in any order and in any company."""
        users = np.arange(100)
        together = self.run(users)
        order = np.random.default_rng(0).permutation(users)
        shuffled = self.run(order)
        back = np.argsort(order)
        _assert_same(together, (shuffled[0][back], shuffled[1][:, back]), "the order of the batch")
        half = self.run(users[::2])
        _assert_same((together[0][::2], together[1][:, ::2]), half, "who else is in the batch")

    def test_only_the_user_changes(self) -> None:
        """The catalog, the parameters, a user's fixed traits and users who take no part stay as they are."""
        users = np.arange(60)
        states = self.start(users)
        items, params, before = self.world.items.copy(), self.world.params.copy(), states.copy()
        idle = users % 2 == 0
        for step in range(STEPS):
            self.world.step(SEED, states, self.slates(users, step), idle=idle)
        _assert_equal(self.world.items, items, "of the catalog was changed")
        _assert_equal(self.world.params, params, "of the parameters was changed")
        _assert_equal(states[idle], before[idle], "of a user who took no part was changed")
        for name in OWN_FIELDS:
            np.testing.assert_array_equal(states[name], before[name], err_msg=f"{name} was changed")

    def test_no_draw_but_the_declared_ones(self) -> None:
        """``choose`` reads a uniform number for each position and one for the user, not what lies behind."""
        choose = self.user_model.choose
        function = kernel_functions()["choose"] if choose is None else plain_function(choose) or choose
        count, width = 4, 8
        rng = np.random.default_rng(1)
        for _ in range(200):
            utility, uniforms = rng.normal(size=width), rng.uniform(0.01, 0.99, width)
            utility[count] = 0
            results = []
            for _ in range(2):
                uniforms[count + 1 :] = rng.uniform(0.01, 0.99, width - count - 1)
                arrays = [x.astype(np.float32) for x in (utility, np.ones(width), uniforms, np.zeros(width))]
                clicked = np.full(width, -1)
                number = function(0, *arrays, count, width, clicked)
                results.append(clicked[:number].tolist())
            assert results[0] == results[1], f"choose: expected {results[0]} whatever lies behind position K"


_worlds: dict[tuple[WorldConfig, UserModel], World] = {}


def _world(config: WorldConfig, user_model: UserModel) -> World:
    """One world for all tests of a model: compiling takes longer than they do."""
    key = (config, user_model)
    if key not in _worlds:
        _worlds[key] = World(config, user_model)
    return _worlds[key]


def _assert_same(first: tuple[Records, Records], second: tuple[Records, Records], what: str) -> None:
    for a, b in zip(first, second, strict=True):
        _assert_equal(a, b, f"depends on {what}")


def _assert_equal(first: Records, second: Records, message: str) -> None:
    """Field by field: the bytes between fields mean nothing."""
    for name in first.dtype.names or ():
        np.testing.assert_array_equal(first[name], second[name], err_msg=f"{name} {message}")
