"""The items: what there is, and what of it is on offer."""

from __future__ import annotations

from dataclasses import dataclass

from recsim_env.checked import Section, real, whole
from recsim_env.streams import MAX_SEED


@dataclass(frozen=True)
class CatalogConfig(Section):
    """The items. The catalog is a function of this section alone, so every seed of a world has the same one.

    Attributes:
        seed: key of the catalog's streams.
        num_items: N.
        embedding_dim: D; a multiple of 4.
        num_topics: C; every item has one, drawn uniformly.
        topic_spread: length of an item's own direction relative to its topic's, so 0 puts all items on the
            topic centres.
        popularity_exponent: s of the Zipf law pi_a ~ rank^-s of base popularity.
        appeal_scale: standard deviation of appeal, in units of utility.
        quality_appeal_correlation: correlation of appeal with the normal score of quality; negative is
            clickbait.
        topic_quality_share: share of an item's quality that its topic decides; the rest is its own.
        price_median: median price, in currency units.
        price_log_std: standard deviation of log price.
        shelf_hours: how long an item is on offer; 0 for always. Otherwise items come and go all through the
            run: the hour of arrival is uniform over shelf_hours before the run and the run itself, so their
            number stays about the same.
    """

    seed: int = whole(0, 0, MAX_SEED)
    num_items: int = whole(1_000, 1, 2**31 - 2)
    embedding_dim: int = whole(16, 4, 1_024)
    num_topics: int = whole(20, 1, 10_000)
    topic_spread: float = real(0.5, 0.0, 1e6)
    popularity_exponent: float = real(1.0, 0.0, 10.0)
    appeal_scale: float = real(1.2, 0.0, 1e6)
    quality_appeal_correlation: float = real(-0.8, -1.0, 1.0)
    topic_quality_share: float = real(0.0, 0.0, 1.0)
    price_median: float = real(20.0, 1e-6, 1e12)
    price_log_std: float = real(0.8, 0.0, 5.0)
    shelf_hours: float = real(0.0, 0.0, 1e6)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedding_dim % 4:
            raise ValueError(
                f"CatalogConfig.embedding_dim: expected a multiple of 4, got {self.embedding_dim}"
            )


@dataclass(frozen=True)
class CandidateConfig(Section):
    """The first stage of a two-stage recommender: it offers some of the items at every step.

    Attributes:
        num_candidates: M items on offer at each step, all different; 0 for all N.
        candidate_draws: a candidate is the one closest to the user's taste among so many drawn uniformly, so
            1 is a first stage that knows nothing of the user.
    """

    num_candidates: int = whole(0, 0, 10_000)
    candidate_draws: int = whole(2, 1, 100)
