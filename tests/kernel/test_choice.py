"""The choice models by hand, and the closed form beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from recsim_env.config import ChoiceModel
from recsim_env.kernel import choice

LOGIT, CASCADE, POSITION = ChoiceModel.LOGIT, ChoiceModel.CASCADE, ChoiceModel.POSITION


def clicks(model, utility, examination, item_uniforms, step_uniform=0.5):
    """Positions clicked."""
    count = len(utility)
    options = [[*utility, 0.0], [*examination, 1.0], [*item_uniforms, step_uniform]]
    arrays = [np.array(values, np.float32) for values in options]
    race, clicked = np.zeros(count + 1, np.float32), np.full(count + 1, -1)
    with np.errstate(divide="ignore"):  # without the compiler: what is not examined waits for ever
        number = choice.choose(int(model), *arrays, race, count, count + 1, clicked)
    return clicked[:number].tolist()


def probabilities(model, utility, examination):
    probs = np.zeros(len(utility), np.float32)
    arrays = [np.array(values, np.float32) for values in (utility, examination)]
    choice.click_probs(int(model), *arrays, len(utility), probs)
    return probs


def by_hand(model, utility, examination):
    v, e = np.asarray(utility, np.float64), np.asarray(examination, np.float64)
    if model is LOGIT:
        return e * np.exp(v) / (1 + (e * np.exp(v)).sum())
    if model is POSITION:
        return e * special.expit(v)
    attraction = special.expit(v)
    seen = np.concatenate([[1.0], np.cumprod(np.where(e > 0, 1 - attraction, 1.0))[:-1]])
    return e * attraction * seen


def test_logit_takes_the_shortest_time_of_the_race():
    # Times -log(u) exp(-v) / e: 0.693, 0.693 / 2 / 0.5 = 0.693, 2.303 / 10 = 0.230; no click at -log(u0).
    utility, examination, uniforms = [0.0, np.log(2), np.log(10)], [1.0, 0.5, 1.0], [0.5, 0.5, 0.1]
    assert clicks(LOGIT, utility, examination, uniforms, step_uniform=0.7) == [2]  # 0.357 comes too late
    assert clicks(LOGIT, utility, examination, uniforms, step_uniform=0.9) == []  # 0.105 is first


def test_cascade_stops_at_the_first_click():
    assert clicks(CASCADE, [0, 0, 0], [1, 1, 1], [0.6, 0.4, 0.3], step_uniform=0.01) == [1]


def test_cascade_looks_only_as_deep_as_the_user_goes():
    for step_uniform, clicked in ((0.1, [2]), (0.3, []), (0.9, [])):
        assert clicks(CASCADE, [-9, -9, 9], [1, 0.5, 0.2], [0.5, 0.5, 0.5], step_uniform) == clicked


def test_position_clicks_each_on_its_own():
    assert clicks(POSITION, [0, 0, 0, 0], [1, 0.5, 0.5, 0.5], [0.49, 0.26, 0.24, 0.01]) == [0, 2, 3]


@pytest.mark.parametrize("model", ChoiceModel)
def test_what_is_not_examined_is_not_clicked(model):
    assert clicks(model, [50, 50], [0, 0], [1e-6, 1 - 1e-6], step_uniform=1e-6) == []
    np.testing.assert_array_equal(probabilities(model, [50, 50], [0, 0]), [0, 0])


@pytest.mark.parametrize("model", ChoiceModel)
@pytest.mark.parametrize("utility", [-30.0, -1.5, 0.0, 2.0, 30.0])
def test_one_item_at_the_top_is_clicked_with_the_sigmoid_once(model, utility):
    assert probabilities(model, [utility], [1.0])[0] == pytest.approx(special.expit(utility), rel=1e-6)


SLATES = st.integers(1, 8).flatmap(
    lambda k: st.tuples(
        st.lists(st.floats(-12, 12, width=32), min_size=k, max_size=k),
        st.floats(0, 3),
        st.lists(st.integers(0, 2**23 - 1), min_size=k, max_size=k),
        st.integers(0, 2**23 - 1),
    )
)


def inside(number):
    return (np.asarray(number) + 0.5) * 2.0**-23


@pytest.mark.parametrize("model", ChoiceModel)
@given(SLATES)
def test_the_closed_form_against_double_precision(model, slate):
    utility, exponent, _, _ = slate
    examination = np.arange(1, len(utility) + 1) ** -exponent
    probs = probabilities(model, utility, examination)
    np.testing.assert_allclose(probs, by_hand(model, utility, examination), rtol=2e-5, atol=1e-6)
    assert model is POSITION or probs.sum() <= 1 + 1e-6


@given(SLATES, st.floats(-12, 12, width=32), st.integers(0, 2**23 - 1))
def test_logit_an_item_more_never_moves_the_choice_to_another_old_item(slate, utility_of_new, luck_of_new):
    utility, exponent, luck, step_luck = slate
    examination = np.arange(1, len(utility) + 2) ** -exponent
    before = clicks(LOGIT, utility, examination[:-1], inside(luck), inside(step_luck))
    longer = ([*utility, utility_of_new], examination, inside([*luck, luck_of_new]), inside(step_luck))
    after = clicks(LOGIT, *longer)
    assert after in (before, [len(utility)])


@given(SLATES, st.integers(0, 7))
def test_logit_removing_an_unchosen_item_changes_nothing(slate, removed):
    utility, exponent, luck, step_luck = slate
    removed %= len(utility)
    examination = np.arange(1, len(utility) + 1) ** -exponent
    before = clicks(LOGIT, utility, examination, inside(luck), inside(step_luck))
    kept = [k for k in range(len(utility)) if k != removed]
    shorter = [np.asarray(values)[kept] for values in (utility, examination, inside(luck))]
    after = clicks(LOGIT, *shorter, inside(step_luck))
    if before != [removed]:
        assert [kept[k] for k in after] == before


@given(SLATES, st.floats(0.01, 5))
def test_a_better_item_is_clicked_whenever_the_worse_one_was(slate, gain):
    """Common luck: raising one item's utility only ever adds its own clicks."""
    utility, exponent, luck, step_luck = slate
    examination = np.arange(1, len(utility) + 1) ** -exponent
    raised = [utility[0] + gain, *utility[1:]]
    for model in ChoiceModel:
        arguments = examination, inside(luck), inside(step_luck)
        if 0 in clicks(model, utility, *arguments):
            assert 0 in clicks(model, raised, *arguments)


@pytest.mark.parametrize(
    ("model", "extreme"),
    [(model, extreme) for model in ChoiceModel for extreme in (-500.0, -88.0, 88.0, 120.0, 500.0)],
)
def test_extreme_utilities_stay_probabilities(model, extreme):
    """Utilities up to 120 are within the bounds of the config."""
    probs = probabilities(model, [extreme] * 8, [1.0] * 8)
    assert np.isfinite(probs).all()
    expected = np.full(8, float(extreme > 0))
    if model is LOGIT:
        expected /= 8
    if model is CASCADE:
        expected[1:] = 0
    np.testing.assert_allclose(probs, expected, atol=1e-6)
