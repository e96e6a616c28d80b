"""The items of a world, drawn from the catalog's own streams: one function of ``CatalogConfig``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.arithmetic import normal_quantile, normalise
from recsim_env.compiling import compiled
from recsim_env.config import CatalogConfig
from recsim_env.records import Records, aligned_zeros, item_dtype
from recsim_env.streams import Purpose, philox4x32, uniform

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


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
def _fill_uniforms(seed, purpose, uniforms):
    """Write [count, 4 M] float32: column 4 i + j is word j of block i of stream (seed, row, purpose)."""
    for n in range(uniforms.shape[0]):
        for i in range(uniforms.shape[1] // 4):
            block = philox4x32(
                np.uint64(n), np.uint64(i), np.uint64(purpose), np.uint64(0), seed & LOW, seed >> HALF
            )
            for j in range(4):
                uniforms[n, 4 * i + j] = uniform(block[j])


@compiled
def _fill_quantiles(uniforms):
    """Replace [n] float32 uniforms by their standard normal quantiles."""
    for i in range(uniforms.shape[0]):
        uniforms[i] = normal_quantile(uniforms[i])


@compiled
def _normalise_rows(matrix):
    """Scale each row of [n, D] float32 to unit length."""
    for row in range(matrix.shape[0]):
        normalise(matrix[row])


def _uniforms(seed: int, purpose: Purpose, count: int, columns: int) -> NDArray[np.float32]:
    """[count, columns] draws in (0, 1), one stream per row; columns a multiple of 4."""
    uniforms = np.empty((count, columns), np.float32)
    _fill_uniforms(np.uint64(seed), int(purpose), uniforms)
    return uniforms


def _normals(uniforms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard normal quantiles of an array of uniforms, as a fresh array."""
    normals = uniforms.ravel().copy()
    _fill_quantiles(normals)
    return normals.reshape(uniforms.shape)


def draw_catalog(config: CatalogConfig) -> Catalog:
    """Draw the catalog that belongs to a config; purposes CATALOG_*.

    embedding = unit(topic centre + spread * own direction); quality = (1 - share) own + share topic's, both
    uniform; appeal and the normal score of the own part are
    bivariate normal with the configured correlation; price is lognormal; base popularity is Zipf over a
    random order of the items, pi_a ~ rank^-s.

    Source: Zipf (1949) for the popularity law; the rest ours.
    """
    count, dim = config.num_items, config.embedding_dim
    centres = _normals(_uniforms(config.seed, Purpose.CATALOG_TOPIC, config.num_topics, dim))
    _normalise_rows(centres)
    traits = _uniforms(config.seed, Purpose.CATALOG_ITEM, count, 8)
    normals = _normals(traits)
    items = aligned_zeros(count, item_dtype(dim))
    items["topic"] = (traits[:, 0] * np.float32(config.num_topics)).astype(np.int64)
    shared = _uniforms(config.seed, Purpose.CATALOG_TOPIC_QUALITY, config.num_topics, 4)[items["topic"], 0]
    share = np.float32(config.topic_quality_share)
    items["quality"] = (np.float32(1) - share) * traits[:, 1] + share * shared
    correlation = config.quality_appeal_correlation
    independent = np.float32(np.sqrt(1 - correlation**2))
    appeal = np.float32(correlation) * normals[:, 1] + independent * normals[:, 2]
    items["appeal"] = np.float32(config.appeal_scale) * appeal
    log_median = np.float32(np.log(config.price_median))
    items["log_price"] = log_median + np.float32(config.price_log_std) * normals[:, 3]
    own = np.float32(config.topic_spread / np.sqrt(dim))
    directions = _normals(_uniforms(config.seed, Purpose.CATALOG_EMBEDDING, count, dim))
    embeddings = centres[items["topic"]] + own * directions
    _normalise_rows(embeddings)
    items["embedding"] = embeddings
    items["price"] = np.exp(items["log_price"].astype(np.float64))
    weight = np.empty(count)
    weight[np.lexsort((traits[:, 5], traits[:, 4]))] = np.arange(1, count + 1) ** -float(
        config.popularity_exponent
    )
    base_popularity = weight / weight.sum()
    log_popularity = np.log(base_popularity)
    items["log_popularity"] = log_popularity - log_popularity.mean()
    return Catalog(items, centres, base_popularity)


def public_view(catalog: Catalog) -> PublicCatalog:
    """The readable side of a catalog, as fresh read-only arrays."""
    topic = catalog.items["topic"].astype(np.int64)
    price, base_popularity = catalog.items["price"].copy(), catalog.base_popularity.copy()
    for array in (topic, price, base_popularity):
        array.flags.writeable = False
    return PublicCatalog(topic, price, base_popularity, len(catalog.topic_centres))
