"""The catalog: a function of its config alone, with a public side that nobody can write to."""

import numpy as np
import pytest

from recsim_env import CatalogConfig, World
from recsim_env.catalog import draw_catalog, public_view
from recsim_env.compiling import CACHE_LINE
from tests.small_worlds import NUM_ITEMS, digest, fresh_states, small_config, small_world


def test_the_public_side_says_what_agents_may_read():
    world = small_world()
    public = world.public_catalog
    assert public._fields == ("topic", "price", "base_popularity", "num_topics", "born", "gone")
    assert public.born is public.gone is None
    assert (public.topic.dtype, public.price.dtype) == (np.int64, np.float32)
    assert public.base_popularity.dtype == np.float64
    np.testing.assert_array_equal(public.topic, world.items["topic"])
    np.testing.assert_array_equal(public.price, world.items["price"])
    assert public.base_popularity.sum() == pytest.approx(1.0)
    assert (public.base_popularity > 0).all()
    assert public.num_topics == 4


def test_the_public_side_is_read_only_and_shares_no_memory():
    world = small_world()
    for array in world.public_catalog[:3]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        assert not np.shares_memory(array, world.items)


def test_the_same_section_gives_the_same_catalog():
    config = small_config().catalog
    first, second = draw_catalog(config), draw_catalog(config)
    assert digest(first.items, first.topic_centres) == digest(second.items, second.topic_centres)
    other = draw_catalog(config.replace(seed=1))
    assert digest(first.items) != digest(other.items)


def test_a_larger_catalog_begins_with_the_smaller_one():
    small, large = (draw_catalog(CatalogConfig(num_items=count, num_topics=4)) for count in (50, 70_000))
    for name in ("embedding", "topic", "quality", "appeal", "price"):
        np.testing.assert_array_equal(small.items[name], large.items[name][:50])
    assert len(np.unique(large.items["embedding"][65_536:], axis=0)) == 70_000 - 65_536
    assert np.unique(large.items["topic"]).tolist() == [0, 1, 2, 3]


def test_records_fill_whole_cache_lines():
    items = draw_catalog(CatalogConfig(num_items=10)).items
    assert items.dtype.itemsize % CACHE_LINE == 0
    assert items.ctypes.data % CACHE_LINE == 0


def test_log_popularity_is_centred_and_the_price_is_the_exponential_of_its_log():
    items = small_world().items
    assert items["log_popularity"].astype(float).mean() == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(items["price"], np.exp(items["log_price"].astype(float)), rtol=1e-6)


def test_a_catalog_of_one_item():
    world = World(small_config(1, catalog={"num_items": 1}))
    assert world.public_catalog.base_popularity.tolist() == [1.0]
    states, _ = fresh_states(world, [0, 1])
    outcomes, observation = world.step(0, states, np.zeros((2, 1), np.int64))
    assert set(observation.last_slate[:, 0]) == {0}
    assert outcomes["terminated"].dtype == bool


def test_public_view_is_a_copy():
    catalog = draw_catalog(small_config().catalog)
    view = public_view(catalog)
    catalog.items["price"] = -1
    assert (view.price > 0).all()
    assert len(view.topic) == NUM_ITEMS
