"""Which random blocks a user needs at a reset and at a step, and where they lie among those drawn together.

    TRAITS, drawn for visit 0   [taste: D / 4] [traits: 2]
    VISIT                       [interest: D / 4] [visit: 1] [for each organic item: events 1, candidates / 4]
    STEP                        [interest: D / 4] [user: 1] [item: K]

Drawing them together lets the Philox rounds run over whole vectors; each block's bits depend on its own key
alone.
"""

from __future__ import annotations

import numpy as np

from recsim_env.compiling import compiled
from recsim_env.config import WorldConfig
from recsim_env.records import Records, pack_params, scratch_dtype, whole_vectors
from recsim_env.streams import PURPOSE_BITS, Purpose, fill_words

TRAITS, VISIT, STEP = range(3)


def organic_blocks(candidates: int) -> int:
    """Blocks per organic item: one for its events, the others four candidates each."""
    return 1 + -(-candidates // 4)


def empty_scratch(config: WorldConfig, count: int) -> Records:
    """[count] SCRATCH records that know the lanes and keys of every group of draws but a step's items."""
    quarter = config.catalog.embedding_dim // 4
    per_item = organic_blocks(config.population.organic_candidates)
    organic = min(config.population.organic_max, config.history_length)
    groups: list[list[tuple[Purpose, int, int]]] = [
        [(Purpose.USER_TASTE, 0, quarter), (Purpose.USER_TRAITS, 0, 2)],
        [
            (Purpose.VISIT_INTEREST, 0, quarter),
            (Purpose.VISIT_TRAITS, 0, 1),
            *((Purpose.ORGANIC_ITEM, j, per_item) for j in range(organic)),
        ],
        [
            (Purpose.STEP_INTEREST, 0, quarter),
            (Purpose.STEP_USER, 0, 1),
            (Purpose.STEP_ITEM, 0, config.slate_size),
        ],
    ]
    counts = [sum(blocks for _, _, blocks in group) for group in groups]
    padded = [whole_vectors(total) for total in counts]
    scratch = np.zeros(count, scratch_dtype(config, max(padded)))
    scratch["counts"] = padded
    scratch["examination"] = scratch["click_uniforms"] = 0.5  # padding: finite, and never read as a position
    scratch["examination"][:, : config.slate_size] = pack_params(config)["examination"]
    scratch["dim"] = config.catalog.embedding_dim
    scratch["width"] = whole_vectors(config.slate_size)
    for row, group in enumerate(groups):
        start = 0
        for purpose, number, blocks in group:
            scratch["lanes"][:, row, start : start + blocks] = np.arange(blocks)
            scratch["keys"][:, row, start : start + blocks] = (number << PURPOSE_BITS) | purpose
            start += blocks
    return scratch


@compiled(merge=True)
def draw(seed, user, visit, step, group, scratch):
    """Fill ``scratch.words`` with the blocks of one group.

    Args:
        seed: uint64; user, visit, step: int64; group: TRAITS, VISIT or STEP.
        scratch: SCRATCH record from ``empty_scratch``.
    """
    fill_words(
        seed,
        user,
        visit,
        step,
        scratch.counts[group],
        scratch.lanes[group],
        scratch.keys[group],
        scratch.words,
    )
