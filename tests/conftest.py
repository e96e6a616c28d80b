"""What every test runs under: one thread per library, no display, repeatable property tests."""

from __future__ import annotations

import os

# Before NumPy, PyTorch or Matplotlib are imported: they read these once.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import numpy as np
import pytest

# Compiling makes first calls slow, so no deadline; the same examples on every run, so that a failure
# is never luck. `pytest --hypothesis-profile=explore` looks further, with new examples each time.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1_000, print_blob=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture
def generator() -> np.random.Generator:
    """A generator with a fixed seed: every test gets the same draws, whatever ran before it."""
    return np.random.default_rng(20_240_229)
