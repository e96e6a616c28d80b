"""At the ends of every field's range users stay numbers: no NaN, no warning, no session that cannot end."""

import dataclasses
import math

import numpy as np
import pytest

from recsim_env import World
from recsim_env.truth import item_truth, slate_truth
from tests.small_worlds import MODELS, SHAPE_FIELDS, carry_on, fresh_states, small_config

RUN = {"run": {"run_hours": 100.0}}
COMPANIONS = {
    "returns": {"returns": {"lifetime_hours": 1e3}},
    "shelf_hours": RUN,
    "freshness_weight": RUN | {"catalog": {"shelf_hours": 50.0}},
    "freshness_half_life": RUN | {"catalog": {"shelf_hours": 50.0}, "choice": {"freshness_weight": 60.0}},
}
"""What a section or a field needs beside it to matter."""


def ends():
    for section in dataclasses.fields(small_config()):
        config = getattr(small_config(), section.name)
        if dataclasses.is_dataclass(config):
            for spec in dataclasses.fields(config):
                if "low" in spec.metadata and spec.name not in SHAPE_FIELDS:
                    for value in (spec.metadata["low"], spec.metadata["high"]):
                        assert math.isfinite(value), f"{spec.name} has no bound"
                        yield pytest.param(section.name, spec.name, value, id=f"{spec.name}={value:g}")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("section", "name", "value"), list(ends()))
def test_nothing_but_numbers(section, name, value, model):
    config = small_config(4, model, **COMPANIONS.get(section, {}), **COMPANIONS.get(name, {}))
    world = World(config.replace(**{section: {name: value}}))
    for field in ("embedding", "appeal", "log_popularity", "quality", "log_price", "price"):
        assert np.isfinite(world.items[field]).all(), field
    assert np.isfinite(world.public_catalog.base_popularity).all()
    states, _ = fresh_states(world, np.arange(40))
    served = carry_on(world, states, steps=4)
    fields = ("interest", "taste", "satiation", "satisfaction", "conformity", "price_sensitivity", "hour")
    for field in fields:
        assert np.isfinite(served.states[field]).all(), field
    assert not np.isnan(served.states["patience"]).any()
    assert np.isfinite(served.outcomes["reward"]).all()
    truth = slate_truth(world, states, np.tile([1, 2, 3, 4], (40, 1)))
    for probability in (truth.click_prob, truth.like_prob, truth.purchase_prob):
        assert ((probability >= 0) & (probability <= 1)).all()
    assert np.isfinite(truth.expected_reward).all()
    assert np.isfinite(item_truth(world, states).expected_reward).all()
    for field in ("satiation", "satisfaction"):
        assert ((served.states[field] >= 0) & (served.states[field] <= 1)).all()
