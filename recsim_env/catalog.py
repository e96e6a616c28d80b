"""The items of a world, drawn from the catalog's own streams: one function of ``CatalogConfig``."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.arithmetic import ONE, normal_quantile, normalise
from recsim_env.compiling import compiled
from recsim_env.config import CatalogConfig
from recsim_env.records import Records, aligned_zeros, item_dtype
from recsim_env.streams import Purpose, draw_key, fill_normals, fill_words, uniform, uniform_index

CATALOG_TOPIC = int(Purpose.CATALOG_TOPIC)
CATALOG_ITEM = int(Purpose.CATALOG_ITEM)
CATALOG_EMBEDDING = int(Purpose.CATALOG_EMBEDDING)


class PublicCatalog(NamedTuple):
    """What a platform knows of its items; embeddings, quality and appeal stay hidden.

    Attributes:
        topic: [N] int64 in [0, num_topics).
        price: [N] float32, currency units.
        base_popularity: [N] float64, positive, sums to 1.
        num_topics: C.
    """

    topic: NDArray[np.int64]
    price: NDArray[np.float32]
    base_popularity: NDArray[np.float64]
    num_topics: int


class Catalog(NamedTuple):
    """All of the items.

    Attributes:
        items: [N] ITEM records, cache-line aligned.
        topic_centres: [C, D] float32, unit rows.
        base_popularity: [N] float64, sums to 1.
    """

    items: Records
    topic_centres: NDArray[np.float32]
    base_popularity: NDArray[np.float64]


@compiled
def _draw_direction(seed, number, purpose, lanes, draw_keys, words, uniforms, vector):
    """Fill a vector with standard normal draws of stream (seed, number, purpose)."""
    for i in range(lanes.shape[0]):
        lanes[i] = i
        draw_keys[i] = draw_key(0, purpose)
    fill_words(seed, number, 0, lanes, draw_keys, words)
    fill_normals(words, 0, uniforms, vector)


@compiled
def _draw_topic_centres(seed, lanes, draw_keys, words, uniforms, centres):
    for c in range(centres.shape[0]):
        _draw_direction(seed, c, CATALOG_TOPIC, lanes, draw_keys, words, uniforms, centres[c])
        normalise(centres[c])


@compiled
def _draw_items(seed, reals, centres, lanes, draw_keys, words, uniforms, items, order_keys):
    """Fill everything but popularity, whose order is that of order_keys, [N] uint64, overwritten."""
    spread, appeal_scale, correlation, log_price_median, price_log_std = reals
    dim = centres.shape[1]
    own = spread / np.float32(np.sqrt(np.float32(dim)))
    independent = np.float32(np.sqrt(ONE - correlation * correlation))
    for n in range(items.shape[0]):
        item = items[n]
        for i in range(2):
            lanes[i] = i
            draw_keys[i] = draw_key(0, CATALOG_ITEM)
        fill_words(seed, n, 0, lanes[:2], draw_keys[:2], words)
        item.topic = uniform_index(words[0, 0], centres.shape[0])
        item.quality = uniform(words[1, 0])
        item.appeal = appeal_scale * (
            correlation * normal_quantile(item.quality) + independent * normal_quantile(uniform(words[2, 0]))
        )
        item.log_price = log_price_median + price_log_std * normal_quantile(uniform(words[3, 0]))
        order_keys[n] = (np.uint64(words[0, 1]) << np.uint64(32)) | np.uint64(words[1, 1])
        embedding = item.embedding
        _draw_direction(
            seed, n, CATALOG_EMBEDDING, lanes[: dim // 4], draw_keys[: dim // 4], words, uniforms, embedding
        )
        for d in range(dim):
            embedding[d] = centres[item.topic, d] + own * embedding[d]
        normalise(embedding)


def draw_catalog(config: CatalogConfig) -> Catalog:
    """Draw the catalog that belongs to a config; purposes CATALOG_TOPIC, CATALOG_ITEM and CATALOG_EMBEDDING.

    embedding = unit(topic centre + spread * own direction); appeal and the normal score of quality are bivariate normal with the
    configured correlation; price is lognormal; base popularity is Zipf over a random order of the items, pi_a ~ rank^-s.

    Source: Zipf (1949) for the popularity law; the rest ours.
    """
    count, dim = config.num_items, config.embedding_dim
    seed = np.uint64(config.seed)
    blocks = max(dim // 4, 2)
    lanes, draw_keys = np.zeros((2, blocks), np.uint64)
    words, uniforms = np.zeros((4, blocks), np.uint32), np.zeros(dim, np.float32)
    centres = np.zeros((config.num_topics, dim), np.float32)
    _draw_topic_centres(seed, lanes[: dim // 4], draw_keys[: dim // 4], words, uniforms, centres)
    items = aligned_zeros(count, item_dtype(dim))
    order_keys = np.zeros(count, np.uint64)
    reals = (
        np.float32(config.topic_spread),
        np.float32(config.appeal_scale),
        np.float32(config.quality_appeal_correlation),
        np.float32(np.log(config.price_median)),
        np.float32(config.price_log_std),
    )
    _draw_items(seed, reals, centres, lanes, draw_keys, words, uniforms, items, order_keys)
    items["price"] = np.exp(items["log_price"].astype(np.float64))
    weight = np.empty(count)
    weight[np.argsort(order_keys, kind="stable")] = np.arange(1, count + 1) ** -float(config.popularity_exponent)
    base_popularity = weight / weight.sum()
    log_popularity = np.log(base_popularity)
    items["log_popularity"] = log_popularity - log_popularity.mean()
    return Catalog(items, centres, base_popularity)


def public_view(catalog: Catalog) -> PublicCatalog:
    """The readable side of a catalog, as fresh read-only arrays."""
    arrays: list[Any] = [
        catalog.items["topic"].astype(np.int64),
        catalog.items["price"].copy(),
        catalog.base_popularity.copy(),
    ]
    for array in arrays:
        array.flags.writeable = False
    return PublicCatalog(*arrays, num_topics=len(catalog.topic_centres))
