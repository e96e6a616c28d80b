"""Which random blocks a user needs at a reset and at a step, and where they lie among those drawn together.

    traits, drawn for visit 0   [taste: D / 4] [traits: 2]
    visit                       [interest: D / 4] [visit: 1] [for each organic item: events 1, candidates / 4]
    step                        [item: K] [user: 1] [interest: D / 16]
    return                      [1]
    offer                       [candidates: M n / 4, where each is the best of n]

Drawing them together lets the Philox rounds run over whole vectors; each block's bits depend on its own key
alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recsim_env.config import CandidateConfig, WorldConfig
from recsim_env.records import VECTOR, Records, pack_params, scratch_dtype, whole_vectors
from recsim_env.streams import PURPOSE_BITS, Purpose

Draws = list[tuple[Purpose, int, int]]
"""Purpose, number, and how many blocks, of each of the draws that are made together."""

LEAST_OFFER_ROOM = 64  # blocks


def organic_blocks(candidates: int) -> int:
    """Blocks per organic item: one for its events, the others four candidates each."""
    return 1 + -(-candidates // 4)


def step_noise_blocks(dim: int) -> int:
    """Blocks for the noise on interest in one step: a byte for each dimension."""
    return -(-dim // 16)


def offer_blocks(candidates: CandidateConfig) -> int:
    """Blocks for the candidates of one step: a word for each draw."""
    return -(-candidates.num_candidates * candidates.candidate_draws // 4)


def groups_of_draws(config: WorldConfig, organic: int) -> dict[str, Draws]:
    """The draws of each group, where visits begin with ``organic`` items."""
    dim = config.catalog.embedding_dim
    per_item = organic_blocks(config.population.organic_candidates)
    return {
        "traits": [(Purpose.USER_TASTE, 0, dim // 4), (Purpose.USER_TRAITS, 0, 2)],
        "visit": [
            (Purpose.VISIT_INTEREST, 0, dim // 4),
            (Purpose.VISIT_TRAITS, 0, 1),
            *((Purpose.ORGANIC_ITEM, j, per_item) for j in range(organic)),
        ],
        "step": [
            (Purpose.STEP_ITEM, 0, config.slate_size),
            (Purpose.STEP_USER, 0, 1),
            (Purpose.STEP_INTEREST, 0, step_noise_blocks(dim)),
        ],
        "return": [(Purpose.VISIT_RETURN, 0, 1)],
        "offer": [(Purpose.CANDIDATE, 0, offer_blocks(config.candidates))],
    }


def block_counts(groups: Mapping[str, Draws]) -> dict[str, int]:
    """Blocks of each group, in whole vectors of four."""
    return {
        name: whole_vectors(max(sum(blocks for _, _, blocks in group), 1), VECTOR // 2)
        for name, group in groups.items()
    }


def room_for(config: WorldConfig) -> dict[str, int]:
    """Room for the blocks of each group, the same for most worlds of the same sizes.

    The kernel is compiled for each length of its arrays: worlds that differ only in how much of a history is
    organic, or in whether candidates are drawn, share what is compiled.
    """
    room = block_counts(groups_of_draws(config, config.history_length))
    return room | {"offer": max(LEAST_OFFER_ROOM, 1 << (room["offer"] - 1).bit_length())}


def empty_scratch(config: WorldConfig, count: int) -> Records:
    """[count] SCRATCH records that know the lanes and keys of every group of draws but a step's items."""
    groups = groups_of_draws(config, min(config.population.organic_max, config.history_length))
    scratch = np.zeros(count, scratch_dtype(config, room_for(config)))
    scratch["examination"] = 1.0  # of "no click" behind the slate, and of what is never read behind that
    scratch["examination"][:, : config.slate_size] = pack_params(config)["examination"]
    scratch["dim"] = config.catalog.embedding_dim
    scratch["num_topics"] = config.catalog.num_topics
    scratch["width"] = scratch["utility"].shape[1]
    for name, drawn in block_counts(groups).items():
        scratch[f"{name}_blocks"] = drawn
        start = 0
        for purpose, number, blocks in groups[name]:
            scratch[f"{name}_lanes"][:, start : start + blocks] = np.arange(blocks)
            scratch[f"{name}_keys"][:, start : start + blocks] = (number << PURPOSE_BITS) | purpose
            start += blocks
    return scratch
