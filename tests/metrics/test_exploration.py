import numpy as np
import pytest
from scipy.stats import entropy

from recsim_env.metrics import ItemTally, action_entropy, catalog_coverage, coverage_by_step, coverage_by_user
from tests.metrics.impression_batches import random_batches


def test_coverage_by_hand():
    assert catalog_coverage(np.array([0, 3, 1, 0])) == 0.5
    assert catalog_coverage(np.array([1])) == 1.0


def test_coverage_by_step_by_hand():
    first_step = np.array([0, 2, np.iinfo(np.int32).max, 0], dtype=np.int32)
    np.testing.assert_allclose(coverage_by_step(first_step, 4), [0.5, 0.5, 0.75, 0.75])


def test_coverage_by_user_by_hand():
    first_user = np.array([12, 10, np.iinfo(np.int64).max, 12])
    np.testing.assert_allclose(coverage_by_user(first_user, np.arange(9, 14)), [0, 0.25, 0.25, 0.75, 0.75])


def test_entropy_by_hand_and_against_scipy():
    assert action_entropy(np.array([5, 0, 0])) == 0.0
    assert action_entropy(np.full(8, 3)) == pytest.approx(np.log(8))
    assert action_entropy(np.array([1, 3])) == pytest.approx(0.25 * np.log(4) + 0.75 * np.log(4 / 3))
    counts = np.random.default_rng(4).integers(0, 50, 1000)
    assert action_entropy(counts) == pytest.approx(entropy(counts), rel=1e-12)


def test_entropy_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="at least one impression"):
        action_entropy(np.zeros(3))


def test_item_tally_equals_the_definition_and_merges():
    num_items = 30
    batches = list(random_batches(np.random.default_rng(5), num_items=num_items))
    weight = np.array([1.0, 0.5, 0.25])
    whole, parts = ItemTally(num_items, weight), [ItemTally(num_items, weight) for _ in range(2)]
    for index, batch in enumerate(batches):
        whole.update(batch)
        parts[index % 2].update(batch)
    action = np.concatenate([batch.action for batch in batches])
    step = np.concatenate([batch.step for batch in batches])
    np.testing.assert_array_equal(whole.shown, np.bincount(action.ravel(), minlength=num_items))
    expected = np.bincount(action.ravel(), np.tile(weight, len(action)), minlength=num_items)
    np.testing.assert_allclose(whole.exposure, expected)
    user = np.concatenate([batch.user_id for batch in batches])
    for item in range(num_items):
        assert whole.first_step[item] == step[(action == item).any(axis=1)].min()
        assert whole.first_user[item] == user[(action == item).any(axis=1)].min()
    merged = parts[1].merge(parts[0])
    np.testing.assert_array_equal(merged.shown, whole.shown)
    np.testing.assert_array_equal(merged.first_step, whole.first_step)
    np.testing.assert_array_equal(merged.first_user, whole.first_user)
    np.testing.assert_allclose(merged.exposure, whole.exposure)


def test_single_items_may_come_without_a_slot_axis():
    batch = next(random_batches(np.random.default_rng(6), num_slots=1))
    flat, column = ItemTally(30), ItemTally(30)
    column.update(batch)
    batch.action = batch.action[:, 0]
    flat.update(batch)
    np.testing.assert_array_equal(flat.shown, column.shown)


def test_item_tally_names_the_offending_row():
    batch = next(random_batches(np.random.default_rng(7)))
    batch.action[5, 1] = 30
    with pytest.raises(ValueError, match=r"action\[5\]: expected items in \[0, 29\], got "):
        ItemTally(30).update(batch)


@pytest.mark.parametrize("weight", [[-1.0], [[1.0]], [np.nan]])
def test_item_tally_refuses_bad_weights(weight):
    with pytest.raises(ValueError, match="position_weight"):
        ItemTally(3, np.array(weight))


def test_tallies_of_different_catalogs_do_not_merge():
    with pytest.raises(ValueError, match="expected a tally of 3 items, got one of 4"):
        ItemTally(3).merge(ItemTally(4))
