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

import numpy as np

from recsim_env.config import CandidateConfig, WorldConfig
from recsim_env.records import Records, pack_params, scratch_dtype
from recsim_env.streams import PURPOSE_BITS, Purpose


def organic_blocks(candidates: int) -> int:
    """Blocks per organic item: one for its events, the others four candidates each."""
    return 1 + -(-candidates // 4)


def step_noise_blocks(dim: int) -> int:
    """Blocks for the noise on interest in one step: a byte for each dimension."""
    return -(-dim // 16)


def offer_blocks(candidates: CandidateConfig) -> int:
    """Blocks for the candidates of one step: a word for each draw."""
    return -(-candidates.num_candidates * candidates.candidate_draws // 4)


def empty_scratch(config: WorldConfig, count: int) -> Records:
    """[count] SCRATCH records that know the lanes and keys of every group of draws but a step's items."""
    dim, slate = config.catalog.embedding_dim, config.slate_size
    per_item = organic_blocks(config.population.organic_candidates)
    organic = min(config.population.organic_max, config.history_length)
    groups: dict[str, list[tuple[Purpose, int, int]]] = {
        "traits": [(Purpose.USER_TASTE, 0, dim // 4), (Purpose.USER_TRAITS, 0, 2)],
        "visit": [
            (Purpose.VISIT_INTEREST, 0, dim // 4),
            (Purpose.VISIT_TRAITS, 0, 1),
            *((Purpose.ORGANIC_ITEM, j, per_item) for j in range(organic)),
        ],
        "step": [
            (Purpose.STEP_ITEM, 0, slate),
            (Purpose.STEP_USER, 0, 1),
            (Purpose.STEP_INTEREST, 0, step_noise_blocks(dim)),
        ],
        "return": [(Purpose.VISIT_RETURN, 0, 1)],
        "offer": [(Purpose.CANDIDATE, 0, offer_blocks(config.candidates))],
    }
    counts = {name: sum(blocks for _, _, blocks in group) for name, group in groups.items()}
    scratch = np.zeros(count, scratch_dtype(config, counts))
    scratch["examination"] = 1.0  # of "no click" behind the slate, and of what is never read behind that
    scratch["examination"][:, :slate] = pack_params(config)["examination"]
    scratch["dim"] = dim
    scratch["num_topics"] = config.catalog.num_topics
    scratch["width"] = scratch["utility"].shape[1]
    for name, group in groups.items():
        scratch[f"{name}_blocks"] = scratch[f"{name}_lanes"].shape[1]
        start = 0
        for purpose, number, blocks in group:
            scratch[f"{name}_lanes"][:, start : start + blocks] = np.arange(blocks)
            scratch[f"{name}_keys"][:, start : start + blocks] = (number << PURPOSE_BITS) | purpose
            start += blocks
    return scratch
