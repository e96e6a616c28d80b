"""Replacing parts of the kernel: the worked example passes its conformance, and mistakes are named."""

import pickle

import numba
import numpy as np
import pytest

import recsim_env
from recsim_env import UserModel, World
from recsim_env.testing import UserModelConformance
from recsim_env.truth import slate_truth
from tests.docs.programs import load_example
from tests.small_worlds import digest, fresh_states, slates_for, small_config

DEPENDENT_CLICKS = load_example("dependent_clicks").USER_MODEL


class TestTheUserModelOfThePackage(UserModelConformance):
    pass


class TestTheWorkedExample(UserModelConformance):
    user_model = DEPENDENT_CLICKS

    def test_several_clicks_happen(self):
        _, outcomes = self.run(np.arange(500))
        assert outcomes["clicks"].max() > 1

    def test_environments_serve_it(self):
        env = recsim_env.RecommenderEnv(world=self.world)
        batch = recsim_env.RecommenderVectorEnv(2, world=self.world)
        first, _ = env.reset(seed=3)
        both, _ = batch.reset(seed=3)
        slates = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
        reward, rewards = env.step(slates[0])[1], batch.step(slates)[1]
        np.testing.assert_array_equal(first["history_items"], both["history_items"][0])
        assert reward == rewards[0]


@pytest.mark.slow
def test_a_world_of_the_same_functions_is_the_same_world():
    """Compiled anew from its own functions, the kernel gives the bits it gave."""
    from recsim_env.kernel.rebuild import kernel_functions

    functions = kernel_functions()
    names = ("choose", "click_probs", "like_prob", "satiate", "spend_patience")
    config = UserModelConformance.config
    worlds = World(config), World(config, UserModel(**{name: functions[name] for name in names}))
    results = []
    for world in worlds:
        states, _ = fresh_states(world, np.arange(50))
        outcomes, _ = world.step(0, states, slates_for(world, states))
        fields = [states[name] for name in states.dtype.names]
        results.append(digest(*fields, *(outcomes[name] for name in outcomes.dtype.names)))
    assert results[0] == results[1]


def test_only_what_is_replaced_changes():
    @numba.njit
    def like_prob(params, item, item_match):
        return np.float32(0.25)

    config = UserModelConformance.config
    plain, changed = World(config), World(config, UserModel(like_prob=like_prob))
    states, _ = fresh_states(plain, np.arange(200))
    slates = slates_for(plain, states)
    before, after = (slate_truth(world, states, slates) for world in (plain, changed))
    np.testing.assert_array_equal(after.click_prob, before.click_prob)
    assert (after.like_prob == 0.25).all()
    assert not np.array_equal(after.purchase_prob, before.purchase_prob)  # a like makes a purchase likelier
    copy = pickle.loads(pickle.dumps(plain))
    assert fresh_states(copy, np.arange(3))[0].tobytes() == fresh_states(plain, np.arange(3))[0].tobytes()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="UserModel: click_probs: expected a function beside choose"):
        UserModel(choose=DEPENDENT_CLICKS.choose)
    with pytest.raises(
        TypeError, match=r"like_prob: expected a function of \(params, item, item_match\), got"
    ):
        World(small_config(), UserModel(like_prob=lambda item: np.float32(0.5)))
    with pytest.raises(TypeError, match=r"like_prob: expected a function, got 0\.5"):
        World(small_config(), UserModel(like_prob=0.5))
