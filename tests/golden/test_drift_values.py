"""The Page-Hinkley test finds changes after the same numbers as river's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recsim_env.deployment import PageHinkley

GOLDEN = json.loads(Path(__file__).with_name("drift_values.json").read_text())


def test_the_golden_values_tell_settings_apart():
    counts = [len(case["alarms"]) for case in GOLDEN["cases"]]
    assert min(counts) == 1
    assert max(counts) > 20


@pytest.mark.parametrize(
    "case", GOLDEN["cases"], ids=lambda case: f"{case['stream']}-{case['settings']['delta']}"
)
def test_alarms_come_where_river_finds_them(case):
    test = PageHinkley((1,), **case["settings"])
    stream = GOLDEN["streams"][case["stream"]]
    assert [place for place, x in enumerate(stream) if test.update(np.array([x]))[0]] == case["alarms"]


def test_many_streams_at_once_are_each_like_alone():
    names = list(GOLDEN["streams"])
    settings = GOLDEN["cases"][1]["settings"]
    together = PageHinkley((len(names),), **settings)
    alarms = np.array(
        [together.update(np.array(row)) for row in zip(*GOLDEN["streams"].values(), strict=True)]
    )
    for place, name in enumerate(names):
        case = next(c for c in GOLDEN["cases"] if c["stream"] == name and c["settings"] == settings)
        assert np.flatnonzero(alarms[:, place]).tolist() == case["alarms"]
