"""The items of a world, drawn from the catalog's own streams: one function of ``CatalogConfig``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        born, gone: [N] int64, hours: an item is on offer from the one to before the other; None for always.
    """

    topic: NDArray[np.int64]
    price: NDArray[np.float32]
    base_popularity: NDArray[np.float64]
    num_topics: int
    born: NDArray[np.int64] | None = None
    gone: NDArray[np.int64] | None = None

    def on_offer(self, hours: ArrayLike) -> NDArray[np.bool_]:
        """Which items are on offer at some hours [B] of the run (an observation's ``hour``): [B, N] bool."""
        hour = np.asarray(hours).reshape(-1, 1)
        if self.born is None or self.gone is None:
            return np.ones((len(hour), len(self.topic)), np.bool_)
        return (self.born <= hour) & (hour < self.gone)


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


def draw_catalog(config: CatalogConfig, run_hours: float = 0.0) -> Catalog:
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
    items["appeal"] = _appeal(config, normals[:, 1], normals[:, 2])
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
    _draw_changes(config, run_hours, normals[:, 1], items)
    return Catalog(items, centres, base_popularity)


def _appeal(
    config: CatalogConfig, quality_score: NDArray[np.float32], own: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Appeal of the configured correlation with a normal score of quality; own: standard normal, [N] each."""
    correlation = config.quality_appeal_correlation
    independent = np.float32(np.sqrt(1 - correlation**2))
    appeal: NDArray[np.float32] = np.float32(correlation) * quality_score + independent * own
    return np.float32(config.appeal_scale) * appeal


def _draw_changes(
    config: CatalogConfig, run_hours: float, quality_score: NDArray[np.float32], items: Records
) -> None:
    """What happens to items during a run: when each is on offer, and the appeal that drift leads to.

    The later appeal has the law of the first, the correlation with quality included.

    Args:
        quality_score: [N], normal score of the own part of quality.
        items: [N] ITEM, changed in place.
    """
    draws = _uniforms(config.seed, Purpose.CATALOG_CHANGES, len(items), 4)
    items["later_appeal"] = _appeal(config, quality_score, _normals(draws)[:, 0])
    items["born"], items["gone"] = -np.inf, np.inf
    if config.shelf_hours:
        shelf = np.ceil(config.shelf_hours)
        items["born"] = np.floor(draws[:, 1] * np.float32(run_hours + shelf) - np.float32(shelf))
        items["gone"] = items["born"] + np.float32(shelf)


def public_view(catalog: Catalog) -> PublicCatalog:
    """The readable side of a catalog, as fresh read-only arrays."""
    topic = catalog.items["topic"].astype(np.int64)
    price, base_popularity = catalog.items["price"].copy(), catalog.base_popularity.copy()
    born = gone = None
    if np.isfinite(catalog.items["born"]).all():
        born, gone = (catalog.items[name].astype(np.int64) for name in ("born", "gone"))
    for array in (topic, price, base_popularity, born, gone):
        if array is not None:
            array.flags.writeable = False
    return PublicCatalog(topic, price, base_popularity, len(catalog.topic_centres), born, gone)
