"""The random streams: the published generator, the layout of its counter, the laws of its draws.

Where the law holds, a test of it fails with probability ALPHA; the seeds are fixed, so not from run to run.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from recsim_env import streams
from recsim_env.streams import MAX_SEED, MAX_STEP, MAX_USER_ID, MAX_VISIT, Purpose

ALPHA = 1e-4
LANES = 2**31 - 1  # items and numbers of blocks stay below this


def blocks(seed, user, visit, step, purpose, lanes):
    """[4, M] words of one user's draws, one block per lane."""
    lanes = np.asarray(lanes, np.uint32)
    keys = np.full(len(lanes), purpose, np.uint32)
    words = np.zeros((4, len(lanes)), np.uint32)
    streams.fill_words(np.uint64(seed), user, visit, step, len(lanes), lanes, keys, words)
    return words


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_gives_the_published_words(counter, key, expected):
    """The vectors of Random123's kat_vectors for philox4x32 with 10 rounds."""
    arguments = [np.uint64(int(word, 16)) for word in f"{counter} {key}".split()]
    assert [f"{int(word):08x}" for word in streams.philox4x32(*arguments)] == expected.split()


def test_the_counter_reaches_philox_as_documented():
    """c0 = user low, c1 = lane, c2 = step | purpose, c3 = user high | visit; key = seed, low word first."""
    seed, user, visit, step, purpose, lane = (
        0x299F31D0A4093822,
        0x313_243F6A88,
        0x98A2E,
        0x037073,
        0x44,
        0x85A308D3,
    )
    words = blocks(seed, user, visit, step, purpose, [lane])[:, 0]
    counter = (0x243F6A88, 0x85A308D3, 0x03707344, 0x31398A2E)
    expected = streams.philox4x32(*map(np.uint64, (*counter, 0xA4093822, 0x299F31D0)))
    assert words.tolist() == [int(word) for word in expected]


KEYS = st.tuples(
    st.integers(0, MAX_USER_ID),
    st.integers(0, MAX_VISIT),
    st.integers(0, MAX_STEP),
    st.sampled_from(list(Purpose)),
    st.integers(0, LANES),
)
LIMITS = (MAX_USER_ID, MAX_VISIT, MAX_STEP, 255, LANES)


@given(KEYS, st.integers(0, 4), st.integers(0, 43), st.integers(0, MAX_SEED))
@example((0, 0, 0, 0, 0), 0, 16, 0)
@example((0, 0, 0, 0, 0), 0, 32, 0)
@example((2**43, 0, 0, 0, 0), 0, 31, 0)
def test_keys_that_differ_in_one_bit_have_other_words(key, part, bit, seed):
    other = list(key)
    other[part] ^= 1 << (bit % LIMITS[part].bit_length())
    first = blocks(seed, *key[:4], [key[4]])
    second = blocks(seed, *other[:4], [other[4]])
    # Philox is a bijection of the counter under one key: equal blocks would mean equal counters.
    assert not np.array_equal(first, second)


@given(KEYS, KEYS, st.integers(0, MAX_SEED))
def test_different_keys_never_share_a_counter(key, other, seed):
    first = blocks(seed, *key[:4], [key[4]])
    second = blocks(seed, *other[:4], [other[4]])
    assert np.array_equal(first, second) == (tuple(key) == tuple(other))


@given(KEYS, st.integers(0, MAX_SEED - 1))
def test_another_seed_gives_other_words(key, seed):
    assert not np.array_equal(blocks(seed, *key[:4], [key[4]]), blocks(seed ^ (1 << 40), *key[:4], [key[4]]))


