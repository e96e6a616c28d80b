"""The experiments of `recsim-env compare --experiment NAME`: one file each, found by being here.

A module of this package that defines `EXPERIMENT` (a `Definition`) is an experiment; nothing else has to know
of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.experiments.frame import Definition


@cache
def experiments() -> dict[str, Definition]:
    """Name -> definition of every experiment, by name."""
    found = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        definition = getattr(importlib.import_module(module.name), "EXPERIMENT", None)
        if definition is not None:
            found[definition.name] = definition
    return dict(sorted(found.items()))
