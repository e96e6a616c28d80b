"""The conformance checks of user models find planted faults; plain Python, so that no kernel is compiled."""

import numba
import numpy as np
import pytest

from recsim_env import UserModel
from recsim_env.kernel.rebuild import kernel_functions
from recsim_env.testing import UserModelConformance

pytestmark = pytest.mark.skipif(
    not numba.config.DISABLE_JIT,
    reason="needs NUMBA_DISABLE_JIT=1: seven kernels would take minutes to compile",
)
KERNEL = kernel_functions()
DEFAULT_CLICK_PROBS = KERNEL["click_probs"]


def global_luck(model, utility, examination, uniforms, race, count, width, clicked):
    clicked[0] = np.random.randint(count)  # noqa: NPY002 - the fault
    return 1


def behind_the_last(model, utility, examination, uniforms, race, count, width, clicked):
    clicked[0] = 0
    return 1 if uniforms[count + 1] < 0.5 else 0


def above_one(params, item, item_match):
    return np.float32(1.5)


def shared_memory(params, items, state, slate, clicked, num_clicks):
    params.satisfaction_memory = np.float32(0.9) * params.satisfaction_memory
    state.satisfaction = params.satisfaction_memory


def marks_the_catalog(params, items, state, slate, clicked, num_clicks):
    for i in range(num_clicks):
        items[slate[clicked[i]]].quality *= np.float32(0.5)


def moves_the_taste(params, items, state, slate, clicked, num_clicks):
    state.taste[0] += np.float32(0.01)


def other_form(model, utility, examination, count, probs):
    for k in range(count):
        probs[k] = 0.5


FAULTS = {
    "a global generator": (
        UserModel(choose=global_luck, click_probs=DEFAULT_CLICK_PROBS),
        "test_luck_comes_from_the_streams_alone",
    ),
    "an undeclared draw": (
        UserModel(choose=behind_the_last, click_probs=DEFAULT_CLICK_PROBS),
        "test_no_draw_but_the_declared_ones",
    ),
    "a probability above 1": (UserModel(like_prob=above_one), "test_probabilities_are_probabilities"),
    "dependence on the position in the batch": (UserModel(satisfy=shared_memory), "test_users_are_alone"),
    "state that users share": (UserModel(satisfy=marks_the_catalog), "test_only_the_user_changes"),
    "a fixed trait that moves": (UserModel(satisfy=moves_the_taste), "test_only_the_user_changes"),
    "a closed form of something else": (
        UserModel(choose=KERNEL["choose"], click_probs=other_form),
        "test_answers_follow_their_probabilities",
    ),
}


def checks(user_model):
    suite = UserModelConformance()
    suite.user_model, suite.num_users = user_model, 300
    return suite


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    user_model, check = FAULTS[fault]
    with pytest.raises(AssertionError):
        getattr(checks(user_model), check)()


@pytest.mark.parametrize("check", sorted({check for _, check in FAULTS.values()}))
def test_a_model_without_faults_passes(check):
    getattr(checks(UserModel(like_prob=KERNEL["like_prob"])), check)()
