"""The space of slates: distinct items, uniform, and a good citizen among Gymnasium's spaces."""

import copy
import pickle

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsim_env.spaces import SlateSpace

SIZES = st.integers(1, 12).flatmap(lambda slate: st.tuples(st.integers(slate, 40), st.just(slate)))


@given(SIZES, st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_samples_are_distinct_items_in_range(size, batch, seed):
    num_items, slate = size
    for shape in ((slate,), (batch, slate)):
        space = SlateSpace(num_items, shape, seed=seed)
        sample = space.sample()
        assert sample.shape == shape
        assert sample.dtype == np.int64
        assert sample in space
        assert all(len(set(row)) == slate for row in np.atleast_2d(sample).tolist())


@pytest.mark.parametrize(("num_items", "slate"), [(4, 3), (12, 3)], ids=["permutation", "rejection"])
def test_samples_are_uniform_over_the_slates(num_items, slate):
    """Both ways of drawing; alpha 1e-4."""
    samples = SlateSpace(num_items, (30_000, slate), seed=1).sample()
    codes = samples @ (num_items ** np.arange(slate))
    possible = np.prod(np.arange(num_items, num_items - slate, -1))
    counts = np.unique(codes, return_counts=True)[1]
    assert len(counts) == possible
    assert stats.chisquare(counts).pvalue > 1e-4


def test_contains():
    space = SlateSpace(10, (3,))
    assert np.array([0, 9, 5]) in space
    for wrong in ([0, 10, 5], [-1, 2, 3], [1, 1, 2], [1, 2], [[1, 2, 3]], [0.0, 1.0, 2.0], "abc", None):
        assert np.array(wrong) not in space, wrong


def test_it_is_a_multi_discrete_space_that_knows_itself():
    space = SlateSpace(10, (3,))
    assert isinstance(space, spaces.MultiDiscrete)
    assert space.nvec.tolist() == [10, 10, 10]
    assert space == SlateSpace(10, (3,))
    assert space != SlateSpace(11, (3,))
    assert space != SlateSpace(10, (4,))
    assert space != spaces.MultiDiscrete([10, 10, 10])
    assert repr(space) == "SlateSpace(10, (3,))"


def test_seeding_repeats_samples():
    space = SlateSpace(100, (5,))
    space.seed(3)
    first = [space.sample().tolist() for _ in range(3)]
    space.seed(3)
    assert [space.sample().tolist() for _ in range(3)] == first
    assert SlateSpace(100, (5,), seed=3).sample().tolist() == first[0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda space: pickle.loads(pickle.dumps(space))])
def test_copies_go_on_with_the_same_samples_and_independently(copied):
    space = SlateSpace(100, (5,), seed=3)
    space.sample()
    twin = copied(space)
    assert twin == space
    first = space.sample()
    np.testing.assert_array_equal(twin.sample(), first)
    assert not np.array_equal(space.sample(), first)


def test_batches():
    space = SlateSpace(50, (4,), seed=0)
    batched = batch_space(space, 3)
    assert batched == SlateSpace(50, (3, 4))
    rows = list(iterate(batched, batched.sample()))
    assert [row in space for row in rows] == [True] * 3
    together = concatenate(space, rows, create_empty_array(space, 3))
    assert together in batched


def test_json_round_trip():
    space = SlateSpace(50, (4,), seed=0)
    samples = [space.sample() for _ in range(3)]
    np.testing.assert_array_equal(space.from_jsonable(space.to_jsonable(samples)), samples)


def test_flattening_works_as_for_multi_discrete():
    space = SlateSpace(6, (2,), seed=0)
    sample = space.sample()
    flat = spaces.flatten(space, sample)
    np.testing.assert_array_equal(spaces.unflatten(space, flat), sample)


@pytest.mark.parametrize("argument", [{"mask": (None,) * 3}, {"probability": (None,) * 3}])
def test_masks_are_refused(argument):
    with pytest.raises(NotImplementedError, match="neither mask nor probability"):
        SlateSpace(10, (3,)).sample(**argument)