@given(KEYS, st.lists(st.integers(0, LANES), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_a_draw_does_not_depend_on_the_draws_made_with_it(key, lanes, random):
    together = blocks(7, *key[:4], lanes)
    order = list(range(len(lanes)))
    random.shuffle(order)
    shuffled = blocks(7, *key[:4], [lanes[i] for i in order])
    np.testing.assert_array_equal(shuffled, together[:, order])
    np.testing.assert_array_equal(blocks(7, *key[:4], lanes[:1]), together[:, :1])


def test_uniforms_lie_strictly_inside_the_unit_interval_and_are_symmetric():
    words = np.array([0, 1, 2**9, 2**31, 2**32 - 2**9, 2**32 - 1], np.uint32)
    values = np.array([streams.uniform(word) for word in words])
    np.testing.assert_array_equal(values.astype(np.float32), values)
    assert values.min() == np.float32(2.0**-24)
    assert values.max() == np.float32(1 - 2.0**-24)
    mirrored = np.array([streams.uniform(np.uint32(2**32 - 1) - word) for word in words])
    np.testing.assert_array_equal(mirrored, np.float32(1) - values)


def draws(count, purpose=Purpose.STEP_USER, user=0):
    """count uniform draws of one purpose, over users and lanes."""
    words = np.concatenate(
        [blocks(3, user + i, 0, 5, purpose, np.arange(50)).ravel() for i in range(count // 200)]
    )
    return ((words >> 9) + 0.5) * 2.0**-23


def test_uniforms_follow_the_uniform_law():
    values = draws(100_000)
    assert stats.kstest(values, "uniform").pvalue > ALPHA
    assert stats.kstest(np.diff(values) % 1.0, "uniform").pvalue > ALPHA  # and neighbours are unrelated


def test_uniforms_of_neighbouring_users_and_purposes_are_uncorrelated():
    first, second = draws(100_000), draws(100_000, user=10_000)
    other = draws(100_000, Purpose.STEP_INTEREST)
    for a, b in ((first, second), (first, other)):
        assert stats.pearsonr(a, b).pvalue > ALPHA


def test_noise_has_mean_0_and_variance_1_on_256_even_points():
    """Every byte once: the moments of the discrete uniform law, (m^2 - 1) / 12 for m points one apart."""
    words = np.arange(256, dtype=np.uint8).view(np.uint32).reshape(4, 16)
    noise = np.zeros(256, np.float32)
    streams.fill_noise(words, 0, noise)
    assert noise.mean() == pytest.approx(0, abs=1e-6)
    assert noise.var() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(np.diff(np.sort(noise)), np.sqrt(12 / (256**2 - 1)), rtol=1e-4)


@pytest.mark.parametrize("dim", [4, 16, 20, 64])
def test_noise_gives_every_dimension_a_byte_of_its_own(dim):
    words = blocks(3, 1, 0, 0, Purpose.STEP_INTEREST, np.arange(8))
    noise = np.zeros(dim, np.float32)
    streams.fill_noise(words, 1, noise)
    values = words[:, 1:].T.copy().view(np.uint8).reshape(-1, 4, 4)  # block, word, byte
    expected = [values[d // 16, d % 4, d // 4 % 4] for d in range(dim)]
    np.testing.assert_allclose(noise, (np.array(expected) - 127.5) * np.sqrt(12 / (256**2 - 1)), rtol=1e-6)


def test_noise_of_neighbouring_dimensions_and_steps_is_uncorrelated():
    noise = np.zeros((20_000, 16), np.float32)
    for step, row in enumerate(noise):
        streams.fill_noise(blocks(5, 1, 0, step, Purpose.STEP_INTEREST, [0]), 0, row)
    correlation = np.corrcoef(np.hstack([noise[1:], noise[:-1]]), rowvar=False)
    largest = np.abs(correlation[np.triu_indices(32, 1)]).max()
    assert largest < stats.norm.isf(ALPHA / 2 / 496) / np.sqrt(len(noise))


def test_normals_follow_the_normal_law():
    count = 40_000
    words = np.concatenate(
        [blocks(11, user, 0, 0, Purpose.STEP_INTEREST, np.arange(100)) for user in range(100)], 1
    )
    uniforms, normals = np.zeros((2, count), np.float32)
    streams.fill_normals(words, uniforms, normals)
    assert stats.kstest(normals, "norm").pvalue > ALPHA
    assert np.isfinite(normals).all()


def test_normals_read_the_first_words_of_all_blocks_before_the_second():
    words = blocks(1, 2, 3, 4, Purpose.VISIT_INTEREST, np.arange(6))
    uniforms, normals = np.zeros((2, 8), np.float32)
    streams.fill_normals(words, uniforms, normals)
    np.testing.assert_array_equal(uniforms, [streams.uniform(word) for word in words[:, :2].ravel()])


@pytest.mark.parametrize("count", [1, 2, 7, 1_000, 70_000])
def test_indices_cover_their_range_evenly(count):
    words = np.concatenate(
        [blocks(5, user, 0, 0, Purpose.ORGANIC_ITEM, np.arange(25)).ravel() for user in range(200)]
    )
    indices = np.array([streams.uniform_index(word, count) for word in words])
    assert indices.min() >= 0
    assert indices.max() < count
    assert streams.uniform_index(np.uint32(2**32 - 1), count) == count - 1
    cells = np.bincount(indices * min(count, 50) // count, minlength=min(count, 50))
    if count > 1:
        shares = np.bincount(np.arange(count) * len(cells) // count) / count
        assert stats.chisquare(cells, shares * len(words)).pvalue > ALPHA


def test_purposes_fit_their_eight_bits_and_are_distinct():
    assert len({int(purpose) for purpose in Purpose}) == len(Purpose)
    assert all(0 <= purpose < 256 for purpose in Purpose)
